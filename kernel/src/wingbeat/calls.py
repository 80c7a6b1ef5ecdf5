"""Calls of plugins, each of which comes to an end: the door for whoever has plugins of its own, as an admin has its notifiers.

A plugin may raise anything, exit, hang, cancel the call that it is in, and not let itself be cancelled. None of this may hold up,
or end, who has called it. `Calls` makes the calls of one plugin; what goes wrong is told behind the plugin's name (`why`).
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from wingbeat.base.errors import WingbeatError

LET_GO_S_MAX = 10.0
"""So long may a call take to end that is cancelled."""
OWN = frozenset({"wingbeat", "wingbeat_catalog", "wingbeat_telemetry"})
"""Packages whose plugins are known to let go of a call, by their tests: a task for each call of them would cost 60-80 us."""

_log = logging.getLogger("wingbeat.plugins")


class NoAnswer(WingbeatError):
    """A call has ended without an answer: it took too long, has cancelled itself, or was not made. The message is one of `why`."""


def why(error: BaseException) -> str:
    """What went wrong with a call, for people: to be read behind the name of the plugin."""
    return error.message if isinstance(error, NoAnswer) else f"{type(error).__name__}: {error}"


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """As `asyncio.timeout`, for calls of a plugin, which must not end who has called it.

    Raises:
        NoAnswer: They took longer, or one has cancelled itself.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield limit
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise NoAnswer("it has cancelled the call itself") from error
    except (Exception, SystemExit) as error:
        if limit.expired():
            raise NoAnswer(f"it did not answer within {seconds:g} s") from error
        raise


class Watch:
    """Sees to it that calls end in time, with one timer for all of them: to make one for each costs more than most calls do."""

    def __init__(self) -> None:
        self.under_way: list[Within] = []
        self.at = math.inf
        """When it looks, by the clock of the loop."""
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self.at = None, math.inf

    def look_at(self, at: float) -> None:
        """Look then, which is sooner than it would."""
        self.close()
        self._timer, self.at = asyncio.get_running_loop().call_at(at, self._look), at

    def _look(self) -> None:
        self._timer, self.at = None, math.inf
        now = asyncio.get_running_loop().time()
        for one in self.under_way:
            if one.until <= now and not one.late:
                one.late = True
                one.task.cancel()
        if waiting := [one.until for one in self.under_way if not one.late]:
            self.look_at(min(waiting))


