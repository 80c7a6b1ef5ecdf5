"""Environments: where an attempt's Python and packages come from."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from wingbeat.spec.entities import EnvironmentSpec


class ProjectLock(Struct, frozen=True, omit_defaults=True):
    """The environment of tasks that declare none: what the project, or the interpreter that ran it, has installed.

    Attributes:
        python: Version, for example ``3.11.7``.

        interpreter: Path on the machine where it was frozen, used there as it is while it still has this content.

        requirements: Pinned requirement lines, sorted.
    """

    python: str
    interpreter: str = ""
    requirements: tuple[str, ...] = ()


class Interpreter(Struct, frozen=True):
    """A Python that is ready to run attempts.

    Attributes:
        digest: Identity of what is installed in it; part of the identity of a warm parent.

        python: Path of the executable.

        isolated: Built for its environment: nothing of the kernel's own site-packages is on its path.
    """

    digest: str
    python: str
    isolated: bool = True


class Environments(Protocol):
    """Makes environments real. Building is done once for each lock on a machine, and shared by all attempts and homes."""

    async def ensure(self, environment: EnvironmentSpec | None, project_lock: str) -> Interpreter:
        """The interpreter for a task: of its own environment, else of the project's lock (a digest in storage).

        Called when: an attempt is about to start. Called again: answers from the cache, at once.
        Raises `ConfigurationError` for packages that exclude each other (names both), a Python that is not there (lists
        what is), a missing tool.
        """
