"""Engine: what runs executions, seen from outside. The kernel in this process is one; the process that holds the home,
reached through its socket, is another; both behave alike. The kit is `wingbeat.testing.conformance.engine.EngineContract`."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Protocol, runtime_checkable

from msgspec import Meta, Struct

from wingbeat.contracts.catalog import Evicted, Eviction
from wingbeat.contracts.executor import Progress
from wingbeat.contracts.observer import Published
from wingbeat.spec.entities import Closure, ConcurrencySpec, FailurePolicy, PoolSpec
from wingbeat.spec.literal import Literal, Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import AttemptPhase, ExecutionPhase, NodePhase
from wingbeat.types import LiteralType

POOL_LABEL = "wingbeat/pool"
"""Label of an execution with the pool, priority and limit that its launch has asked for; with it, and asking for nothing else,
it is launched again: under the same."""


class Quota(Struct, frozen=True, omit_defaults=True):
    """What an execution may take of what its place has.

    Attributes:
        name: Of the place: executions that are launched under this name count together.

        executions: So many of them are under way at once, and others wait for their turn; before they wait for a limit of their
            own. Children do not count: their parents do. None is any number.

        cpu: More cores no attempt may want.

        memory_bytes: Nor more memory.
    """

    name: str
    executions: Annotated[int, Meta(ge=1)] | None = None
    cpu: float | None = None
    memory_bytes: int | None = None


class LaunchRequest(Struct, frozen=True, omit_defaults=True):
    """An execution to be.

    Attributes:
        closure: What to run; checked.

        inputs: A value for every input of the workflow; defaults are filled in.

        name: The execution's id; makes the launch idempotent. Empty: one is made.

        launch_key: Digest of closure and inputs, by which `resume` finds an execution; the engine works it out where it is empty.

        resume: Take an unfinished execution with the same launch key that nobody waits for, instead of a new one.

        recover: Id of an execution whose results are taken over where nothing changed.

        concurrency: Limit that it is under, in place of the workflow's own: that of a launch plan.

        pool: Of its tasks that want none themselves; also of those that a dynamic workflow names only when it runs.

        priority: Added to that of whatever waits for it: itself, for its limit, and its attempts, for a pool.

        failure_policy: In place of the workflow's own.

        quota: That of its place, whatever else limits it. Its children have it, too.
    """

    closure: Closure
    inputs: Literals
    name: str = ""
    launch_key: str = ""
    resume: bool = False
    recover: str = ""
    labels: dict[str, str] = {}
    concurrency: ConcurrencySpec | None = None
    pool: PoolSpec | None = None
    priority: int = 0
    failure_policy: FailurePolicy | None = None
    quota: Quota | None = None


class LaunchReply(Struct, frozen=True, omit_defaults=True):
    """What came of a launch: the execution's id; whether it is new, or was there already; how many nodes were recovered."""

    id: str
    created: bool = True
    recovered: int = 0


class AttemptView(Struct, frozen=True, omit_defaults=True):
    """One attempt, as it is now. `progress` is what it has last said of itself, if it has; `chosen` what the formulas of its task
    gave, by option."""

    number: int
    phase: AttemptPhase
    queued_at: float
    started_at: float | None = None
    ended_at: float | None = None
    error: ErrorInfo | None = None
    evidence: dict[str, Any] = {}
    progress: Progress | None = None
    chosen: dict[str, float | str] = {}

    @property
    def deck(self) -> str:
        """Path or URI of its page; empty if it has made none."""
        return "" if self.progress is None else self.progress.deck


class GateView(Struct, frozen=True, omit_defaults=True):
    """What answers a gate: its name, and the type of the answer; `approval` is answered by True or False."""

    name: str
    type: LiteralType
    approval: bool = False


class FailedItem(Struct, frozen=True, omit_defaults=True):
    """An item of a map that failed; the reason of the first one that did."""

    item: int
    reason: str = ""


class ItemsView(Struct, frozen=True, omit_defaults=True):
    """The items of a map, counted.

    Attributes:
        cached: Those of `succeeded` whose outputs came from the catalog.

        waiting: Under way, but not running: for a slot, for the catalog's answer, for their next attempt.

        failures: Some of those that failed, in their order.
    """

    total: int
    succeeded: int = 0
    failed: int = 0
    running: int = 0
    cached: int = 0
    waiting: int = 0
    failures: list[FailedItem] = []


