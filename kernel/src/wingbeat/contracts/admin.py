"""Admin: the inventory of what is registered, and what decides what runs: by a person, or by a trigger.

It launches at an `Engine` under names that it derives, so that a launch that is repeated finds the first. Three are in
`wingbeat-admin`: over SQLite in this process, over HTTP as a server, and the client of that. The kit is
`wingbeat.testing.conformance.admin.AdminContract`. What holds for all calls:

- *Order*: `start` first, then everything else, from many tasks at once; `close` is last, and may come without a `start`.
- *Again*: every call may be repeated: it finds what the first one did.
- *Crash*: what a call returned from is durable. What a trigger is to launch is decided in the transaction that takes note of
  why, and launched at least once, under one name: so exactly once. Whom to tell is decided there too, and told at least once, with
  one id.
- *Cancellation*: at any await. The call took place or it did not.
- *Values* go in and come out in their wire form (`wingbeat.types`); files and directories as they are in storage.
"""

from __future__ import annotations

import enum
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from wingbeat.contracts.engine import LaunchReply
from wingbeat.spec.artifacts import NewestSpec
from wingbeat.spec.definition import Definition, Kind
from wingbeat.spec.entities import Interface
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.triggers import TriggerSpec

ENTITY_LABEL = "wingbeat/entity"
"""Label of an execution: what it is of, ``project/domain/name@version``."""
CAUSE_LABEL = "wingbeat/cause"
"""Label of an execution that a trigger has launched: the execution that fired it, or ``tick`` and when it was due."""
BY_LABEL = "wingbeat/by"
"""Label of an execution: the principal that has launched it, where principals have to prove who they are."""
REQUEST_LABEL = "wingbeat/request"
"""Label of an execution that was launched under a name: a digest of what was sent, by which the same again is known."""
PAGE_MAX = 1000


