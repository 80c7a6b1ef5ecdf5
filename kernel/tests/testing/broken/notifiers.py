"""Notifiers with one fault each; see `test_kits_catch.py`."""

import asyncio
import contextlib
import json
import os
import threading
import time
from pathlib import Path

from small import LinesNotifier

from wingbeat.contracts.notifier import Undeliverable
from wingbeat.testing.conformance.notifier import Arrived, NotifierContract

SECRET = "canary-77f0"


class Broken(NotifierContract):
    __test__ = False
    patience_s, settle_s = 3.0, 0.3
    secret_texts = (SECRET,)

    def make(self, home):
        return self.Faulty(Path(home.path, "out"))

    def arrived(self, home):
        file = Path(home.path, "out")
        lines = file.read_text().splitlines() if file.is_file() else []
        return [Arrived(json.loads(line)["id"], line) for line in lines]

    @contextlib.contextmanager
    def _aside(self, home):
        Path(home.path, "out").mkdir()  # what is a folder cannot be written to
        yield
        Path(home.path, "out").rmdir()

    @contextlib.asynccontextmanager
    async def refusing(self, home):
        with self._aside(home):
            yield


class TestMakesUpIds(Broken):
    __test__ = True
    patience_s = 0.9  # of what never comes
    caught_by = {
        "test_it_tells_of_every_phase", "test_it_tells_of_a_missed_deadline", "test_it_tells_of_a_backfill_that_is_over",
        "test_the_least_that_a_message_holds",
        "test_any_text_is_told", "test_the_same_message_has_the_same_id", "test_many_at_once", "test_a_failure_is_told",
        "test_a_cancelled_call_does_not_stop_the_next",
    }  # fmt: skip

    class Faulty(LinesNotifier):
        count = 0

        async def notify(self, message):
            type(self).count += 1
            line = json.dumps({"id": f"id{self.count}", "text": message.title, "phase": message.phase})
            with self.file.open("a") as file:
                file.write(line + "\n")


class TestWritesTextAsItIs(Broken):
    __test__ = True
    caught_by = {"test_any_text_is_told"}

    class Faulty(LinesNotifier):
        async def notify(self, message):
            late = "" if message.after_s is None else str(message.after_s)
            with self.file.open("a") as file:
                file.write(
                    f'{{"id": "{message.id}", "text": "{message.title} {message.phase} {late} {message.reason}"}}\n'
                )


class TestDoesNotSayThatItFailed(Broken):
    __test__ = True
    caught_by = {"test_a_failure_is_told"}

    class Faulty(LinesNotifier):
        async def notify(self, message):
            with contextlib.suppress(OSError):
                await super().notify(message)


class TestTellsItsPassword(Broken):
    __test__ = True
    caught_by = {"test_a_failure_is_told"}

    class Faulty(LinesNotifier):
        async def notify(self, message):
            try:
                await super().notify(message)
            except OSError as error:
                raise Undeliverable(f"https://ops:{SECRET}@example.com did not take it: {error}") from error


class TestLeavesDeadlinesOut(Broken):
    __test__ = True
    caught_by = {"test_it_tells_of_a_missed_deadline", "test_it_tells_of_a_backfill_that_is_over"}

    class Faulty(LinesNotifier):
        async def notify(self, message):
            told = {"id": message.id, "text": f"{message.execution}: {message.phase}"}
            with self.file.open("a") as file:
                file.write(json.dumps(told) + "\n")


class TestIsStuckAfterACancellation(Broken):
    __test__ = True
    caught_by = {"test_a_cancelled_call_does_not_stop_the_next"}

    class Faulty(LinesNotifier):
        def __init__(self, file):
            super().__init__(file)
            self.free = True

        async def notify(self, message):
            while not self.free:
                await asyncio.sleep(0.01)
            self.free = False
            try:
                await asyncio.sleep(0)
                await super().notify(message)
            except Exception:
                self.free = True
                raise
            self.free = True


class TestKeepsItsConnections(Broken):
    __test__ = True
    caught_by = {"test_nothing_is_left_open"}
    kept = []

    class Faulty(LinesNotifier):
        async def notify(self, message):
            TestKeepsItsConnections.kept.append(os.open("/dev/null", os.O_RDONLY))
            await super().notify(message)


class TestCannotBeClosedTwice(Broken):
    __test__ = True
    caught_by = {"test_closing_is_always_possible"}

    class Faulty(LinesNotifier):
        closed = False

        async def close(self):
            assert not self.closed, "closed already"
            self.closed = True


class TestDoesNotLetGo(Broken):
    __test__ = True
    patience_s = 1.0
    caught_by = {"test_a_call_lets_itself_be_cancelled", "test_a_cancelled_call_does_not_stop_the_next"}

    class Faulty(LinesNotifier):
        async def notify(self, message):
            sent = False
            while not sent:
                try:
                    await asyncio.sleep(0)
                    sent = not asyncio.current_task().cancelling()
                except asyncio.CancelledError:  # "the connection was reset": once more
                    continue
            await super().notify(message)


class TestTakesACancellationForItsEnd(Broken):
    __test__ = True
    patience_s = 0.9
    caught_by = {"test_a_cancelled_call_does_not_stop_the_next"}

    class Faulty(LinesNotifier):
        async def notify(self, message):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
                await super().notify(message)


class TestHoldsUpTheLoop(Broken):
    __test__ = True
    patience_s = 30.0
    load = 1
    caught_by = {"test_it_does_not_hold_up_the_event_loop"}

    class Faulty(LinesNotifier):
        async def notify(self, message):
            time.sleep(0.21)  # noqa: ASYNC251  # that is its fault
            await super().notify(message)


class TestKeepsMemory(Broken):
    __test__ = True
    caught_by = {"test_nothing_is_kept_of_messages"}

    class Faulty(LinesNotifier):
        def __init__(self, file):
            super().__init__(file)
            self.kept = []

        async def notify(self, message):
            self.kept.append(bytearray(400_000))
            await super().notify(message)


class TestKeepsThreads(Broken):
    __test__ = True
    caught_by = {"test_nothing_is_kept_of_messages"}
    over = threading.Event()

    @classmethod
    def teardown_class(cls):
        cls.over.set()

    class Faulty(LinesNotifier):
        async def notify(self, message):
            threading.Thread(target=TestKeepsThreads.over.wait, daemon=True).start()
            await super().notify(message)
