"""What happened, told to observers and readers after it is durable. Every queue is bounded: who is too slow misses events
and can read them from the journal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping

from wingbeat.base.errors import JournalUnknown
from wingbeat.calls import Calls, let_go, why
from wingbeat.contracts.observer import MISSED, Observer, Propagates, Published
from wingbeat.engine.again import told_again
from wingbeat.engine.circuit import Circuit, LeftAlone
from wingbeat.engine.live import Live
from wingbeat.runtime.plugged import is_theirs

QUEUE_MAX = 1000
"""Batches that an observer or reader may be behind."""
AGAIN_EVENTS = 1000
"""About so many events are in one of the batches by which observers are told what was before."""
START_S_MAX = 10.0
"""The kernel opens behind it."""
OBSERVE_S_MAX = 60.0
CLOSE_S_MAX = 5.0

_log = logging.getLogger("wingbeat.plugins")


class _Told:
    """An observer, and what it has not been told yet."""

    def __init__(self, name: str, observer: Observer) -> None:
        self.observer, self.circuit = observer, Circuit(f"The observer {name!r}")
        self._calls = Calls(observer, self.circuit.name)
        self.queue: asyncio.Queue[list[Published]] = asyncio.Queue(QUEUE_MAX)
        self.missed = 0
        self._warned = False
        self._since: float | None = None
        """Since when it is being told, by the loop's clock."""

    def variables(self, attempt: str) -> Mapping[str, str]:
        """What it wants the process of an attempt to find in its environment."""
        assert isinstance(self.observer, Propagates)
        try:
            found = self.observer.variables(attempt)
            if all(type(name) is type(value) is str for name, value in found.items()):
                return found
            error = f"{found!r} are no environment variables"
        except BaseException as raised:  # it may raise anything, and no attempt fails for that
            if not is_theirs(raised):
                raise
            error = f"{type(raised).__name__}: {raised}"
        if not self._warned:
            _log.warning("%s gives attempts nothing: %s", self.circuit.name, error)
            self._warned = True
        return {}

    def put(self, events: list[Published]) -> None:
        if self.queue.full():
            self.missed += len(self.queue.get_nowait())
            self.queue.task_done()
        self.queue.put_nowait(events)

    async def start(self) -> bool:
        """Whether it could be started."""
        try:
            await self._calls.ask_within(START_S_MAX, "start")
        except (Exception, SystemExit) as error:  # noqa: BLE001  # it may raise anything, and harms nobody else
            _log.warning("%s cannot be used: %s", self.circuit.name, why(error))
            return False
        return True

    async def drain(self) -> None:
        """Wait until it was told everything, not for long."""
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self.queue.join()
        except TimeoutError:
            hangs = self._since is not None and asyncio.get_running_loop().time() - self._since >= CLOSE_S_MAX
            how = f"did not answer within {CLOSE_S_MAX:g} s" if hangs else "is too slow"
            _log.warning("%s %s: what happened last is not told any more.", self.circuit.name, how)

    async def close(self) -> None:
        """Let it end, if it does."""
        try:
            await self._calls.close(CLOSE_S_MAX)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # it may raise anything, and harms nobody else
            _log.warning("%s did not close: %s", self.circuit.name, why(error))

    async def run(self) -> None:
        """Tell it everything, or that it has missed some: what it was told while it failed too, for nobody knows what it took."""
        while True:
            events = await self.queue.get()
            count, self.missed = self.missed, 0
            told = [Published("", -1, 0.0, MISSED, "", evidence={"events": count}), *events] if count else events
            try:
                async with self.circuit.asked(object(), OBSERVE_S_MAX):
                    self._since = asyncio.get_running_loop().time()
                    await self._calls.ask("observe", told)
            except (Exception, SystemExit) as error:  # noqa: BLE001  # an observer that fails harms nobody else
                self.missed += count + len(events)
                self._failed(error)
            finally:
                self._since = None
                self.queue.task_done()

    def _failed(self, error: BaseException) -> None:
        if not isinstance(error, LeftAlone) and self.circuit.is_told:
            _log.warning("%s failed and misses events: %s", self.circuit.name, why(error))