class Within:
    """For a ``with`` around calls, as the function `within`, whose end a `Watch` sees to."""

    __slots__ = ("_cancelling", "_seconds", "_watch", "late", "task", "until")

    task: asyncio.Task[Any]
    until: float

    def __init__(self, watch: Watch, seconds: float) -> None:
        self._watch, self._seconds, self.late = watch, seconds, False

    def __enter__(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None, "calls are made within tasks"
        self.task, self._cancelling, self.until = task, task.cancelling(), loop.time() + self._seconds
        self._watch.under_way.append(self)
        if self.until < self._watch.at:
            self._watch.look_at(self.until)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._watch.under_way.remove(self)
        if self.late:
            others = self.task.uncancel() > self._cancelling
            if error is not None and not (others and isinstance(error, asyncio.CancelledError)):
                raise NoAnswer(f"it did not answer within {self._seconds:g} s") from error
        elif kind is asyncio.CancelledError and not self.task.cancelling():
            raise NoAnswer("it has cancelled the call itself") from error


async def let_go(tasks: Collection[asyncio.Task[Any]], seconds: float) -> set[asyncio.Task[Any]]:
    """Cancel tasks, and wait until they have ended.

    Those that have not after `seconds` are given back, and left behind: whoever ends the loop does not wait for them either, as
    `asyncio.run` would for ever.
    """
    for task in tasks:
        task.cancel()
    if not tasks:
        return set()
    try:
        return (await asyncio.wait(tasks, timeout=seconds))[1]
    finally:
        for task in tasks:
            if not task.done():
                asyncio._unregister_task(task)  # noqa: SLF001  # documented, for those who extend asyncio
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  # it was told, by name


class Calls:
    """The calls of one plugin.

    Each is a task of its own, but for plugins that are known to let go. One that is cancelled and does not end is left behind, and
    told once, by name; until it has ended, the plugin is asked for nothing more but to close. So no more are left behind than
    were under way at once.

    Args:
        plugin: What is called.

        name: What it is, for messages: ``The catalog 'sqlite'``.
    """

    def __init__(self, plugin: Any, name: str) -> None:
        self.plugin, self.name = plugin, name
        self._own = type(plugin).__module__.partition(".")[0] in OWN
        self._watch = Watch()
        self._leaving: set[asyncio.Task[None]] = set()
        self._left: set[asyncio.Task[Any]] = set()
        self._kept = ""

    async def ask(self, call: str, *args: Any, **named: Any) -> Any:
        """What a call of it answers, whatever that is. How long it may take is up to the caller: see `within`.

        Raises:
            NoAnswer: It has cancelled itself, an earlier one that was cancelled has not ended, or what it raises is none of these.

            Exception, SystemExit: What it raises.
        """
        if self._own:
            return await getattr(self.plugin, call)(*args, **named)
        if self._kept and call != "close":
            raise NoAnswer(self._kept)
        asked = asyncio.create_task(self._answer(call, args, named), name=f"{self.name}: {call}")
        asked.add_done_callback(_seen)
        try:
            await asyncio.wait((asked,))
        except asyncio.CancelledError:
            await self._leave(asked, call)
            raise
        if asked.cancelled():
            raise NoAnswer("it has cancelled the call itself")
        answer, left = asked.result()
        if isinstance(left, SystemExit):
            raise left
        if left is not None:
            raise NoAnswer(why(left)) from left
        return answer

    async def ask_within(self, seconds: float, call: str, *args: Any, **named: Any) -> Any:
        """The same, in so many seconds. Raises NoAnswer also where it takes longer."""
        with Within(self._watch, seconds):
            if self._own:
                return await getattr(self.plugin, call)(*args, **named)
            return await self.ask(call, *args, **named)

    @property
    def is_quiet(self) -> bool:
        """Whether no call that was cancelled is still to end."""
        return not self._leaving

    async def quiet(self) -> None:
        """Wait until every call that was cancelled has ended, or was left behind."""
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def close(self, seconds: float) -> None:
        """Have it close, behind all calls. Raises as `ask_within`."""
        await self.quiet()
        await self.ask_within(seconds, "close")

    async def _answer(
        self, call: str, args: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[Any, BaseException | None]:
        try:
            return await getattr(self.plugin, call)(*args, **named), None
        except (Exception, asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  # `SystemExit` would end the loop, and others whoever has called
            return None, error

    async def _leave(self, asked: asyncio.Task[Any], call: str) -> None:
        """Cancel a call, and see whether that ends it; also where nobody waits for that any more."""
        if asked.done():
            return
        leaving = asyncio.create_task(self._see(asked, call))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        await asyncio.shield(leaving)

    async def _see(self, asked: asyncio.Task[Any], call: str) -> None:
        if not await let_go((asked,), LET_GO_S_MAX):
            return
        self._left.add(asked)
        asked.add_done_callback(self._ended)
        if not self._kept:
            self._kept = (
                f"it does not let go of a call that was cancelled ({call}), and is asked for nothing until that ends"
            )
            _log.error("%s failed: %s", self.name, self._kept)

    def _ended(self, asked: asyncio.Task[Any]) -> None:
        self._left.discard(asked)
        if not self._left:
            self._kept = ""
            _log.warning("%s has let go of what it was asked, and is asked again.", self.name)


def _seen(asked: asyncio.Task[Any]) -> None:
    """Take what a call has raised that nobody waits for any more: asyncio would complain."""
    if not asked.cancelled():
        asked.exception()


__all__ = ["Calls", "NoAnswer", "Watch", "Within", "let_go", "why", "within"]
