"""Which attempt this code runs in. What `wingbeat.current` is built on, and all of it that every attempt pays for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wingbeat.runtime.inside import Current
    from wingbeat.runtime.report import Report, Reporter
    from wingbeat.runtime.secrets import Secrets
    from wingbeat.runtime.storageio import StorageIO

DECK_BYTES_MAX = 16 * 2**20


class Here:
    """An attempt, where its code runs.

    Args:
        id: ``execution/node/attempt``.

        directory: The attempt's directory; empty if it has none. It need not exist.

        io: Where values are stored.

        checkpoint: As `wingbeat.contracts.executor.AttemptRequest.checkpoint`, where nobody has looked for it yet.

        tell: Told of every report, instead of somebody who reads the file.

        prints: Whether what is printed goes to the attempt's log.

        shared: Where the attempt's checkpoint is, if not in the directory.

        number: What user code is told the attempt's number is, if not that of its id.

    Attributes:
        current: What user code was given, if it has asked.

        reporter: What it reports through, then.

        secrets: Those of an attempt that declares any.
    """

    __slots__ = (
        "_steps",
        "checkpoint",
        "current",
        "deck_bytes_max",
        "directory",
        "id",
        "io",
        "number",
        "prints",
        "reporter",
        "secrets",
        "shared",
        "task",
        "tell",
    )  # fmt: skip

    def __init__(
        self,
        id: str,
        task: str,
        directory: str,
        io: StorageIO,
        *,
        checkpoint: str | None = None,
        deck_bytes_max: int = DECK_BYTES_MAX,
        tell: Callable[[Here, Report], None] | None = None,
        prints: bool = True,
        shared: str = "",
        number: int | None = None,
    ) -> None:
        self.shared, self.number = shared, number
        self.id, self.task, self.directory, self.io = id, task, directory, io
        self.checkpoint, self.deck_bytes_max, self.tell, self.prints = checkpoint, deck_bytes_max, tell, prints
        self.current: Current | None = None
        self.reporter: Reporter | None = None
        self.secrets: Secrets | None = None
        self._steps: dict[str, Iterator[int]] | None = None

    @property
    def steps(self) -> dict[str, Iterator[int]]:
        """How often each `wingbeat.step` was called, counting on."""
        if self._steps is None:
            self._steps = {}
        return self._steps

    def mask(self, text: str) -> str:
        """The text without values of secrets: whatever the attempt says to somebody goes through this."""
        return text if self.secrets is None else self.secrets.mask.text(text)

    def leave(self) -> Report | None:
        """The user's code has ended: the last of what it reported, if it did."""
        return None if self.reporter is None else self.reporter.leave()


class Seat:
    """The place of an attempt that shares its process with others; many of them ask for nothing, so `Here` is made when it is
    asked for.

    Args:
        make: Makes it out of `of`.

    Attributes:
        taken: What was made.
    """

    __slots__ = ("_make", "_of", "taken")

    def __init__(self, make: Callable[[Any], Here], of: Any) -> None:
        self._make, self._of = make, of
        self.taken: Here | None = None

    def take(self) -> Here:
        """The attempt."""
        if self.taken is None:
            self.taken = self._make(self._of)
        return self.taken


context: ContextVar[Seat | None] = ContextVar("here", default=None)
"""Of an attempt that shares its process with others."""
process: Here | None = None
"""Of the attempt whose process this is: seen from all of its threads, and from processes that it forks."""


def enter(here: Here) -> Here:
    """Have this process be that of an attempt."""
    global process  # noqa: PLW0603  # a process is one attempt's
    process = here
    return here


def found() -> Here | None:
    """The attempt that this code runs in, if it runs in one."""
    seat = context.get()
    return process if seat is None else seat.take()
