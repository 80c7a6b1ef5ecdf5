"""Observers with one fault each; see `test_kits_catch.py`."""

import asyncio
import os
from pathlib import Path

from small import LinesObserver

from wingbeat.testing.conformance.observer import ObserverContract


class Broken(ObserverContract):
    __test__ = False
    load, patience_s, settle_s = 50, 3.0, 0.3

    def make(self, home):
        return self.Faulty(Path(home.path, "events"))

    def told(self, home, observer):
        return observer.told()


class TestKeepsWhatItWasTold(Broken):
    __test__ = True
    caught_by = {"test_it_keeps_nothing_of_what_has_ended"}

    class Faulty(LinesObserver):
        async def observe(self, events):
            self.kept = [*getattr(self, "kept", []), *events]
            await super().observe(events)


class TestLeavesTasksBehind(Broken):
    __test__ = True
    caught_by = {"test_nothing_is_left_open"}

    class Faulty(LinesObserver):
        async def observe(self, events):
            self.task = asyncio.create_task(asyncio.sleep(1e6))
            await super().observe(events)


class TestTakesOneOfABatch(Broken):
    __test__ = True
    caught_by = {"test_what_comes_out_is_what_went_in"}

    class Faulty(LinesObserver):
        async def observe(self, events):
            await super().observe(events[:1])


class TestTakesTheEventsForItsOwn(Broken):
    __test__ = True
    caught_by = {"test_it_leaves_the_events_as_they_are"}

    class Faulty(LinesObserver):
        async def observe(self, events):
            await super().observe(events)
            for event in events:
                event.evidence["exported"] = True


class TestKnowsOnlySomeKinds(Broken):
    __test__ = True
    caught_by = {
        "test_it_takes_events_of_every_kind",
        "test_it_takes_what_has_gaps",
        "test_it_leaves_the_events_as_they_are",
    }

    class Faulty(LinesObserver):
        async def observe(self, events):
            for event in events:
                {"execution": 1, "node": 2, "attempt": 3, "cache": 4}[event.kind]
            await super().observe(events)


class TestWantsToSeeEveryBeginning(Broken):
    __test__ = True
    caught_by = {
        "test_it_takes_events_of_every_kind",
        "test_it_takes_what_it_was_told_before",
        "test_it_takes_what_has_gaps",
        "test_it_leaves_the_events_as_they_are",
    }

    class Faulty(LinesObserver):
        begun = frozenset()

        async def observe(self, events):
            for event in events:
                if event.cursor == 0:
                    self.begun |= {event.execution}
                if event.execution not in self.begun:
                    raise KeyError(event.execution)
                if event.phase == "SUCCEEDED" and event.kind == "execution":
                    self.begun -= {event.execution}
            await super().observe(events)


class TestBringsTheNewestFirst(Broken):
    __test__ = True
    caught_by = {"test_what_comes_out_is_what_went_in"}

    class Faulty(LinesObserver):
        def told(self):
            return super().told()[::-1]


class TestHangsAfterItWasCancelled(Broken):
    __test__ = True
    caught_by = {"test_a_cancelled_call_does_not_stop_the_next"}

    class Faulty(LinesObserver):
        def __init__(self, file):
            super().__init__(file)
            self.lock = asyncio.Lock()

        async def observe(self, events):
            await self.lock.acquire()
            await asyncio.sleep(0)
            await super().observe(events)
            self.lock.release()


class TestKeepsAFileForEachStart(Broken):
    __test__ = True
    caught_by = {"test_nothing_is_left_open"}

    class Faulty(LinesObserver):
        async def start(self):
            os.open("/dev/null", os.O_RDONLY)


class TestLosesWhatItHasKept(Broken):
    __test__ = True
    caught_by = {"test_what_comes_out_is_what_went_in"}

    class Faulty(LinesObserver):
        def __init__(self, file):
            super().__init__(file)
            self.kept = []

        async def observe(self, events):
            self.kept += events
            if len(self.kept) >= 10:
                kept, self.kept = self.kept, []
                await super().observe(kept)


class TestLeavesFilesOpen(Broken):
    __test__ = True
    caught_by = {"test_many_executions_are_told", "test_nothing_is_left_open"}

    class Faulty(LinesObserver):
        async def observe(self, events):
            os.open("/dev/null", os.O_RDONLY)
            await super().observe(events)


class TestDoesNotLetGo(Broken):
    __test__ = True
    patience_s = 1.0
    caught_by = {"test_a_call_lets_itself_be_cancelled", "test_a_cancelled_call_does_not_stop_the_next"}

    class Faulty(LinesObserver):
        async def observe(self, events):
            sent = False
            while not sent:
                try:
                    await asyncio.sleep(0)
                    sent = not asyncio.current_task().cancelling()
                except asyncio.CancelledError:  # "the connection was reset": once more
                    continue
            await super().observe(events)
