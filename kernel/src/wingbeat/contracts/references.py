"""Who refers to a version: what an `Admin` may know besides, so that whoever changes something knows whom it reaches.

An admin that is a `Referring` too passes the kit `wingbeat.testing.conformance.admin_references.ReferencesContract`. What holds for
the calls of an admin (`wingbeat.contracts.admin`) holds for these. Something refers to a version (``reference("…@v3")``) for
ever, as no version changes: also by way of something else that does. What its owners call from their own code is not told.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from msgspec import Struct

from wingbeat.spec.definition import Kind


class Referrer(Struct, frozen=True, omit_defaults=True):
    """A version that refers to another.

    Attributes:
        id: ``project/domain/name@version``.

        active: Of a launch plan, whether this is the version that triggers start.
    """

    id: str
    kind: Kind
    created_at: float
    active: bool = False


class ReferrerPage(Struct, frozen=True):
    """A part of a list, the newest first. `following` continues it, as `after`; empty at its end.

    Attributes:
        elsewhere: How many more there are, in all, outside of where whoever asks may look.
    """

    items: list[Referrer]
    following: str = ""
    elsewhere: int = 0


@runtime_checkable
class Referring(Protocol):
    """What an admin that knows who refers to what can do besides."""

    async def referrers(
        self, reference: str, *, after: str = "", limit: int = 100, within: tuple[str, ...] | None = None
    ) -> ReferrerPage:
        """Who refers to a version; without one in the reference, to that which `Admin.entity` answers. Of places `within` these,
        ``project/domain`` with ``*`` for every one, they are named; others are counted.

        Raises: `NotFound`, also for an `after` that is not there.
        """