class NodeView(Struct, frozen=True, omit_defaults=True):
    """One node, as it is now.

    Attributes:
        name: What the author calls it: ``TASK.override(name=…)``.

        reason: Why it is where it is: what it waits for, why it failed, why the cache was missed.

        source: Attempt or execution that its outputs were taken from, where it did not compute them.

        gate: What answers it, where it is a gate that waits for an answer, or has waited.

        items: Of a map.

        until: When it goes on by itself, or gives up, where it waits for a time: a sleep, a gate with a timeout, a body, a
            node that has another attempt.

        of: What its task was registered with, where it is somebody else's: ``project/domain/name@version``.
    """

    id: str
    task: str
    phase: NodePhase
    attempts: list[AttemptView] = []
    cache: str = "DISABLED"
    reason: str = ""
    source: str = ""
    ended_at: float | None = None
    outputs: Literals | None = None
    gate: GateView | None = None
    items: ItemsView | None = None
    until: float | None = None
    of: str = ""
    name: str = ""

    @property
    def title(self) -> str:
        """What it calls, for people: behind what the author calls it, if that is something."""
        return f"{self.name} ({self.task})" if self.name else self.task

    @property
    def progress(self) -> Progress | None:
        """What its last attempt has said of itself, if it has."""
        return self.attempts[-1].progress if self.attempts else None


class ExecutionView(Struct, frozen=True, omit_defaults=True):
    """One execution, as it is now. Values are literals; `nodes` are in the order of the calls."""

    id: str
    workflow: str
    phase: ExecutionPhase
    created_at: float
    nodes: list[NodeView] = []
    inputs: Literals = {}
    outputs: Literals | None = None
    reason: str = ""
    error: ErrorInfo | None = None
    began_at: float | None = None
    ended_at: float | None = None
    closure: str = ""
    labels: dict[str, str] = {}


class Summary(Struct, frozen=True, omit_defaults=True):
    """One line of a list of executions."""

    id: str
    workflow: str
    phase: ExecutionPhase
    created_at: float
    ended_at: float | None = None
    labels: dict[str, str] = {}


class Change(Struct, frozen=True):
    """That an execution was launched, or its phase has changed: the execution as it is now.

    Attributes:
        number: Later changes, of any execution, have greater numbers.
    """

    number: int
    execution: Summary


class ReuseDecision(enum.StrEnum):
    """What becomes of a node's result when an execution is recovered."""

    REUSED = "REUSED"
    OPEN = "OPEN"
    """It is decided when the node starts."""
    RUNS = "RUNS"
    GONE = "GONE"
    """What would be launched has no such node."""


class NodeReuse(Struct, frozen=True, omit_defaults=True):
    """Whether the result of a node is taken over, and why not, or what it depends on.

    Attributes:
        items: Of a map, how many items there were, and how many of their results are kept for it.
    """

    node: str
    task: str
    decision: ReuseDecision
    reason: str = ""
    items: int | None = None
    kept: int = 0


class RecoveryPlan(Struct, frozen=True, omit_defaults=True):
    """What recovering an execution would do.

    Attributes:
        nodes: Those of what would be launched, in the order of the calls, each followed by what the other execution opened for
            it: what the body of a dynamic workflow called, the nodes of a workflow with an end of its own. Then those that only
            the other execution has.

        more: How many of those that were opened are not listed.
    """

    execution: str
    workflow: str
    nodes: list[NodeReuse] = []
    more: int = 0


