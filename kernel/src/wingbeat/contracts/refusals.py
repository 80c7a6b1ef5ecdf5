"""Refusals: what an `Admin` may keep besides: of what its triggers were to start, what has not started, and why.

An admin that keeps them is a `Refusing` too, and passes the kit `wingbeat.testing.conformance.admin_refusals.RefusalContract`. It
keeps the newest `REFUSED_MAX` of a launch plan, for as long as retention says.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from msgspec import Struct

REFUSED_MAX = 1000
"""So many are kept of a launch plan; the oldest go."""


class Refusal(Struct, frozen=True, omit_defaults=True):
    """An execution that was to be, and is not; or ticks of a schedule in a row that passed while nothing looked at them.

    Attributes:
        id: The id that it would have had; of ticks in a row another one.

        entity: Of what: the version of the launch plan, ``project/domain/name@version``.

        cause: What has started it: ``tick`` and when it was due, an execution, an artifact or a version. See `CAUSE_LABEL`. Of
            ticks in a row ``ticks``, the first one, ``to`` and the last one; of one that passed so, ``missed tick`` and when it was
            due.

        at: When it was due, in epoch seconds; of ticks in a row the last one.

        reason: Why it has not started, for people.
    """

    id: str
    entity: str
    cause: str
    at: float
    reason: str


class RefusalQuery(Struct, frozen=True, omit_defaults=True):
    """Which refusals are listed: those that all that is given selects; the newest first, behind the id `after`.

    Attributes:
        name: Of the launch plan.

        within: Places, as ``project/domain`` with ``*`` for every one, outside of which nothing is known. None: everywhere.
    """

    project: str = ""
    domain: str = ""
    name: str = ""
    after: str = ""
    limit: int = 100
    within: tuple[str, ...] | None = None


class RefusalPage(Struct, frozen=True):
    """A part of a list. `following` continues it, as `after`; empty at its end."""

    items: list[Refusal]
    following: str = ""


@runtime_checkable
class Refusing(Protocol):
    """What an admin can do besides that says what its triggers have not started."""

    async def refusals(self, query: RefusalQuery) -> RefusalPage:
        """What was decided and cannot be launched, now or later; and ticks that were left out as others of their schedule were
        under way, or passed more than a minute ago while nothing looked at them and do not count by the catch-up: those of one
        look and schedule as one. Raises `NotFound` for an `after` that is not there."""


__all__ = ["REFUSED_MAX", "Refusal", "RefusalPage", "RefusalQuery", "Refusing"]
