"""The observer `log`: every event as a line, for people and for what collects lines."""

from __future__ import annotations

import asyncio
import logging
import logging.handlers
import os
import queue
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.units import parse_size
from wingbeat.builtin.settings import LogSettings
from wingbeat.contracts.observer import MISSED, Published

BATCHES_MAX = 1000
"""Batches of lines that may wait to be written."""
CLOSE_S_MAX = 3.0
_BAD = frozenset({"FAILED", "TIMED_OUT", "RETRYABLE_FAILED"})
_ORDER = ("at", "level", "event", "execution", "node", "attempt", "phase", "task", "cache", "reason")

_log = logging.getLogger("wingbeat.plugins")


class LogObserver:
    """Writes events from a thread, so that neither a full pipe nor a slow disk holds anybody up.

    Args:
        home: The home's folder, to which the file is relative.
    """

    def __init__(self, settings: LogSettings, home: str) -> None:
        self._settings, self._home = settings, home
        self._batches: queue.Queue[list[str] | None] = queue.Queue(BATCHES_MAX)
        self._lines: list[str] = []
        self._dropped = 0
        self._logger = structlog.wrap_logger(
            _Into(self._lines), processors=[structlog.stdlib.add_log_level, _renderer(settings.format)],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO), cache_logger_on_first_use=True,
        )  # fmt: skip
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """See `Observer.start`. Raises ConfigurationError if the file cannot be written."""
        handler = _handler(self._settings, self._home)
        self._thread = threading.Thread(target=self._write, args=(handler,), name="event log", daemon=True)
        self._thread.start()

    async def observe(self, events: list[Published]) -> None:
        """See `Observer.observe`."""
        for event in events:
            self._tell(event)
        if self._dropped:
            self._logger.warning(MISSED, at=_time(0.0), events=self._dropped)
        lines = [*self._lines]
        self._lines.clear()
        try:
            self._batches.put_nowait(lines)
            self._dropped = 0
        except queue.Full:
            self._dropped += len(events)

    async def close(self) -> None:
        """See `Observer.close`."""
        if self._thread is not None:
            await asyncio.to_thread(self._end, self._thread)

    def _tell(self, event: Published) -> None:
        said: dict[str, Any] = {"at": _time(event.at)}
        if event.kind == MISSED:
            self._logger.warning(MISSED, **said, **event.evidence)
            return
        said["execution"] = event.execution
        if event.node:
            said["node"] = event.node
        if event.kind == "attempt" or (event.kind == "node" and event.attempt):
            said["attempt"] = event.attempt
        said["phase"] = str(event.phase)
        said |= {key: value for key in ("task", "cache", "reason") if (value := str(getattr(event, key)))}
        if event.error is not None:
            said["error"] = event.error["code"]
        said |= {key: value for key, value in event.evidence.items() if isinstance(value, str | int | float)}
        if event.again:
            said["again"] = True
        self._logger.log(logging.WARNING if event.phase in _BAD else logging.INFO, event.kind, **said)

    def _write(self, handler: logging.Handler) -> None:
        while (lines := self._batches.get()) is not None:
            for line in lines:
                handler.emit(logging.makeLogRecord({"msg": line}))
        handler.close()

    def _end(self, thread: threading.Thread) -> None:
        try:
            self._batches.put(None, timeout=CLOSE_S_MAX)
        except queue.Full:
            return  # nobody reads them
        thread.join(CLOSE_S_MAX)


class _Into:
    """What structlog hands lines to."""

    def __init__(self, lines: list[str]) -> None:
        self.info = self.warning = lines.append


def _renderer(format: str) -> Any:
    if format == "json":
        return structlog.processors.JSONRenderer(lambda value, **_: msgspec.json.encode(_ordered(value)).decode())
    return structlog.processors.LogfmtRenderer(key_order=_ORDER, drop_missing=True, bool_as_flag=False)


def _ordered(value: dict[str, Any]) -> dict[str, Any]:
    return {key: value[key] for key in _ORDER if key in value} | value


def _time(at: float) -> str:
    return datetime.fromtimestamp(at or time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Quiet:
    """Says once that lines cannot be written."""

    said = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """See `logging.Handler`."""
        if not self.said:
            _log.warning("The log of events cannot be written: %s", sys.exc_info()[1])
        self.said = True


class _Rotating(_Quiet, logging.handlers.RotatingFileHandler):
    pass


class _Stream(_Quiet, logging.StreamHandler[Any]):
    pass


def _handler(settings: LogSettings, home: str) -> logging.Handler:
    if not settings.file:
        return _Stream(sys.stderr)
    path = os.path.join(home, settings.file)
    try:
        size = max(1, parse_size(settings.size_max))  # 0 would be no bound at all
        return _Rotating(path, maxBytes=size, backupCount=settings.keep, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"The log {path} (log.file) cannot be written: {error.strerror or error}.") from error