class Registration(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Definitions that are registered together, or not at all.

    Attributes:
        version: Of all of them; empty takes one from their content.
    """

    project: str
    domain: str
    definitions: tuple[Definition, ...]
    version: str = ""


class Registered(Struct, frozen=True, omit_defaults=True):
    """One of them: ``project/domain/name@version``; whether it is new, or was there already with the same content.

    Attributes:
        warnings: Of a launch plan: why its trigger may never fire, or never cease, as far as that is known now.
    """

    id: str
    kind: Kind
    created: bool
    warnings: tuple[str, ...] = ()


class Entity(Struct, frozen=True, omit_defaults=True):
    """A version of something registered, as it is listed.

    Attributes:
        id: ``project/domain/name@version``.

        digest: Of its content.

        active: Of a launch plan, whether this is the version that triggers start.

        paused: Why its schedule is paused, if it is.

        next: When it is started next by its schedule, in epoch seconds.

        newest: Of a launch plan, inputs that take an artifact where nobody gives them.

        warnings: As `activate` answers: why its trigger may never fire, or never cease.
    """

    id: str
    kind: Kind
    digest: str
    interface: Interface
    created_at: float
    by: str = ""
    doc: str = ""
    active: bool = False
    fixed: dict[str, Any] = {}
    trigger: TriggerSpec | None = None
    paused: str = ""
    next: float | None = None
    newest: dict[str, NewestSpec] = {}
    warnings: tuple[str, ...] = ()


class EntityQuery(Struct, frozen=True, omit_defaults=True):
    """Which entities are listed: those that all that is given selects; behind the id `after`.

    Attributes:
        by: Who has registered them.

        scheduled: Only active versions of launch plans that have a schedule.

        sort: ``created_at``, ``name`` or ``version`` (where numbers count as numbers: v9 is before v10), with ``-`` before it the
            greatest first (`wingbeat.spec.sorts.ENTITY_SORTS`); what is equal by that goes by registration, the same way round.

        within: Places, as ``project/domain`` with ``*`` for every one, outside of which nothing is known. None: everywhere.
    """

    kind: Kind | None = None
    project: str = ""
    domain: str = ""
    name: str = ""
    after: str = ""
    limit: int = 100
    within: tuple[str, ...] | None = None
    version: str = ""
    by: str = ""
    sort: str = "-created_at"
    scheduled: bool = False


class EntityPage(Struct, frozen=True):
    """A part of a list. `following` continues it, as `after`; empty at its end."""

    items: list[Entity]
    following: str = ""


class Launch(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An execution to be.

    Attributes:
        entity: ``project/domain/name@version``; without a version, the active one of a launch plan, the newest of others.

        inputs: Wire values, by name; what has a default may be left out.

        name: The execution's id; makes the launch idempotent. The same again, as it is written, is the same launch; an admin that
            knows it by `REQUEST_LABEL` says so also where it would come to a newer version, or newer artifacts. Empty: one is made.

        labels: For finding it.
    """

    entity: str
    inputs: dict[str, Any] = {}
    name: str = ""
    labels: dict[str, str] = {}


class ExecutionEntry(Struct, frozen=True, omit_defaults=True):
    """An execution in the history.

    Attributes:
        entity: What it is of, if that is registered.

        cause: What has launched it, if that was a trigger: the execution that fired it, or ``tick`` and when it was due.
    """

    id: str
    workflow: str
    phase: ExecutionPhase
    created_at: float
    ended_at: float | None = None
    project: str = ""
    domain: str = ""
    entity: str = ""
    cause: str = ""
    labels: dict[str, str] = {}


class ExecutionQuery(Struct, frozen=True, omit_defaults=True):
    """Which executions are listed: those that all that is given selects, behind `after`.

    Attributes:
        entity: ``project/domain/name``, with or without a version. Of a workflow also what its launch plans of the same project and
            domain have launched, in their versions.

        workflow: Name of the workflow, whether it is registered or not.

        labels: Values of labels; also of those of ours that an entry tells: ``project``, ``domain``, `ENTITY_LABEL`, `CAUSE_LABEL`
            and the like. Another of ours is refused.

        since: In epoch seconds; those that were launched then or later.

        until: Those that were launched before.

        values: Conditions on inputs and outputs: ``inputs.city=sf``, ``outputs.o0>=0.5`` (`wingbeat.spec.valuefilter`). Texts of up
            to 255 characters, numbers, truth values and what is written as a text are looked for; outputs, once it has ended.
            Moments and durations, in ISO 8601, are compared as what they are, not as texts.

        sort: What they are sorted by, with ``-`` before it the greatest first (`wingbeat.spec.sorts.EXECUTION_SORTS`): when they
            were launched (``created_at``), ``name`` and ``version`` of what they are of, ``workflow`` or ``phase``. Or by what some
            do not have, which are not listed then: ``ended_at``, ``duration``, ``by`` (who has launched them), and by one value,
            ``inputs.city``, ``outputs.o0`` or ``labels.team``: numbers before texts. What is equal goes by launch, the same way
            round.

        after: What `ExecutionPage.following` says, or the id of an execution: behind where it is now.

        within: Places, as ``project/domain`` with ``*`` for every one, outside of which nothing is known. None: everywhere.
    """

    project: str = ""
    domain: str = ""
    entity: str = ""
    phase: ExecutionPhase | None = None
    after: str = ""
    limit: int = 100
    workflow: str = ""
    labels: dict[str, str] = {}
    since: float | None = None
    until: float | None = None
    values: tuple[str, ...] = ()
    sort: str = "-created_at"
    within: tuple[str, ...] | None = None


class ExecutionPage(Struct, frozen=True):
    """A part of the history. `following` continues it, as `after`; empty at its end. What stays as it is meanwhile is listed once,
    whatever becomes of others; what changes what it is sorted by moves, and may be met twice, or not."""

    items: list[ExecutionEntry]
    following: str = ""


class NotificationState(enum.StrEnum):
    """What has become of a message."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
    """It was given up."""


class NotificationEntry(Struct, frozen=True, omit_defaults=True):
    """A message to a channel, as it is listed.

    Attributes:
        title: What is told.

        at: When that became true, in epoch seconds; as are all moments here.

        tries: How often it was sent.

        next: When it is sent next, where it waits.

        failed: Why it was not taken, the last time.

        backfill: Which one is over, where that is told and not of an execution, which is empty then.
    """

    id: str
    channel: str
    execution: str
    phase: ExecutionPhase
    title: str
    at: float
    state: NotificationState
    tries: int = 0
    next: float | None = None
    delivered_at: float | None = None
    failed: str = ""
    project: str = ""
    domain: str = ""
    backfill: str = ""


class NotificationQuery(Struct, frozen=True, omit_defaults=True):
    """Which messages are listed: those that all that is given selects; the newest first, behind the id `after`.

    Attributes:
        within: Places, as ``project/domain`` with ``*`` for every one, outside of which nothing is known. None: everywhere.

        id: Of one.
    """

    project: str = ""
    domain: str = ""
    execution: str = ""
    channel: str = ""
    state: NotificationState | None = None
    after: str = ""
    limit: int = 100
    within: tuple[str, ...] | None = None
    id: str = ""


class NotificationPage(Struct, frozen=True):
    """A part of that list. `following` continues it, as `after`; empty at its end."""

    items: list[NotificationEntry]
    following: str = ""


class Admin(Protocol):
    """The control plane of one home, or of many kernels."""

    async def start(self) -> None:
        """Get ready; from now on active launch plans are started by their triggers, where this is the admin that does it.
        What has become due meanwhile is launched when it returns, unless that takes longer than some seconds: so triggers fire
        also where nobody stays, but one command follows another.

        Called once, before anything else. Raises: `ConfigurationError` if it cannot work here.
        Ends: in two minutes, or in as many seconds as the object's attribute `patience_s` says, where it has one; it is closed
        then, and the command that has asked for it fails with its name.
        """

    async def close(self) -> None:
        """Let go of everything. Called last; also without `start`, and again: nothing happens then.

        Ends: in half a minute, after which it is left behind.
        """

    async def register(
        self, registration: Registration, *, by: str = "", within: tuple[str, ...] | None = None
    ) -> list[Registered]:
        """Take up definitions, all or none; in their order. `by` is who does it; what launch plans wait for is looked at `within`
        these places, as of a query.

        Called again: with the same content, answers what is there.
        Raises: `ConflictError`, with what differs, if one of them is there under this version with another content;
        `InputError` for names that are none, for labels of launch plans that are ours (`wingbeat.spec.labels`), and for what
        borrows (`wingbeat.spec.definition.check_borrowed`) what is not there; also, by an admin that looks at it already now, for
        what `activate` would refuse.
        """

    async def entity(self, reference: str) -> Entity:
        """One version; without one in the reference, the active one of a launch plan, the newest of others. Raises `NotFound`."""

    async def definition(self, reference: str) -> Definition:
        """What was registered. Raises `NotFound`."""

    async def entities(self, query: EntityQuery) -> EntityPage:
        """Entities, every version of its own.

        Raises: `NotFound` for an `after` that is not there; `InputError` for a sort that there is not.
        """

    async def activate(self, reference: str, *, by: str = "") -> Entity:
        """Make a version of a launch plan the active one, in the place of another. Its trigger counts from now on.

        What its trigger waits for may still be to come: `Entity.warnings` says so.

        Raises: `NotFound`; `InputError` for what is no launch plan, or whose trigger takes what the other workflow does not give,
        or an input an artifact that is known to be of another type.
        """

    async def deactivate(self, reference: str, *, by: str = "") -> Entity:
        """Have no version of a launch plan be active. Ticks that wait are not launched; what another trigger is to launch is.
        Raises `NotFound`."""

    async def ticks(self, reference: str, after: float, count: int = 10) -> list[float]:
        """When the schedule of a launch plan is due, behind a moment, all in epoch seconds: also of one that is not active.

        Raises: `NotFound`; `InputError` for what has no schedule.
        """

    async def pause(self, reference: str, reason: str, *, by: str = "") -> Entity:
        """Let the ticks of an active launch plan pass without a launch, until `resume`, those that wait too. Without a reason, one
        that it is paused for already stays. Raises as of `ticks`, and `InputError` for one that is not active."""

    async def resume(self, reference: str, *, by: str = "") -> Entity:
        """Let its ticks launch again, those from now on. Raises as of `pause`."""

    async def launch(self, launch: Launch, *, by: str = "") -> LaunchReply:
        """Begin an execution. Returns when it is durable. What it is of is told by its labels: ``project``, ``domain`` and
        `ENTITY_LABEL`; what a trigger launches has `CAUSE_LABEL`, too. Nobody else gives these, or another label that is ours
        (`wingbeat.spec.labels`); not a launch plan either, whenever it was registered.

        Raises: `NotFound`; `InputError` for inputs that are missing, unknown, fixed or of another type, and for labels that are
        ours; `ConflictError` and others as of `Engine.launch`.
        """

    async def executions(self, query: ExecutionQuery) -> ExecutionPage:
        """The history. It may lag behind the engine by a moment; it misses nothing.

        Raises: `NotFound` for an `after` that is not there; `InputError` for a condition that is none, a sort that there is
        not, and an `after` of another sort.
        """


@runtime_checkable
class Notifying(Protocol):
    """What an admin can do besides that tells of executions; one that does not refuses to activate launch plans that want it.
    The kit is `wingbeat.testing.conformance.admin_told.ToldContract`."""

    async def notifications(self, query: NotificationQuery) -> NotificationPage:
        """What was told of executions, and is to be. What is done with is kept for some weeks. Raises `NotFound` for an `after`
        that there is not."""

    async def resend(self, id: str, *, by: str = "") -> NotificationEntry:
        """Send a message again, under its id: one that was given up, or was lost behind its receiver. Raises `NotFound`."""


__all__ = [
    "BY_LABEL",
    "CAUSE_LABEL",
    "ENTITY_LABEL",
    "PAGE_MAX",
    "Admin",
    "Definition",
    "Entity",
    "EntityPage",
    "EntityQuery",
    "ExecutionEntry",
    "ExecutionPage",
    "ExecutionQuery",
    "Kind",
    "Launch",
    "NotificationEntry",
    "NotificationPage",
    "NotificationQuery",
    "NotificationState",
    "Notifying",
    "Registered",
    "Registration",
]  # fmt: skip
