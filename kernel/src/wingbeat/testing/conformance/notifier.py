"""What every notifier must do. Derive one test class, say how one is made whose channel leads to a receiver of the test's own, and
what has come there::

    class TestMyNotifier(NotifierContract):
        channel = "ops"
        settings = {"mine": {"channels": {"ops": {"folder": "out"}}}}

        def make(self, home: Home) -> Notifier:
            return MyNotifier(home.settings("mine", MySettings))

        def arrived(self, home: Home) -> list[Arrived]:
            return [Arrived(id, text) for id, text in ...]

`refusing`, where the receiver can be made to take nothing for a while, lets the kit see that a failure is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, NamedTuple

import msgspec
import pytest

from wingbeat.contracts.notifier import Message, Notifier
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance.kit import Kit, held
from wingbeat.testing.home import TemporaryHome

HELD_UP_S_MAX = 0.2
"""So long nobody else has a turn at most."""
KEPT_BYTES_MAX = 100_000
"""A receiver within the test keeps what has come, which is far less."""
SOME = 20
"""So many messages one after another."""
ODD = {
    "lines": "one\ntwo\r\nthree\rfour",
    "headers": "x\r\nBcc: evil@example.com\r\nSubject: other\r\n\r\nbody",
    "markup": "<script>alert(1)</script> & {{7*7}} ${x} %s {0} `id` |",
    "unicode": "pässwörd \u2603 \U0001f511 \u202e right to left",
    "controls": "\0\a\x1b[2J\x7f\x85\u2028",
    "a lone dot": ".\r\n.\r\n",
    "long": "x" * 100_000,
}


class Arrived(NamedTuple):
    """A message where it was to come: its id, and all of its text."""

    id: str
    text: str


def message(id: str, channel: str, phase: ExecutionPhase = ExecutionPhase.FAILED, **more: Any) -> Message:
    """One to be sent."""
    told: dict[str, Any] = {
        "created_at": 1.9e9, "ended_at": 2e9 if phase.terminal else None, "entity": "eta/production/train@v1",
        "project": "eta", "domain": "production", "labels": {"team": "eta"}, **more,
    }  # fmt: skip
    return Message(
        id=id, channel=channel, at=2e9, execution=f"execution-of-{id}".replace("_", "-"), workflow="eta.train", phase=phase,
        **told,
    )  # fmt: skip


class NotifierContract(Kit):
    """The contract of `wingbeat.contracts.notifier.Notifier` as tests.

    Attributes:
        channel: Of those that `settings` set up.

        load: So many messages are sent at once.

        secret_texts: What is in no error and no log: passwords, keys, addresses that hold one.
    """

    channel: ClassVar[str] = "ops"
    load: ClassVar[int] = 30
    secret_texts: ClassVar[Sequence[str]] = ()

    def make(self, home: TemporaryHome) -> Notifier:
        """A notifier."""
        raise NotImplementedError(f"{type(self).__name__} has to say how a notifier is made: def make(self, home)")

    def arrived(self, home: TemporaryHome) -> Sequence[Arrived]:
        """What has come to the receiver of the channel up to now."""
        raise NotImplementedError(f"{type(self).__name__} has to say what has come: def arrived(self, home)")

    def refusing(self, home: TemporaryHome) -> AbstractAsyncContextManager[None] | None:
        """While entered, the receiver takes nothing; None where that cannot be had."""
        return None

    @contextlib.asynccontextmanager
    async def made(self, home: TemporaryHome) -> AsyncIterator[Notifier]:
        """A notifier, closed at the end."""
        notifier = self.make(home)
        try:
            yield notifier
        finally:
            await notifier.close()

    async def came(self, home: TemporaryHome, *ids: str) -> None:
        """Wait for messages."""
        await self.until(
            lambda: set(ids) <= {each.id for each in self.arrived(home)}, f"the arrival of {', '.join(ids)}"
        )

    async def test_it_knows_its_channels(self, home: TemporaryHome) -> None:
        """`channels`: names, those of the settings, always the same."""
        async with self.made(home) as notifier:
            names = sorted(notifier.channels)
            assert self.channel in names
            assert all(isinstance(name, str) for name in names)
            assert sorted(notifier.channels) == names == sorted(self.make(home).channels)

    async def test_a_call_lets_itself_be_cancelled(self, home: TemporaryHome) -> None:
        """`notify`, `close`, when they took too long or the admin closes: what does not end then is left behind."""
        notifier: Any = self.make(home)
        try:
            await self.lets_go("notify", lambda: notifier.notify(message("msg_cancelled", self.channel)))
        finally:
            await self.lets_close(notifier.close)

    @pytest.mark.parametrize("phase", ExecutionPhase)
    async def test_it_tells_of_every_phase(self, home: TemporaryHome, phase: ExecutionPhase) -> None:
        """`notify`: answers nothing, once the receiver has taken it; which execution, and what became of it, is among its text."""
        async with self.made(home) as notifier:
            told = message(f"msg_{phase.lower()}", self.channel, phase)
            call: Any = notifier.notify
            answer = await call(told)
            assert answer is None, f"notify answers nothing, not {answer!r}"
            await self.came(home, told.id)
            (arrived,) = self.arrived(home)
            assert told.execution in arrived.text
            assert phase in arrived.text

    async def test_it_tells_of_a_missed_deadline(self, home: TemporaryHome) -> None:
        """`Message.after_s`: how long it was given is among its text."""
        async with self.made(home) as notifier:
            await notifier.notify(message("msg_late", self.channel, ExecutionPhase.RUNNING, after_s=7260.0))
            await self.came(home, "msg_late")
            assert any(given in self.arrived(home)[0].text for given in ("2h 1m", "7260"))

    async def test_it_tells_of_a_backfill_that_is_over(self, home: TemporaryHome) -> None:
        """`Message.backfill`: which, and how many of its ticks did what, is among its text; there is no execution then."""
        async with self.made(home) as notifier:
            told = message("msg_week", self.channel, backfill="week-9", ticks={"succeeded": 493, "failed": 7})
            await notifier.notify(msgspec.structs.replace(told, execution=""))
            await self.came(home, "msg_week")
            text = self.arrived(home)[0].text
            assert all(word in text for word in ("week-9", "493", "7 failed"))

    async def test_the_least_that_a_message_holds(self, home: TemporaryHome) -> None:
        """`Message`: of what is not registered, without a reason."""
        async with self.made(home) as notifier:
            bare = Message("msg_bare", self.channel, 0.0, "x1", "flow", ExecutionPhase.SUCCEEDED, 0.0)
            await notifier.notify(bare)
            await self.came(home, "msg_bare")

    @pytest.mark.parametrize("kind", ODD)
    async def test_any_text_is_told(self, home: TemporaryHome, kind: str) -> None:
        """Any text may hold any character, and be long: one message comes, with its own id."""
        odd = ODD[kind]
        async with self.made(home) as notifier:
            labels = {"note": odd[:500], odd[:100]: "name"}
            await notifier.notify(message("msg_odd", self.channel, reason=odd, cause=odd[:500], labels=labels))
            await notifier.notify(message("msg_next", self.channel))
            await self.came(home, "msg_odd", "msg_next")
            assert sorted({each.id for each in self.arrived(home)}) == ["msg_next", "msg_odd"]

    async def test_the_same_message_has_the_same_id(self, home: TemporaryHome) -> None:
        """Called again with the same message, also by another process: the receiver can tell that it is the same."""
        told = message("msg_again", self.channel)
        for _ in range(2):
            async with self.made(home) as notifier:
                await notifier.notify(told)
                await notifier.notify(msgspec.structs.replace(told))
        await self.came(home, "msg_again")
        assert {each.id for each in self.arrived(home)} == {"msg_again"}

    async def test_many_at_once(self, home: TemporaryHome) -> None:
        """`notify` from many tasks at once: each comes."""
        async with self.made(home) as notifier:
            told = [message(f"msg_{number}", self.channel) for number in range(self.load)]
            await asyncio.gather(*(notifier.notify(one) for one in told))
            await self.came(home, *(one.id for one in told))

    async def test_a_failure_is_told(self, home: TemporaryHome, caplog: pytest.LogCaptureFixture) -> None:
        """What the receiver has not taken raises, in words without a secret; the next one comes."""
        refusing = self.refusing(home)
        if refusing is None:
            pytest.skip("its receiver takes everything: override refusing()")
        caplog.set_level(0)
        async with self.made(home) as notifier:
            async with refusing:
                with pytest.raises(Exception) as told:  # noqa: PT011  # it may be any
                    await notifier.notify(message("msg_refused", self.channel))
            text = "".join(traceback.format_exception_only(told.value)) + str(told.value) + caplog.text
            assert str(told.value), "it does not say why"
            found = [secret for secret in self.secret_texts if secret in text]
            assert not found, f"a secret is told: {text}"
            await notifier.notify(message("msg_taken", self.channel))
            await self.came(home, "msg_taken")
            assert {each.id for each in self.arrived(home)} == {"msg_taken"}

    async def test_a_cancelled_call_does_not_stop_the_next(self, home: TemporaryHome) -> None:
        """`notify`, cancelled at any moment: it raises, or its message comes; the next one comes all the same."""
        sent = []
        async with self.made(home) as notifier:
            for turns in range(8):
                task = asyncio.ensure_future(notifier.notify(message(f"msg_cancelled_{turns}", self.channel)))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                    sent.append(f"msg_cancelled_{turns}")  # as it says
                await notifier.notify(message(f"msg_next_{turns}", self.channel))
            await self.came(home, *(f"msg_next_{turns}" for turns in range(8)), *sent)

    async def test_it_does_not_hold_up_the_event_loop(self, home: TemporaryHome) -> None:
        """`notify`: what takes long is awaited, or done in a thread; everybody else waits for what is not."""
        async with self.made(home) as notifier:
            gaps = [await _gap(notifier.notify(message(f"msg_gap_{n}", self.channel))) for n in range(4)]
        # the shortest: a machine that is busy may hold up some, and what is imported the first
        assert min(gaps) < HELD_UP_S_MAX, f"notify holds up the event loop for {min(gaps):.2f} s, each time"

    async def test_nothing_is_kept_of_messages(self, home: TemporaryHome) -> None:
        """`notify`, again and again: neither memory nor threads are kept for each message."""
        async with self.made(home) as notifier:

            async def send(name: str, count: int) -> None:
                for number in range(count):
                    await notifier.notify(message(f"msg_{name}_{number}", self.channel))

            await send("first", 5)
            threads = threading.active_count()
            with _traced() as traced:
                await send("then", SOME)
                each = traced() // SOME
            assert each < KEPT_BYTES_MAX, f"{each} bytes are kept for each message"
            end = asyncio.get_running_loop().time() + self.settle_s
            while threading.active_count() >= threads + SOME // 2:
                assert asyncio.get_running_loop().time() < end, (
                    f"{SOME} messages have left {threading.active_count() - threads} threads behind"
                )
                await asyncio.sleep(0.03)

    async def test_closing_is_always_possible(self, home: TemporaryHome) -> None:
        """`close`: without anything before, and again."""
        notifier = self.make(home)
        await notifier.close()
        await notifier.close()

    async def test_nothing_is_left_open(self, home: TemporaryHome) -> None:
        """`close`: lets go of everything."""
        counts = []
        for number in range(4):
            async with self.made(home) as notifier:
                await asyncio.gather(*(notifier.notify(message(f"msg_{number}_{n}", self.channel)) for n in range(3)))
            counts.append(held())
        await self.closed(counts[1], counts)  # the first may open what stays


async def _gap(call: Coroutine[Any, Any, None]) -> float:
    """The longest time for which nobody else had a turn during a call."""
    longest, last = 0.0, time.monotonic()
    task = asyncio.ensure_future(call)
    while not task.done():
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    await task
    return longest


@contextlib.contextmanager
def _traced() -> Iterator[Callable[[], int]]:
    """Gives what tells how many bytes more are in use than at the begin."""
    begun = not tracemalloc.is_tracing()
    if begun:
        tracemalloc.start()
    try:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]

        def more() -> int:
            gc.collect()
            return tracemalloc.get_traced_memory()[0] - before

        yield more
    finally:
        if begun:
            tracemalloc.stop()


__all__ = ["Arrived", "NotifierContract", "message"]