class Engine(Protocol):
    """Runs executions. Every call may be repeated."""

    async def launch(self, request: LaunchRequest) -> LaunchReply:
        """Begin an execution. Returns when it is durable.

        Called again: with the same name and content, answers with the execution that is there.
        Raises `ConflictError` (same name, other content), `NotFound` (nothing to recover from), `ConfigurationError` (an
        executor that is not installed; anything else that this engine cannot do: nothing that a workflow asks for is left out in
        silence), `LimitReached` (its limit is, and it is not to wait), `InputError` (a task wants more than the quota has).
        """

    async def recovery_plan(self, request: LaunchRequest) -> RecoveryPlan:
        """What launching this, which recovers another execution, would take over. Launches nothing. Raises `NotFound`."""

    async def wait(self, execution: str) -> ExecutionPhase:
        """Return when the execution has ended, with its terminal phase. Raises `NotFound`, `EngineStopped`."""

    async def describe(self, execution: str, *, nodes: bool = True) -> ExecutionView:
        """The execution as it is now, without its nodes if not wanted. Raises `NotFound`."""

    async def executions(self, *, after: str = "", limit: int = 100) -> list[Summary]:
        """Executions, newest first, continuing behind the id `after`. Raises `NotFound` if there is none of that id."""

    async def closure(self, execution: str) -> Closure:
        """The closure that an execution runs. Raises `NotFound`."""

    async def abort(self, execution: str, reason: str) -> None:
        """Stop an execution. Returns when it has ended. One that has ended already stays as it is. Raises `NotFound`."""

    async def signal(self, execution: str, name: str, value: Literal, id: str) -> None:
        """Answer the gate of that name or node id, or the next one of that name. Returns when the answer is durable.

        Called again: with the same `id` or the same value, changes nothing, also after the execution has ended. Raises `NotFound`,
        and `ConflictError` if it has ended without that answer, or the gate was answered with another value.
        """

    def events(self, execution: str, cursor: int = -1) -> AsyncIterator[Published]:
        """Everything that happened and happens in an execution behind `cursor`, until it has ended. Raises `NotFound`."""

    def changes(self, after: int = 0) -> AsyncIterator[list[Change]]:
        """Executions that were launched, or whose phase has changed, behind the number `after`: what there is, then what comes,
        without an end. In the order of their numbers; several changes of one execution may come as one, the last. An empty list
        says that this was all there is now.

        Who goes on behind the last number that it was told misses no execution and no end.
        Raises `EngineStopped`.
        """

    async def explain_waiting(self, execution: str, node: str = "") -> str:
        """For what a node waits (every one that has not ended, if none is named), as text. Raises `NotFound`."""

    async def explain_cache(self, execution: str, node: str) -> str:
        """Why the node's outputs were or were not taken from the catalog, as text. Raises `NotFound`."""

    async def evict_cache(self, eviction: Eviction) -> Evicted:
        """Remove entries from the catalog, so that what they stand for is computed anew; says how many.

        What runs is not disturbed, and the values stay in storage: executions refer to them.
        Called again: removes what has come since, mostly nothing.
        Raises `InputError` (nothing says which entries), `ConfigurationError` (no catalog, or one for reading only),
        `WingbeatError` (the catalog failed; some may be gone).
        """


@runtime_checkable
class Adjusting(Protocol):
    """What an engine can do besides whose quotas can be changed for what waits already. The kit is
    `wingbeat.testing.conformance.engine_quotas.QuotasContract`."""

    async def quotas_waited_for(self) -> dict[str, int]:
        """Under which quotas executions wait for their turn: by `Quota.name`, how many executions may be under way now."""

    async def change_quotas(self, executions: Mapping[str, int | None]) -> None:
        """So many executions may be under way from now on, by `Quota.name`; None: any number. Who has room now begins; what runs
        goes on. It holds until a launch comes with another quota of that name, or the engine ends: whoever decides on quotas
        says it again then. Called again, or of a name that nobody waits for: nothing happens.
        """


class Vouched(Struct, frozen=True, omit_defaults=True):
    """What an engine says of an attempt that is under way.

    Attributes:
        launched_at: When its execution was launched, in epoch seconds.

        labels: Those of its execution.

        secrets: Names of the secrets that its task declares.
    """

    launched_at: float
    labels: dict[str, str] = {}
    secrets: tuple[str, ...] = ()


@runtime_checkable
class Vouching(Protocol):
    """What an engine can do besides that knows which attempts are under way: whoever issues tokens to them relies on it. The kit is
    `wingbeat.testing.conformance.engine_vouching.VouchingContract`."""

    async def vouch(self, attempt: str) -> Vouched | None:
        """What is known of an attempt that is under way, by its id; None as soon as it has ended or is to be stopped (by an abort,
        a timeout, a failure elsewhere), and of anything else: what holds now, not what was told. Called again: what holds then,
        also after a restart. Raises `EngineStopped`.
        """


class RemoteEngine(Engine, Protocol):
    """An engine that is somewhere else."""

    async def open(self) -> None:
        """Connect. Called once, before anything else. Raises: `ConfigurationError` if nobody answers there.

        Ends: in two minutes, or in as many seconds as the object's attribute `patience_s` says, where it has one; it is closed
        then, and the command fails with its name.
        """

    async def close(self) -> None:
        """Let go of it. What runs goes on. Called last; also without `open`, and again: nothing happens then.

        Ends: in half a minute, after which it is left behind.
        """