class Feed:
    """Tells observers (of everything) and subscribers (of one execution)."""

    def __init__(self, observers: Mapping[str, Observer]) -> None:
        self._observers = [_Told(name, observer) for name, observer in observers.items()]
        self._propagating: list[_Told] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.missed = 0

    async def start(self) -> None:
        """Begin to tell. An observer that cannot work is told nothing."""
        started = await asyncio.gather(*(told.start() for told in self._observers))
        self._observers = [told for told, good in zip(self._observers, started, strict=True) if good]
        self._propagating = [told for told in self._observers if isinstance(told.observer, Propagates)]
        self._tasks = [asyncio.create_task(told.run(), name=told.circuit.name) for told in self._observers]

    async def close(self) -> None:
        """Tell what is left, and stop."""
        await asyncio.gather(*(told.drain() for told in self._observers))
        for task in await let_go(self._tasks, CLOSE_S_MAX):
            _log.warning("%s does not end when it is cancelled.", task.get_name())
        await asyncio.gather(*(told.close() for told in self._observers))

    def variables(self, attempt: str) -> dict[str, str]:
        """What the process of an attempt is to find in its environment."""
        found: dict[str, str] = {}
        for told in self._propagating:
            found |= told.variables(attempt)
        return found

    def again(self, lives: Iterable[Live]) -> None:
        """Tell observers of executions that an earlier kernel began and that go on now, before anything else of them."""
        if not self._observers:
            return
        events: list[Published] = []
        for live in lives:
            events += told_again(live.id, live.machine)
            if len(events) >= AGAIN_EVENTS:
                self._tell(events)
                events = []
        if events:
            self._tell(events)

    def subscribe(self, live: Live) -> asyncio.Queue[list[Published]]:
        """A queue of what happens in an execution from now on; an empty list is its end."""
        queue: asyncio.Queue[list[Published]] = asyncio.Queue(QUEUE_MAX)
        live.subscribers.append(queue)
        return queue

    async def follow(
        self,
        live: Live,
        cursor: int,
        read: Callable[[str, int], Awaitable[list[Published]]],
        check_ended: Callable[[Live], None],
        check_running: Callable[[], None],
    ) -> AsyncGenerator[Published, None]:
        """What happened and happens in an execution behind `cursor`, until it has ended.

        Args:
            read: Gives what is in the journal behind a cursor.

            check_ended: Raises if the end that is told is not the execution's.

            check_running: Raises if the engine has stopped.
        """
        queue = self.subscribe(live)
        try:
            for event in await read(live.id, cursor):
                cursor = event.cursor
                yield event
            while True:
                batch = await queue.get()
                if not batch:
                    check_ended(live)
                if (batch[0].cursor if batch else live.cursor) > cursor + 1:  # a full queue has dropped some
                    batch = await read(live.id, cursor) or batch
                for event in batch:
                    if event.cursor > cursor:
                        cursor = event.cursor
                        yield event
                if cursor == live.cursor - 1 and live.ended.is_set():
                    check_ended(live)
                    return
                if not batch:
                    return
        except JournalUnknown:
            check_running()  # else it was closed while it was read
            raise
        finally:
            if queue in live.subscribers:
                live.subscribers.remove(queue)

    def wanted(self, live: Live) -> bool:
        """Whether anybody wants to know what happens in an execution."""
        return bool(self._observers or live.subscribers)

    def publish(self, live: Live, events: list[Published]) -> None:
        """Tell everybody who wants to know."""
        self._tell(events)
        for queue in live.subscribers:
            self._put(queue, events)

    def _tell(self, events: list[Published]) -> None:
        for told in self._observers:
            told.put(events)

    def end(self, live: Live) -> None:
        """There is nothing more to come."""
        for queue in live.subscribers:
            if queue.full():
                queue.get_nowait()
                self.missed += 1
            queue.put_nowait([])
        live.subscribers.clear()

    def _put(self, queue: asyncio.Queue[list[Published]], events: list[Published]) -> None:
        if queue.full():
            queue.get_nowait()
            self.missed += 1
        queue.put_nowait(events)
