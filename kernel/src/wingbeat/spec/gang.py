"""Attempts of several processes."""

from __future__ import annotations

import re

from wingbeat.types.model import Strict

MEMBERS_MAX = 256
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")


class RoleSpec(Strict, frozen=True, omit_defaults=True):
    """A role in a gang.

    Attributes:
        name: For example ``worker``.

        count: How many members have it.

        serves: They serve the others and need not end by themselves: they are stopped when all others have succeeded.
    """

    name: str
    count: int = 1
    serves: bool = False


class GangSpec(Strict, frozen=True):
    """An attempt of several processes, all or nothing; each runs the task's function with the same inputs.

    Attributes:
        roles: In order. The outputs are those of the first member of the first role, which therefore does not serve.

    Raises:
        ValueError: There is no such gang.
    """

    roles: tuple[RoleSpec, ...]

    def __post_init__(self) -> None:
        names = [role.name for role in self.roles]
        if wrong := [name for name in names if not _NAME.match(name)]:
            raise ValueError(f"{wrong[0]!r} names no role of a gang; 'worker' would")
        if len(set(names)) < len(names):
            raise ValueError(f"a role is there twice in {', '.join(names)}")
        if any(role.count < 1 for role in self.roles):
            raise ValueError("a role of a gang has at least one member")
        if not self.roles or self.roles[0].serves:
            raise ValueError("the first role of a gang has the outputs, so it does not serve")
        if self.size > MEMBERS_MAX:
            raise ValueError(f"a gang of {self.size} members is over the limit of {MEMBERS_MAX}")

    @property
    def size(self) -> int:
        """How many members it has."""
        return sum(role.count for role in self.roles)
