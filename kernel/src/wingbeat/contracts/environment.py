"""Environments: where an attempt's Python and packages come from.

A plugin registers a factory (`Registrar.environments`), configuration chooses by `kernel.environments`, and executors that run
attempts on this machine ask for it (`Home.environments`). The kit is
`wingbeat.testing.conformance.environment.EnvironmentsContract`.

Attempts run in these interpreters, so each has Wingbeat itself (the distribution ``wingbeat``, and what that needs) in the version
that runs the kernel, whether an environment names it or not; pins of Wingbeat's own distributions do not count. How it gets there
is up to whoever makes environments: from an index, or, as the one in the box does, in wheels made of what is installed here.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from msgspec import Struct

from wingbeat.spec.entities import EnvironmentSpec

MARK = ".wingbeat-complete"
"""File in an environment, in its ``sys.prefix``, that is built for tasks and whole: processes of attempts hold a shared ``flock``
on it, where there is one, from their start to their end. Whoever removes environments needs an exclusive one."""


class ProjectLock(Struct, frozen=True, omit_defaults=True):
    """The environment of tasks that declare none: what the project, or the interpreter that ran it, has installed.

    It is in the storage of the home, a file with its JSON, and known by the digest of that: whoever makes environments is given
    the digest and reads it, by ``home.storage().read_bytes(Blob(f"{scheme}:{digest}", digest, 0, ""))``.

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
    """Makes environments real. Building is done once for each lock on a machine, and shared by all attempts and homes.

    There is no start and no close. What is half built after a crash or a cancellation is never answered with; it is built anew.
    """

    async def ensure(self, environment: EnvironmentSpec | None, project_lock: str) -> Interpreter:
        """The interpreter for a task: of its own environment, else of the project's lock (a digest in storage).

        Neither: the interpreter that runs this. Equal environments have one interpreter, others another digest.
        Called when: an attempt is about to start; by many attempts at once, of several kernels.
        Called again: answers from the cache, at once, and so does another object; builds anew what somebody has removed.
        Raises: OSError for trouble of the machine, after which it is asked again. `ConfigurationError` for packages that exclude
        each other (names both), a Python that is not there (lists what is), a missing tool, a lock that is not in storage. The
        attempt fails then, and is not retried.
        Ends: in an hour, or in as many seconds as the object's attribute `patience_s` says, where it has one (`math.inf`: it may
        take as long as it likes); it is cancelled then and named, and the attempt fails by the system, which is retried.
        Cancelled: at any await; the next call goes on or begins anew.
        """


class Cleared(Struct, frozen=True):
    """What was removed, or would be: how many environments, and the bytes of their files."""

    environments: int = 0
    size: int = 0


@runtime_checkable
class Clearable(Protocol):
    """What it can do besides that keeps what it has made, and lets go of it. The kit is
    `wingbeat.testing.conformance.environment_clear.ClearContract`."""

    async def clear(self, before: float, *, dry: bool = False) -> Cleared:
        """Remove environments that `ensure` has answered with to nobody, of any kernel, since that moment (epoch seconds), and in
        which no process runs that holds `MARK`; and what a crash has left of others. `dry` only counts.

        Whoever is answered at the same time is answered with one that stays, or that is built anew.
        Called again: nothing is left to remove. Cancelled: at any await; what is half removed is not answered with, and goes the
        next time. Raises: OSError for trouble of the machine.
        """
