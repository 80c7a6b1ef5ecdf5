"""Attempts of several processes."""

from __future__ import annotations

from wingbeat.types.model import Strict


class RoleSpec(Strict, frozen=True, omit_defaults=True):
    """A role in a gang.

    Attributes:
        name: For example ``worker``.

        count: How many members have it.

        serves: They serve the others and do not end by themselves: they are stopped when all others have succeeded.
    """

    name: str
    count: int = 1
    serves: bool = False


class GangSpec(Strict, frozen=True):
    """An attempt of several processes, all or nothing; each runs the task's function with the same inputs.

    Attributes:
        roles: In order. The outputs are those of the first member of the first role.
    """

    roles: tuple[RoleSpec, ...]
