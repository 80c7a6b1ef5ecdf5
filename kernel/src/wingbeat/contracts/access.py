"""Access: who may do what with an admin, and what was done: what an admin may keep besides. `access_of` gives it.

A *principal* is whoever asks: ``apikey:NAME``, ``user:NAME`` or ``group:NAME``. A *grant* gives a principal a role in a domain of a
project; ``*`` stands for every one. What holds for all calls is what holds for those of `wingbeat.contracts.admin.Admin`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Annotated, Protocol, runtime_checkable

from msgspec import Meta, Struct

from wingbeat.base.errors import ConfigurationError

EVERY = "*"
"""As project or domain of a grant: every one."""
KINDS = ("apikey", "user", "group")
"""Of principals."""
NAME_LENGTH_MAX = 200


class Role(enum.StrEnum):
    """What a principal may do in a place; each may do all that those before it may.

    A viewer reads. A runner launches what is registered, stops and answers it. A developer registers, activates, and runs code that
    is not registered. An admin says who may do what, and reads the audit log.
    """

    VIEWER = "viewer"
    RUNNER = "runner"
    DEVELOPER = "developer"
    ADMIN = "admin"


class Grant(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A role of a principal in a place; in each there is one."""

    principal: str
    role: Role
    project: str = EVERY
    domain: str = EVERY


class KeyLimits(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How much of a server a key may have; None is no limit. What comes then raises `LimitReached`, which says when there is room.

    Attributes:
        requests_per_minute: Requests of any kind, also of those that only ask.

        launches_per_minute: Requests that launch something.
    """

    requests_per_minute: Annotated[int, Meta(ge=1, le=10**6)] | None = None
    launches_per_minute: Annotated[int, Meta(ge=1, le=10**6)] | None = None


class ApiKey(Struct, frozen=True, omit_defaults=True):
    """A key as it is listed; the key itself was shown once.

    Attributes:
        expires_at: From when on it is not taken any more, in epoch seconds.

        grants: What it may do.
    """

    name: str
    created_at: float
    by: str = ""
    expires_at: float | None = None
    grants: list[Grant] = []
    limits: KeyLimits = KeyLimits()


class NewKey(Struct, frozen=True):
    """A key that was just made. Nothing keeps `secret`: who loses it makes another."""

    name: str
    secret: str


class Outcome(enum.StrEnum):
    """What became of something that was asked for: `FAILED` was allowed, and changed nothing."""

    ALLOWED = "allowed"
    DENIED = "denied"
    FAILED = "failed"


class AuditEntry(Struct, frozen=True, omit_defaults=True):
    """Something that was asked for, and would have changed something; or was denied.

    Attributes:
        at: When, in epoch seconds.

        principal: Who: also empty, where that is not known.

        action: What, as ``launch`` or ``grant.create``.

        object: On what.

        address: From where; empty for a process of the home itself.

        request: The id of the request.
    """

    at: float
    principal: str
    action: str
    object: str
    outcome: Outcome
    project: str = ""
    domain: str = ""
    address: str = ""
    request: str = ""
    number: int = 0


class AuditQuery(Struct, frozen=True, omit_defaults=True):
    """Which entries are listed: those that all that is given selects; the newest first, behind (that is, below) the number `after`.

    Attributes:
        within: Places, as ``project/domain`` with ``*`` for every one, to which the entries are limited. None: no limit.
    """

    principal: str = ""
    action: str = ""
    outcome: Outcome | None = None
    project: str = ""
    domain: str = ""
    after: int = 0
    limit: int = 100
    within: tuple[str, ...] | None = None


class AuditPage(Struct, frozen=True):
    """A part of the log. `following` continues it, as `after`; 0 at its end."""

    items: list[AuditEntry]
    following: int = 0


class AuditCheck(Struct, frozen=True, omit_defaults=True):
    """Whether the audit log is as it was written. Each entry has a digest of it and of the digest before it: a chain.

    Attributes:
        wrong: What is not as it was written, in words; empty if everything is.

        newest: The last entry, as ``NUMBER:DIGEST``: kept somewhere else, it proves later that the log up to it was not changed.

        first: Number of the first entry that is in the chain; 0 if none is.

        count: How many are.

        before: How many are from before there was a chain.
    """

    wrong: list[str] = []
    newest: str = ""
    first: int = 0
    count: int = 0
    before: int = 0


class Access(Protocol):
    """The keys, grants and audit log of an admin."""

    async def create_key(
        self,
        name: str,
        grants: list[Grant],
        expires_at: float | None = None,
        *,
        by: str = "",
        limits: KeyLimits = KeyLimits(),
    ) -> NewKey:
        """Make a key, and give it roles: their principal is filled in.

        Called again: raises `ConflictError`, for nothing knows the key any more.
        Raises: `InputError` for what cannot be a name, a role's place or a time that has passed; `NoRoom`.
        """

    async def keys(self) -> list[ApiKey]:
        """All keys, by name."""

    async def delete_key(self, name: str, *, by: str = "") -> None:
        """Have a key not be taken any more, at once, and its grants with it. Raises `NotFound`."""

    async def create_grant(self, grant: Grant, *, by: str = "") -> bool:
        """Give a role, in the place of another one that the principal has there; says whether something has changed.

        Raises: `InputError` for what is no principal or place; `NotFound` for a key that is not there; `NoRoom`.
        """

    async def delete_grant(self, principal: str, project: str, domain: str, *, by: str = "") -> None:
        """Take the role in that place away, at once. Raises `NotFound`."""

    async def grants(self, principal: str = "") -> list[Grant]:
        """All grants, or those of one principal; by principal and place."""

    async def login(self, show: Callable[[str], None], *, device: bool = False, key: str = "") -> str:
        """Have this user prove who they are, and keep what proves it for the next calls to this admin; returns the principal.

        Args:
            show: Told what the user is to do: a line of text.

            device: With any device, and a code that is confirmed there; else with a browser of this machine.

            key: An API key that is kept instead.

        Raises: `ConfigurationError` where nobody is asked; `AccessDenied`; `EngineStopped` if nobody answers.
        """

    async def logout(self) -> bool:
        """Keep nothing of that any more; says whether something was kept."""

    async def audit(self, query: AuditQuery) -> AuditPage:
        """The audit log."""

    async def verify_audit(self, held: str = "") -> AuditCheck:
        """Whether the audit log is as it was written, as far as the file itself can tell; and whether it goes on behind the entry
        `held`, a `newest` of earlier. Raises `InputError` for what is none."""


@runtime_checkable
class Guarded(Protocol):
    """An admin that keeps keys, grants and an audit log. Its kit is `wingbeat.testing.conformance.admin_access.AccessContract`."""

    @property
    def access(self) -> Access:
        """These."""


def access_of(admin: object) -> Access:
    """Those of an admin. Raises ConfigurationError where it keeps none."""
    if not isinstance(admin, Guarded):
        raise ConfigurationError(
            f"{type(admin).__name__} keeps no keys and no roles.", hint="wingbeat config show kernel.admin"
        )
    return admin.access
