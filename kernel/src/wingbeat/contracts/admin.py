"""Admin: the inventory of what is registered, and what decides what runs: by a person, or by a trigger.

It launches at an `Engine` under names that it derives, so that a launch that is repeated finds the first. Three are in
`wingbeat-admin`: over SQLite in this process, over HTTP as a server, and the client of that. The kit is
`wingbeat.testing.conformance.admin.AdminContract`. What holds for all calls:

- *Order*: `start` first, then everything else, from many tasks at once; `close` is last, and may come without a `start`.
- *Again*: every call may be repeated: it finds what the first one did.
- *Crash*: what a call returned from is durable. What a trigger is to launch is decided in the transaction that takes note of
  why, and launched at least once, under one name: so exactly once.
- *Cancellation*: at any await. The call took place or it did not.
- *Values* go in and come out in their wire form (`wingbeat.types`); files and directories as they are in storage.
"""

from __future__ import annotations

import enum
from typing import Any, Protocol

from msgspec import Struct

from wingbeat.base.ids import digest
from wingbeat.contracts.engine import LaunchReply
from wingbeat.spec.codec import canonical
from wingbeat.spec.entities import Closure, Interface, LaunchPlanSpec
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.triggers import TriggerSpec

ENTITY_LABEL = "wingbeat/entity"
"""Label of an execution: what it is of, ``project/domain/name@version``."""
CAUSE_LABEL = "wingbeat/cause"
"""Label of an execution that a trigger has launched: the execution that fired it, or ``tick`` and when it was due."""
PAGE_MAX = 1000


class Kind(enum.StrEnum):
    """What can be registered."""

    TASK = "task"
    WORKFLOW = "workflow"
    LAUNCHPLAN = "launchplan"

    @property
    def label(self) -> str:
        """For people."""
        return "launch plan" if self is Kind.LAUNCHPLAN else self.value


class Definition(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is registered under a name: all that is needed to run it, without its sources.

    Attributes:
        closure: What it runs; with the digests of the code bundle and of the environment.

        plan: Of a launch plan.
    """

    kind: Kind
    name: str
    closure: Closure
    plan: LaunchPlanSpec | None = None

    @property
    def digest(self) -> str:
        """Its identity by content."""
        return digest(canonical([self.kind, self.closure, self.plan]))

    @property
    def interface(self) -> Interface:
        """What is to be given, and what comes out."""
        return self.closure.workflow.interface if self.plan is None else self.plan.interface


class Registration(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Definitions that are registered together, or not at all.

    Attributes:
        version: Of all of them; empty takes one from their content.
    """

    project: str
    domain: str
    definitions: tuple[Definition, ...]
    version: str = ""


class Registered(Struct, frozen=True):
    """One of them: ``project/domain/name@version``; whether it is new, or was there already with the same content."""

    id: str
    kind: Kind
    created: bool


class Entity(Struct, frozen=True, omit_defaults=True):
    """A version of something registered, as it is listed.

    Attributes:
        id: ``project/domain/name@version``.

        digest: Of its content.

        active: Of a launch plan, whether this is the version that triggers start.

        paused: Why its schedule is paused, if it is.

        next: When it is started next by its schedule, in epoch seconds.
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


class EntityQuery(Struct, frozen=True, omit_defaults=True):
    """Which entities are listed: those that all that is given selects; the newest first, behind the id `after`."""

    kind: Kind | None = None
    project: str = ""
    domain: str = ""
    name: str = ""
    after: str = ""
    limit: int = 100


class EntityPage(Struct, frozen=True):
    """A part of a list. `following` continues it, as `after`; empty at its end."""

    items: list[Entity]
    following: str = ""


class Launch(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An execution to be.

    Attributes:
        entity: ``project/domain/name@version``; without a version, the active one of a launch plan, the newest of others.

        inputs: Wire values, by name; what has a default may be left out.

        name: The execution's id; makes the launch idempotent. Empty: one is made.

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
    """Which executions are listed: those that all that is given selects; the newest first, behind the id `after`.

    Attributes:
        entity: ``project/domain/name``, with or without a version.
    """

    project: str = ""
    domain: str = ""
    entity: str = ""
    phase: ExecutionPhase | None = None
    after: str = ""
    limit: int = 100


class ExecutionPage(Struct, frozen=True):
    """A part of the history. `following` continues it, as `after`; empty at its end."""

    items: list[ExecutionEntry]
    following: str = ""


class Admin(Protocol):
    """The control plane of one home, or of many kernels."""

    async def start(self) -> None:
        """Get ready; from now on active launch plans are started by their triggers, where this is the admin that does it.
        What has become due meanwhile is launched when it returns, unless that takes longer than some seconds: so triggers fire
        also where nobody stays, but one command follows another.

        Called once, before anything else. Raises: `ConfigurationError` if it cannot work here.
        """

    async def close(self) -> None:
        """Let go of everything. Called last; also without `start`, and again: nothing happens then."""

    async def register(self, registration: Registration, *, by: str = "") -> list[Registered]:
        """Take up definitions, all or none; in their order. `by` is who does it.

        Called again: with the same content, answers what is there.
        Raises: `ConflictError`, with what differs, if one of them is there under this version with another content;
        `InputError` for names that are none.
        """

    async def entity(self, reference: str) -> Entity:
        """One version; without one in the reference, the active one of a launch plan, the newest of others. Raises `NotFound`."""

    async def definition(self, reference: str) -> Definition:
        """What was registered. Raises `NotFound`."""

    async def entities(self, query: EntityQuery) -> EntityPage:
        """Entities, every version of its own."""

    async def activate(self, reference: str, *, by: str = "") -> Entity:
        """Make a version of a launch plan the active one, in the place of another. Its trigger counts from now on.

        Raises: `NotFound`; `InputError` for what is no launch plan, or whose trigger takes what the other workflow does not give.
        """

    async def deactivate(self, reference: str, *, by: str = "") -> Entity:
        """Have no version of a launch plan be active. What its trigger is to launch already is launched. Raises `NotFound`."""

    async def ticks(self, reference: str, after: float, count: int = 10) -> list[float]:
        """When the schedule of a launch plan is due, behind a moment, all in epoch seconds: also of one that is not active.

        Raises: `NotFound`; `InputError` for what has no schedule.
        """

    async def pause(self, reference: str, reason: str, *, by: str = "") -> Entity:
        """Let the ticks of an active launch plan pass without a launch, until `resume`. Raises as of `ticks`, and `InputError` for
        one that is not active."""

    async def resume(self, reference: str, *, by: str = "") -> Entity:
        """Let its ticks launch again, those from now on. Raises as of `pause`."""

    async def launch(self, launch: Launch, *, by: str = "") -> LaunchReply:
        """Begin an execution. Returns when it is durable. What it is of is told by its labels: ``project``, ``domain`` and
        `ENTITY_LABEL`; what a trigger launches has `CAUSE_LABEL`, too. Nobody else gives these.

        Raises: `NotFound`; `InputError` for inputs that are missing, unknown, fixed or of another type; `ConflictError` and others
        as of `Engine.launch`.
        """

    async def executions(self, query: ExecutionQuery) -> ExecutionPage:
        """The history. It may lag behind the engine by a moment; it misses nothing."""
