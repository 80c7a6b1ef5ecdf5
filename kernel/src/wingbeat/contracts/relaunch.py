"""Executions that are run again, by their ids: what an `Admin` may do besides.

It knows what an execution was given and what it ran, so nobody has to bring either: who asks needs neither the code nor the values.
An admin that is a `Relaunching` too passes the kit `wingbeat.testing.conformance.admin_relaunch.RelaunchContract`. What holds for
the calls of an admin (`wingbeat.contracts.admin`) holds for these.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from msgspec import Struct

from wingbeat.contracts.engine import LaunchReply, RecoveryPlan


class Relaunch(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An execution to be, with the inputs of another one.

    Attributes:
        execution: Id of the other one.

        entity: What is to run, if that is another version: ``project/domain/name@version``; without a version, the active one of a
            launch plan, the newest of others. It takes the inputs of the same names. Empty: what the other one has run, exactly.

        name: Id of the new execution; makes the call idempotent. Empty: one is made.

        recover: Take over what has succeeded, where nothing changed.

        resume: Of a recovery: go on with an unfinished one of the same execution and version that nobody waits for, if any is.
    """

    execution: str
    entity: str = ""
    name: str = ""
    recover: bool = False
    resume: bool = False


@runtime_checkable
class Relaunching(Protocol):
    """What an admin that runs executions again can do besides."""

    async def relaunch(self, relaunch: Relaunch, *, by: str = "") -> LaunchReply:
        """Begin it. Returns when it is durable. It has the labels of the other one that are not ours, and is told to be of what
        the other one was of, or of `Relaunch.entity`, as if `Admin.launch` had launched that.

        Raises: `NotFound`; `InputError` for inputs that are missing, or of another type; `ConflictError` if what is to be recovered
        is under way, or the name is taken; others as of `Engine.launch`.
        """

    async def recovery(self, relaunch: Relaunch) -> RecoveryPlan:
        """What recovering would take over, and why not the rest; `name` and the like are not looked at. Launches nothing. Raises
        `NotFound`, `InputError`."""
