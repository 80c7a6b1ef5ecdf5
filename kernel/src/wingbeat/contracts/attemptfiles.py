"""What attempts have written for people: their logs and pages, where an engine can give them to somebody elsewhere.

An engine that cannot is asked by no one: `wingbeat logs` says then where they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

from msgspec import Struct

FILES_MAX = 10_000
"""So many files of an execution are listed; those of the newest attempts, where there are more."""


class AttemptFile(Struct, frozen=True):
    """A file of an attempt's directory.

    Attributes:
        folder: Name of that directory, below the one of its execution: ``NODE.ATTEMPT``.

        name: ``log``, ``deck.html``, ``members/NAME/log``; or ``suspended``, which marks a turn of a body that had to wait.

        size: Bytes that there are now.
    """

    folder: str
    name: str
    size: int


@runtime_checkable
class AttemptFiles(Protocol):
    """What an engine can do besides that has the directories of attempts."""

    async def attempt_files(self, execution: str) -> list[AttemptFile]:
        """The files of an execution. Raises `NotFound`."""

    def read_attempt_file(self, execution: str, file: AttemptFile, offset: int = 0) -> AsyncIterator[bytes]:
        """What there is of a file behind `offset`, in parts. Raises `NotFound`, also for a file that is none of these."""
