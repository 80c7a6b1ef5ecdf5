"""Gangs: an attempt of several processes, its members, all or nothing. A capability of an executor (`Capabilities.gangs`).

Every member runs the task's function with the same inputs, inside the same wrappers. What it is and where the others are
stands in the environment variable ``WINGBEAT_GANG`` of its process, as the JSON of `Member`, and is what wrappers are given
(`wingbeat.contracts.wrapper.AttemptInfo.member`); a wrapper turns that into what its library wants (``TF_CONFIG``).

Start
    Members start together: when resources for all of them are there, or not at all. No member calls the function before all
    of them have a process. The resources that the task asks for are those of one member; the attempt takes as many times
    of them as there are members.
Success
    A member has succeeded when its function has returned and its outcome is written, however its process ends after that. The
    attempt succeeds when all members have that do not serve (`RoleSpec.serves`); those that serve are stopped then. A serving
    one that ends well before is fine. The outputs are those of the first member of the first role; what others return is
    dropped without being stored.
Failure
    When a member fails, also one that serves, the others are stopped, and the attempt fails with the error that came first. An
    error of a member that was being stopped counts for nothing. The next attempt runs all members anew.
Stopping
    Of a member: asked to end (SIGTERM), and killed after a grace. Cancelling stops all. The end is reported when nothing of any
    member runs.
Adoption
    As a whole: an attempt of which a part is lost is stopped, and lost.
Files
    The checkpoint is one folder, which all members see. The log, the page, the progress and the directory of the attempt are
    those of the first member; the others have a log and a directory of their own.
Evidence
    ``members``: by name (`Member.name`) how each ended (as for an attempt: ``exit_code`` or ``signal``, ...), ``log``, and
    ``stopped`` where it was; ``member``: the name of the one that failed first.
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

        addresses: By role, in the order of the roles, ``host:port`` of each member: where it may listen, and no other gang
            does. They are the same for all members, and for as long as the attempt runs.
    """

    role: str
    index: int
    addresses: dict[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """What it is called: ``worker-0``."""
        return f"{self.role}-{self.index}"

    @property
    def address(self) -> str:
        """Its own."""
        return self.addresses[self.role][self.index]

    @property
    def first(self) -> bool:
        """Whether the attempt's outputs are those of this one."""
        return self.index == 0 and self.role == next(iter(self.addresses))


def member_of(variables: Mapping[str, str]) -> Member | None:
    """Who the process with these environment variables is; None outside of gangs."""
    said = variables.get(VARIABLE)
    return None if said is None else msgspec.json.decode(said, type=Member)


__all__ = ["VARIABLE", "Member", "member_of"]
