"""The logger of an attempt. It is in nobody's hierarchy by name, so nothing is left of it when the attempt has ended."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from wingbeat.runtime import files, logs

if TYPE_CHECKING:
    from wingbeat.runtime.inside import Current

FORMAT = "%(asctime)s %(levelname)s %(message)s"
LOG_BYTES_MAX = 64 * 2**20
_LOOK_BYTES = 2**20


def logger(attempt: Current, *, prints: bool, mask: Callable[[str], str] | None = None) -> logging.Logger:
    """A logger that writes to the log of `attempt`, and then to the handlers that the user has put at the root.

    Args:
        prints: Whether what is printed goes to that log.

        mask: Takes the attempt's secrets out of a text, if it has any.
    """
    made = logging.Logger(f"wingbeat.attempt.{attempt.task}", logging.INFO)  # noqa: LOG001  # not to stay behind by its name
    made.parent = logging.root
    made.addFilter(_Ids(attempt))
    if mask is not None:
        made.addFilter(_Masked(mask))
    handler: logging.Handler = _Printed() if prints else _Written(str(attempt.directory))
    handler.setFormatter(logging.Formatter(FORMAT))
    made.addHandler(handler)
    return made


class _Ids(logging.Filter):
    """Puts the attempt's ids into records."""

    def __init__(self, attempt: Current) -> None:
        super().__init__()
        self._ids = {
            "execution": attempt.execution, "node": attempt.node, "attempt": attempt.attempt, "task": attempt.task,
        }  # fmt: skip

    def filter(self, record: logging.LogRecord) -> bool:
        vars(record).update(self._ids)
        return True


class _Masked(logging.Filter):
    """Takes secrets out of records, whoever handles them."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        super().__init__()
        self._mask = mask

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  # a mistake in a call of the logger must not fail the task
            text = f"{record.msg} {record.args}"
        record.msg, record.args = self._mask(text), None
        if record.exc_info:
            record.exc_text = self._mask(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None  # formatters take the text where there is one
        return True


class _Printed(logging.Handler):
    """Prints to standard error, which is the attempt's log, unless a handler at the root prints the same there."""

    def emit(self, record: logging.LogRecord) -> None:
        for other in logging.root.handlers:
            if getattr(other, "stream", None) in (sys.stderr, sys.stdout) and record.levelno >= other.level:
                return
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001  # as the standard library's own handlers do
            self.handleError(record)


class _Written(logging.Handler):
    """Appends to the log of an attempt that shares its process."""

    def __init__(self, directory: str) -> None:
        super().__init__()
        self._directory = directory
        self._unseen = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            data = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            with open(f"{self._directory}/{files.LOG}", "ab") as file:
                file.write(data)
            self._unseen += len(data)
            if self._unseen > _LOOK_BYTES:
                self._unseen = 0
                with contextlib.suppress(OSError):
                    logs.trim(self._directory, LOG_BYTES_MAX)
        except Exception:  # noqa: BLE001  # as above
            self.handleError(record)
