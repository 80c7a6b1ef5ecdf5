"""Who holds up the event loop: told from a thread beside it, as nothing in the loop can tell."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Mapping
from types import FrameType

from wingbeat.host.patience import place_of
from wingbeat.host.registry import Plugin, Registry
from wingbeat.runtime.distributions import distribution_of

BLOCKED_S = 10.0
"""A loop that has not turned for so long is told of."""
STOP_S_MAX = 1.0
_LOOKS = 10
"""So often within that time the loop says that it turns, and is looked at."""

_log = logging.getLogger("wingbeat.plugins")


class Watchdog:
    """Tells where the loop stands, by the plugin that it stands in.

    Args:
        plugins: By the package that their code is in.

        blocked_s: A loop that has not turned for so many seconds is told of, once until it turns again.
    """

    def __init__(self, plugins: Mapping[str, Plugin], blocked_s: float = BLOCKED_S) -> None:
        self._plugins, self._blocked_s, self._every_s = plugins, blocked_s, blocked_s / _LOOKS
        self._turned_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch the running loop, which runs in this thread."""
        self._turn(asyncio.get_running_loop())
        watched = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, args=(watched,), name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(STOP_S_MAX)  # its log may not take what it says

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turned_at = time.monotonic()
        self._timer = loop.call_later(self._every_s, self._turn, loop)

    def _watch(self, watched: int) -> None:
        told_of, looked_at = 0.0, time.monotonic()
        while not self._stopped.wait(self._every_s):
            before, looked_at = looked_at, time.monotonic()
            turned_at = self._turned_at
            if told_of and turned_at != told_of:
                _log.warning("The event loop turns again, after %.0f s.", turned_at - told_of)
                told_of = 0.0
            asleep = looked_at - before > self._blocked_s  # so was the whole process: stopped, or starved
            if not told_of and not asleep and looked_at - turned_at > self._blocked_s:
                told_of = turned_at
                frame = sys._current_frames().get(watched)  # noqa: SLF001  # documented
                _log.error("The event loop has not turned for %g s: %s", self._blocked_s, self._stands(frame))

    def _stands(self, innermost: FrameType | None) -> str:
        frame, others = innermost, None
        while frame is not None:
            package = _package(frame)
            if (plugin := self._plugins.get(package)) is not None:
                distribution = distribution_of(plugin.target) if plugin.target else ""
                named = f"{plugin.name!r}{f' ({distribution})' if distribution else ''}"
                return f"the plugin {named} holds it up, in {place_of(frame)}. Nothing else goes on meanwhile."
            if others is None and package not in sys.stdlib_module_names:
                others = frame
            frame = frame.f_back
        found = others or innermost
        return "nobody knows where." if found is None else f"it stands in {place_of(found)}."


def watchdog_of(registry: Registry) -> Watchdog | None:
    """What watches the plugins of others; None where there are none, which nothing has to be paid for."""
    found = {(each.target or each.name).partition(".")[0]: each for each in registry.plugins.values()}
    others = {package: each for package, each in found.items() if not package.startswith("wingbeat")}
    return Watchdog(others) if others else None


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
