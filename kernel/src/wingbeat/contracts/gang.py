"""Gangs: an attempt of several processes, its members, all or nothing. A capability of an executor (`Capabilities.gangs`).

Every member runs the task's function with the same inputs, inside the same wrappers. What it is and where the others are
stands in the environment variable ``WINGBEAT_GANG`` of its process, as the JSON of `Member`; a wrapper turns that into what
its library wants (``TF_CONFIG``).

- Members start together: when resources for all of them are there, or not at all.
- The attempt succeeds when all members have succeeded that do not serve (`RoleSpec.serves`); those are stopped then. Its outputs
  are those of the first member of the first role; what others return is dropped.
- When one fails, the others are stopped, and the attempt fails with the error that came first. An error of a member that was
  being stopped counts for nothing.
- Cancelling stops all. The end is reported when nothing of any member runs.
- The attempt is adopted as a whole: if one member is lost, all are stopped, and it is lost.
- The checkpoint is one folder, which all members see. The log, the page and the progress of the attempt are those of the first
  member of the first role; the logs of the others are named in the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

VARIABLE = "WINGBEAT_GANG"


class Member(Struct, frozen=True):
    """One process of a gang.

    Attributes:
        role: Its role.

        index: Which of its role it is, from 0.

        addresses: By role, ``host:port`` of each member: where it may listen, and nobody else does.
    """

    role: str
    index: int
    addresses: dict[str, tuple[str, ...]]

    @property
    def first(self) -> bool:
        """Whether the attempt's outputs are those of this one."""
        return self.index == 0 and self.role == next(iter(self.addresses))


def member_of(variables: Mapping[str, str]) -> Member | None:
    """Who the process with these environment variables is; None outside of gangs."""
    said = variables.get(VARIABLE)
    return None if said is None else msgspec.json.decode(said, type=Member)


__all__ = ["VARIABLE", "Member", "member_of"]
