"""Going on with what an earlier kernel left: every execution that has not ended, at the start; later those that could not be
read then.

What fails to be read for a reason that may pass (storage or the journal's file did not answer) is set aside and tried again
while the kernel runs, ever more seldom. What is damaged, or cannot run here, stays aside until the home is opened the next time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from msgspec import Struct

from wingbeat.base.errors import JournalDamaged, JournalUnknown, NotFound, SetAside
from wingbeat.contracts.executor import AttemptRequest
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.journal import Ended, Record
from wingbeat.engine.admission import Admission
from wingbeat.engine.archive import Archive
from wingbeat.engine.dispatch import Dispatcher
from wingbeat.engine.feed import Feed
from wingbeat.engine.live import Live
from wingbeat.engine.loading import Loading, Unreadable
from wingbeat.engine.memo import Memo
from wingbeat.engine.pools import Pools
from wingbeat.engine.requests import Requests
from wingbeat.engine.routes import Routes
from wingbeat.machine.effect import Cancel, Effect, Submit
from wingbeat.spec.entities import PoolSpec
from wingbeat.spec.phase import ExecutionPhase

AT_ONCE = 200
AGAIN_S = 1.0
AGAIN_S_MAX = 60.0

_log = logging.getLogger("wingbeat.engine")


class _Aside(Struct):
    """An execution that could not be read: its record, why, how often that was tried, and when it is tried again."""

    record: Record
    reason: str
    tries: int
    due: float


class _Found(Struct):
    """An execution that was read: what is performed again, its attempts that had not ended, with the times of their coming, and of
    these those that have slots of a pool."""

    live: Live
    effects: list[Effect] = []
    requests: list[tuple[float, AttemptRequest]] = []
    slots: list[tuple[str, PoolSpec]] = []


class Recovery:
    """Reads executions and has performed again what was under way.

    Args:
        lives: Takes those that go on, by id.

        quarantined: Takes, by id, why an execution does not go on until the home is opened the next time.

        requests: Makes the requests of attempts.

        perform: Performs an effect.

        feed: Tells observers what was before.

    Attributes:
        left: By launch key, what was being stopped when the earlier kernel ended.
    """

    def __init__(
        self, archive: Archive, routes: Routes, loading: Loading, memo: Memo, pools: Pools, admission: Admission,
        dispatchers: Mapping[str, Dispatcher], lives: dict[str, Live], quarantined: dict[str, str],
        requests: Requests, perform: Callable[[Live, Effect], None],
        feed: Feed,
    ) -> None:  # fmt: skip
        self._archive, self._routes, self._loading, self._memo, self._pools = archive, routes, loading, memo, pools
        self._admission, self._dispatchers, self._requests, self._perform = admission, dispatchers, requests, perform
        self._feed = feed
        self._lives, self._quarantined = lives, quarantined
        self.left: dict[str, str] = {}
        self._aside: dict[str, _Aside] = {}
        self._wrong: list[Ended] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, records: list[Record]) -> list[Ended]:
        """Go on with all of these (the newest first) that can be read; then with the others, as soon as they can.

        Returns:
            Phases that the records do not have right.
        """
        found: list[_Found] = []
        oldest_first = [*reversed(records)]
        for i in range(0, len(records), AT_ONCE):
            found += await self._read(oldest_first[i : i + AT_ONCE])
        hit("recover.before-adopt")
        for name, requests in self._taken(found).items():  # first: what runs has its slots before anything is started
            await self._dispatchers[name].adopt(requests)
        hit("recover.after-adopt")
        self._go_on(found)
        if self._aside:
            self._spawn(self._later())
        return self._wrong

    def stop(self) -> None:
        """Try no more."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Stop, and wait until nothing is under way."""
        self.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def check(self, execution: str) -> None:
        """Raise if an execution is not to be had. SetAside if it is tried again."""
        if execution in self._quarantined:
            raise NotFound(
                f"Execution {execution!r} cannot go on: {self._quarantined[execution]}",
                hint="The others are not affected. It is tried again when the home is opened the next time.",
            )
        if (aside := self._aside.get(execution)) is not None:
            seconds = max(0.0, aside.due - asyncio.get_running_loop().time())
            raise SetAside(
                f"Execution {execution!r} cannot go on for now: {aside.reason}",
                hint=f"The others are not affected. It was tried {aside.tries} times; the next time is in {seconds:.0f} s.",
            )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="executions set aside")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self) -> None:
        """Try those that were set aside until none is left."""
        loop = asyncio.get_running_loop()
        while self._aside:
            due = min(aside.due for aside in self._aside.values())
            await asyncio.sleep(max(0.0, due - loop.time()))
            records = [aside.record for aside in self._aside.values() if aside.due <= loop.time()][:AT_ONCE]
            found = await self._read(records)
            # In one step: from here on it may be aborted, and what was to be performed before must not come behind that.
            requests = self._taken(found)
            self._go_on(found)
            for name in requests:
                self._spawn(self._dispatchers[name].adopt(requests[name]))

    async def _read(self, records: list[Record]) -> list[_Found]:
        """What can be read of these."""
        found = []
        lives = await asyncio.gather(*(self._archive.live(r.execution, r) for r in records), return_exceptions=True)
        for record, live in zip(records, lives, strict=True):
            try:
                if isinstance(live, BaseException):
                    raise live  # noqa: TRY301  # one place says what becomes of it
                state = live.machine.state
                if record.phase != state.phase:
                    self._wrong.append(Ended(record.execution, state.phase, state.ended_at))
                if state.phase.terminal:
                    self._aside.pop(record.execution, None)
                    self._admission.ended(record.execution)
                else:
                    found.append(await self._resumed(live))
            except JournalDamaged as error:
                self._give_up(record, error)
            except (JournalUnknown, Unreadable) as error:
                self._set_aside(record, error)
            except Exception as error:  # noqa: BLE001  # one that cannot be read must not keep the others from going on
                self._give_up(record, error)
        return found

    async def _resumed(self, live: Live) -> _Found:
        """What an execution that was read has to have performed again. Raises if it cannot go on here."""
        for closure in live.closures():
            self._routes.check(closure, live.record.labels)
        self._routes.check_inline(live)
        await self._loading.lists(live)
        found = _Found(live)
        for effect in live.machine.outstanding():
            if isinstance(effect, Submit | Cancel) and (slots := self._requests.slots(live, effect.node)) is not None:
                found.slots.append(slots)
            if not isinstance(effect, Submit):
                found.effects.append(effect)
            elif (request := self._requests.of(live, effect.node, effect.attempt)) is not None:
                attempt = live.machine.state.node(effect.node).open_attempt
                found.requests.append((attempt.queued_at if attempt else 0.0, request))
        return found

    def _give_up(self, record: Record, error: Exception) -> None:
        self._aside.pop(record.execution, None)
        reason = str(error) or type(error).__name__
        self._quarantined[record.execution] = reason
        self._admission.set_aside(record)
        _log.warning(
            "Execution %s cannot go on, and is tried again when the home is opened the next time: %s",
            record.execution,
            reason,
        )

    def _set_aside(self, record: Record, error: Exception) -> None:
        tries = 1 if (before := self._aside.get(record.execution)) is None else before.tries + 1
        seconds = min(AGAIN_S * 2.0 ** (tries - 1), AGAIN_S_MAX)
        due = asyncio.get_running_loop().time() + seconds
        self._aside[record.execution] = _Aside(record, str(error), tries, due)
        self._admission.set_aside(record)
        if before is None:
            _log.warning("Execution %s cannot go on for now, and is tried again: %s", record.execution, error)

    def _taken(self, found: Iterable[_Found]) -> dict[str, list[AttemptRequest]]:
        """Take executions up; their attempts that are to be adopted, by executor. Who came first is first in every line."""
        requests: dict[str, list[AttemptRequest]] = {}
        came: list[tuple[float, Live, AttemptRequest]] = []
        for one in found:
            hit("recover.read")
            live = one.live
            self._lives[live.id] = live
            if live.machine.state.phase is ExecutionPhase.ABORTING:
                self.left[live.record.launch_key] = live.id
            came += ((at, live, request) for at, request in one.requests)
            for attempt, pool in one.slots:
                self._pools.hold(attempt, pool)
        for _, live, request in sorted(came, key=lambda attempt: attempt[0]):
            if self._pools.resume(request):
                requests.setdefault(self._routes.executor(request.task, live.record.labels), []).append(request)
        return requests

    def _go_on(self, found: Iterable[_Found]) -> None:
        """Have everything else performed."""
        self._feed.again(one.live for one in found)
        self._pools.start()
        self._admission.adopt(one.live for one in found)
        for one in found:
            live = one.live
            for effect in one.effects:
                self._perform(live, effect)
            for node in live.machine.state.live | live.machine.state.retrying:
                self._memo.adopt(live, node)
            if (aside := self._aside.pop(live.id, None)) is not None:
                _log.warning("Execution %s could be read at last, after %d tries, and goes on.", live.id, aside.tries)
