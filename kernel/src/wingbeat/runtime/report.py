"""The file ``report`` of an attempt: how far it is, and whether it has a page. Written over by each report, so it is as long as
one of them; whoever wants to know looks into it. It is there only if user code has reported something.

It comes out of the user's process, so it is read as what comes from outside: bounded, checked, without control characters.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.contracts.executor import Progress
from wingbeat.runtime import files

REPORT_S = 0.1
"""In the long run an attempt's reports leave its process no closer together than this."""
BURST = 10
"""So many may leave it at once after a while without."""
TEXT_CHARS_MAX = 200
_REPORT_BYTES_MAX = 4096


class Report(Struct, frozen=True, omit_defaults=True):
    """What an attempt has said of itself. `at` is when it said how far it is, in epoch seconds; 0 if it did not."""

    fraction: float | None = None
    text: str = ""
    at: float = 0.0
    deck: bool = False


_decode = msgspec.json.Decoder(Report).decode


NOTHING = Report()


class Reporter:
    """The reports of one attempt, on their way out.

    Args:
        directory: The attempt's; empty if it has none.

        tell: Told of each report that leaves, besides the file.

        mask: Takes secrets out of texts.
    """

    def __init__(
        self, directory: str, tell: Callable[[Report], None] | None = None, mask: Callable[[str], str] = str
    ) -> None:
        self._directory, self._tell, self._mask = directory, tell, mask
        self._last = self._written = NOTHING
        self._filled_at, self._budget = time.monotonic(), float(BURST)

    def progress(self, fraction: float, text: str) -> None:
        """Report how far it is, now or a little later."""
        self._last = Report(fraction_of(fraction), text_of(self._mask(text)), time.time(), self._last.deck)
        now = time.monotonic()
        self._budget = min(self._budget + (now - self._filled_at) / REPORT_S, BURST)
        self._filled_at = now
        if self._budget >= 1:
            self._budget -= 1
            self._write()

    def has_deck(self) -> None:
        """Report that there is a page."""
        if not self._last.deck:
            self._last = Report(self._last.fraction, self._last.text, self._last.at, deck=True)
            self._write()

    def leave(self) -> Report | None:
        """The end has come: write what was kept back. Answers with the last report, if there was one."""
        if self._last != self._written:
            self._write()
        return None if self._last == NOTHING else self._last

    def _write(self) -> None:
        """Whoever follows the attempt may see less of it, but a report never fails a task."""
        self._written = self._last
        if self._directory:
            with contextlib.suppress(OSError):
                os.makedirs(self._directory, exist_ok=True)
                write(self._directory, self._last)
        if self._tell is not None:
            self._tell(self._last)


def write(directory: str, report: Report) -> None:
    """Raises OSError."""
    files.write_atomic(directory, files.REPORT, msgspec.json.encode(report))


def read(directory: str) -> Report | None:
    """The report of an attempt; None if it has made none, or none that can be read."""
    try:
        data = files.read_file(directory, files.REPORT, bytes_max=_REPORT_BYTES_MAX)
        return None if data is None else _checked(_decode(data))
    except (OSError, ValueError):
        return None


def progress_of(report: Report, directory: str) -> Progress:
    """A report as it is told to the engine."""
    deck = f"{directory}/{files.DECK}" if report.deck else ""
    return Progress(report.fraction, report.text, report.at, deck)


def evidence_of(progress: Progress) -> dict[str, Any]:
    """What stays of it in the evidence of an attempt that has ended."""
    found: dict[str, Any] = {}
    if progress.at:
        found["progress"] = {"fraction": progress.fraction, "text": progress.text, "at": progress.at}
    if progress.deck:
        found["deck"] = progress.deck
    return found


def fraction_of(value: float) -> float:
    """As it is reported: from 0 to 1, and no finer than anybody can see. Raises ValueError for what is no number."""
    if value != value:  # noqa: PLR0124  # the only number that is not itself
        raise ValueError("progress(fraction) is a number from 0 to 1, not nan")
    return round(min(max(float(value), 0.0), 1.0), 4)


def text_of(text: str) -> str:
    """As it is reported: one line of what can be printed."""
    line = " ".join(text[: 4 * TEXT_CHARS_MAX].split())
    return "".join(c if c.isprintable() else "\ufffd" for c in line[:TEXT_CHARS_MAX])


def _checked(report: Report) -> Report:
    fraction = None if report.fraction is None else fraction_of(report.fraction)
    at = min(max(report.at, 0.0), time.time())
    return Report(fraction, text_of(report.text), at, report.deck)
