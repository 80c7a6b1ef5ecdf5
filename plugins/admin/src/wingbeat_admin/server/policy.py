"""Who may do what where: a function of grants. Nothing here asks anything."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from msgspec import Struct

from wingbeat.base.errors import AccessDenied, WingbeatError
from wingbeat.contracts.access import EVERY, Grant, KeyLimits, Role
from wingbeat_admin.places import covers

_RANK = {role: rank for rank, role in enumerate(Role)}


class Verdict(enum.Enum):
    """`UNSEEN`: it is not even to be told whether there is such a thing."""

    ALLOWED = enum.auto()
    FORBIDDEN = enum.auto()
    UNSEEN = enum.auto()


class Need(Struct, frozen=True):
    """A role in a place, without which something is not done.

    Attributes:
        unknown: What is raised where the project is not to be seen: the same that is said of a thing that is not there.

        what: What it is needed for, where that is not what is asked for itself: ``run eta/production/plan@v1, which …``.
    """

    role: Role
    project: str
    domain: str
    unknown: WingbeatError
    what: str = ""


class Caller(Struct, frozen=True):
    """Whoever asks.

    Attributes:
        name: The principal; empty where nobody has to prove who they are.

        expires_at: When that ends, in epoch seconds.

        limits: How much of the server it may have.

        is_attempt: It is one that is under way, which may do what `ATTEMPTS` of the table names, and nothing else.
    """

    name: str
    grants: tuple[Grant, ...] = ()
    expires_at: float | None = None
    limits: KeyLimits = KeyLimits()
    is_attempt: bool = False

    def check(self, need: Need) -> None:
        """Raise what `need` says, or AccessDenied."""
        match decide(self.grants, need.role, need.project, need.domain):
            case Verdict.UNSEEN:
                raise need.unknown
            case Verdict.FORBIDDEN:
                place = f"{need.project or EVERY}/{need.domain or EVERY}"
                told = f"do this in {place}: it takes the role {need.role}"
                if need.what:
                    told = f"{need.what}: it takes the role {need.role} in {place}"
                raise AccessDenied(
                    f"{self.name} may not {told}.", hint="'wingbeat create grant' gives it, by an admin of that place."
                )

    def places(self, role: Role = Role.VIEWER) -> tuple[str, ...] | None:
        """Where the caller has a role, or more than it; None is everywhere."""
        found = {f"{grant.project}/{grant.domain}" for grant in self.grants if reaches(grant, role)}
        return None if f"{EVERY}/{EVERY}" in found else tuple(sorted(found))

    @property
    def is_mighty(self) -> bool:
        """Whether the caller may do everything, everywhere."""
        return self.places(Role.ADMIN) is None


def decide(grants: Iterable[Grant], role: Role, project: str, domain: str) -> Verdict:
    """Whether grants allow what takes a role in a place; a project is seen by whoever has any role in any domain of it."""
    verdict = Verdict.UNSEEN
    for grant in grants:
        if covers(f"{grant.project}/{grant.domain}", project, domain) and reaches(grant, role):
            return Verdict.ALLOWED
        if grant.project in (EVERY, project):
            verdict = Verdict.FORBIDDEN
    return verdict


def reaches(grant: Grant, role: Role) -> bool:
    """Whether a grant is of a role, or of more."""
    return _RANK[grant.role] >= _RANK[role]


def all_powerful(name: str = "") -> Caller:
    """The owner of the home, and whoever asks where nobody has to prove who they are."""
    return Caller(name, (Grant(name, Role.ADMIN),))
