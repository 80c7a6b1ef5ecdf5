"""Tasks and workflows as declared: Structs only, from here on nothing knows Python functions.

Identity is content: the digest of the canonical JSON (see `wingbeat.spec.codec`). Everything here is immutable, and every
field that is added later must have a default, so that documents of every released format version stay readable.
"""

from __future__ import annotations

import enum
import math
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from wingbeat.spec.artifacts import NewestSpec, PublishSpec
from wingbeat.spec.container import ContainerSpec
from wingbeat.spec.gang import GangSpec
from wingbeat.spec.mention import Mention
from wingbeat.spec.notifications import RULES_MAX, NotifySpec
from wingbeat.spec.policies import CacheSpec, ConcurrencySpec, PoolSpec, ResourceSpec, RetrySpec, TimeoutSpec
from wingbeat.spec.secrets import SecretSpec
from wingbeat.spec.triggers import TriggerSpec
from wingbeat.types import LiteralType
from wingbeat.types.model import Strict

FORMAT = 1
"""Version of the wire format, raised when a reader of the old one could misread the new one."""
FORMAT_BORROWING = 2
"""That of closures with borrowed tasks: who does not know them would look for their functions in the wrong bundle."""


class Variable(Strict, frozen=True, omit_defaults=True):
    """One input or output.

    Attributes:
        name: As the author wrote it; outputs without a name are ``o0``, ``o1``, ….

        type: What values it takes.

        default: Wire form of the default; unset where the input is required.

        doc: What the author says about it.
    """

    name: str
    type: LiteralType
    default: Any = UNSET
    doc: str = ""

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is UNSET


class Interface(Strict, frozen=True, omit_defaults=True):
    """What goes in and what comes out, in order."""

    inputs: tuple[Variable, ...] = ()
    outputs: tuple[Variable, ...] = ()

    def input(self, name: str) -> Variable | None:
        """The input of that name."""
        for variable in self.inputs:  # asked once for each call and each promise: a generator takes three times as long
            if variable.name == name:
                return variable
        return None

    def output(self, name: str) -> Variable | None:
        """The output of that name."""
        for variable in self.outputs:
            if variable.name == name:
                return variable
        return None


class EnvironmentSpec(Strict, frozen=True, omit_defaults=True):
    """The Python environment of a task: packages and requirement lines, and which Python. Both empty: the project's own."""

    packages: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    python: str = ""


class WrapperSpec(Strict, frozen=True, omit_defaults=True):
    """A wrapper entered inside the attempt's process before the function is called.

    Attributes:
        name: What it is called in messages, for example ``spark``.

        target: ``module:attribute`` of a `wingbeat.contracts.wrapper.Wrapper` class, imported in the attempt's process.

        config: Its configuration, as it understands it.
    """

    name: str
    target: str
    config: dict[str, Any] = {}


class Entry(Strict, frozen=True):
    """Where the function is, inside the code bundle."""

    module: str
    function: str


class StoredDefinition(Strict, frozen=True):
    """Where the definition of what somebody else has registered is stored, as canonical JSON."""

    uri: str
    digest: str
    size: int


class Isolation(enum.StrEnum):
    """How an attempt's process comes to be: forked from a warm parent, or started fresh."""

    FORK = "fork"
    SPAWN = "spawn"


class TaskSpec(Strict, frozen=True, omit_defaults=True, tag_field="entity", tag="task"):
    """The smallest versioned unit of work.

    Attributes:
        name: ``module.function``.

        code: Digest of the function and of the project code that it reaches; changes of anything else leave it alone.

        executor: Name of the executor that runs it; empty is the configured default.
    """

    name: str
    interface: Interface
    entry: Entry
    code: str = ""
    doc: str = ""
    retry: RetrySpec = RetrySpec()
    timeout: TimeoutSpec = TimeoutSpec()
    cache: CacheSpec | None = None
    resources: ResourceSpec = ResourceSpec()
    environment: EnvironmentSpec | None = None
    isolation: Isolation = Isolation.FORK
    wrappers: tuple[WrapperSpec, ...] = ()
    variables: dict[str, str] = {}
    executor: str = ""
    pool: PoolSpec | None = None
    dynamic: bool = False
    """Whether the function is the body of a dynamic workflow: what it awaits are nodes."""
    body: str = ""
    mentions: tuple[Mention, ...] = ()
    """Of a body: digest of its own code, without that of the tasks that it names; and these, also those of workflows."""
    formulas: Formulas = {}
    """For options that depend on the call, in the place of the value above."""
    container: ContainerSpec | None = None
    gang: GangSpec | None = None
    secrets: tuple[SecretSpec, ...] = ()
    references: dict[str, StoredDefinition] = {}
    """Of a body: what it names of what others have registered, by the ids."""


class FailurePolicy(enum.StrEnum):
    """What happens to the rest when a node fails."""

    FAIL_IMMEDIATELY = "FAIL_IMMEDIATELY"
    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE = "FAIL_AFTER_EXECUTABLE_NODES_COMPLETE"


class LaunchPlanSpec(Strict, frozen=True, omit_defaults=True, tag_field="entity", tag="launchplan"):
    """A way to launch a workflow as an execution of its own.

    Attributes:
        workflow: Digest of the workflow.

        interface: What is still to be given, with the plan's defaults, and the workflow's outputs.

        fixed: Wire forms of the inputs that nobody can change.

        concurrency: Limit of its executions, in place of the workflow's own.

        trigger: What starts it, while it is active.

        pool: Of the tasks of its executions that want none themselves.

        priority: Added to that of whatever waits for its executions: themselves, for their limit, and their attempts, for a pool.

        failure_policy: Of its executions, in place of the workflow's own.

        retention_days: How long its executions are kept once they have ended; None leaves it to the settings.

        notifications: Who is told of its executions.
    """

    name: str
    workflow: str
    interface: Interface
    fixed: dict[str, Any] = {}
    labels: dict[str, str] = {}
    doc: str = ""
    concurrency: ConcurrencySpec | None = None
    trigger: TriggerSpec | None = None
    newest: dict[str, NewestSpec] = {}
    """Inputs that take an artifact, where nobody gives them."""
    pool: PoolSpec | None = None
    priority: int = 0
    failure_policy: FailurePolicy | None = None
    retention_days: Annotated[int, Meta(ge=1)] | None = None
    notifications: Annotated[tuple[NotifySpec, ...], Meta(max_length=RULES_MAX)] = ()

    @property
    def calls(self) -> tuple[str, ...]:
        """Digests of what it refers to."""
        return (self.workflow,)


class Promise(Strict, frozen=True, omit_defaults=True, tag_field="is", tag="promise"):
    """The output of a node, or (with an empty `node`) an input of the workflow; or what stands at `path` inside it."""

    node: str = ""
    output: str = "o0"
    path: tuple[str | int, ...] = ()


class Constant(Strict, frozen=True, tag_field="is", tag="value"):
    """A value written by the author, in the wire form of the variable it is bound to."""

    value: Any


class ListBinding(Strict, frozen=True, tag_field="is", tag="list"):
    """A list put together from bindings."""

    items: tuple[Binding, ...]


class MapBinding(Strict, frozen=True, tag_field="is", tag="map"):
    """A dictionary with string keys put together from bindings."""

    items: dict[str, Binding]


Binding = Promise | Constant | ListBinding | MapBinding
"""Where the value of an input comes from: the edges of the graph."""


class MapSpec(Strict, frozen=True, omit_defaults=True, tag_field="kind", tag="map"):
    """The call is made once for each item of lists of equal length.

    Attributes:
        over: Inputs that are given as lists, an item for each call; the others are the same in every call.

        concurrency: How many items are under way at once; None leaves it to the executor.

        min_successes: So many items have to succeed; with either bound, outputs of failed items are None.

        min_success_ratio: This share of the items has to succeed.
    """

    over: tuple[str, ...]
    concurrency: int | None = None
    min_successes: int | None = None
    min_success_ratio: float | None = None

    @property
    def tolerant(self) -> bool:
        """Whether an item may fail."""
        return self.min_successes is not None or self.min_success_ratio is not None

    def needed(self, total: int) -> int:
        """How many of `total` items have to succeed; that may be more than there are."""
        if not self.tolerant:
            return total
        share = math.ceil((self.min_success_ratio or 0.0) * total - 1e-9)  # 100 items at 0.07 are 7, not 8
        return max(self.min_successes or 0, share)


class Value(Strict, frozen=True, tag_field="is", tag="value"):
    """A constant in a condition, in wire form."""

    value: Any


class Input(Strict, frozen=True, tag_field="is", tag="input"):
    """An input of the branch node, by name."""

    name: str


Operand = Value | Input


class Compare(Strict, frozen=True, omit_defaults=True, tag_field="is", tag="compare"):
    """``left op right``; `op` is eq, ne, lt, le, gt or ge.

    `by` is what the wire forms are read as before they are compared: numbers (those that JSON does not have are texts),
    moments or spans; ``plain`` compares them as they are.
    """

    op: Literal["eq", "ne", "lt", "le", "gt", "ge"]
    left: Operand
    right: Operand
    by: Literal["plain", "number", "datetime", "timedelta"] = "plain"


class AllOf(Strict, frozen=True, tag_field="is", tag="all"):
    """Every one of the conditions holds."""

    conditions: tuple[Condition, ...]


class AnyOf(Strict, frozen=True, tag_field="is", tag="any"):
    """At least one of the conditions holds."""

    conditions: tuple[Condition, ...]


class Not(Strict, frozen=True, tag_field="is", tag="not"):
    """The condition does not hold."""

    condition: Condition


Condition = Compare | AllOf | AnyOf | Not | Input
"""What decides over a branch; an input alone has to be a bool."""


class Case(Strict, frozen=True, omit_defaults=True):
    """One arm of a branch: taken where `when` is the first that holds; None always does. `outputs`: what it gives."""

    when: Condition | None = None
    outputs: dict[str, Binding] = {}


class BranchSpec(Strict, frozen=True, omit_defaults=True, tag_field="kind", tag="branch"):
    """One of several arms is run; the nodes of the others are skipped. Nodes say by `NodeSpec.arm` where they belong."""

    interface: Interface
    cases: tuple[Case, ...]


class GateSpec(Strict, frozen=True, omit_defaults=True, tag_field="kind", tag="gate"):
    """A wait for a person, for a value or for time; holds no process.

    Attributes:
        gate: ``approve``: True lets its input `value` through, False fails. ``input``: the value that is given. What lets a
            value through has an output only if it has an input `value`.
            ``sleep``: lets `value` through when its input `duration`, a timedelta, is over.

        name: What a signal is sent to.

        timeout_s: Seconds after which it fails.
    """

    gate: Literal["approve", "input", "sleep"]
    name: str
    interface: Interface
    timeout_s: float | None = None


class Number(Strict, frozen=True, tag_field="is", tag="number"):
    """A number in a formula."""

    value: int | float


class Text(Strict, frozen=True, tag_field="is", tag="text"):
    """A text in a formula, to be compared with another."""

    value: str


class Given(Strict, frozen=True, tag_field="is", tag="given"):
    """What the engine knows of a call: how many attempts have failed (``attempt``), and of the error of the last of them its
    code and its kind; both are empty before the first."""

    what: Literal["attempt", "error.code", "error.kind"]


class FormulaInput(Strict, frozen=True, omit_defaults=True, tag_field="is", tag="input"):
    """An input of the call, or what stands at `path` in it: its value, how many elements it has, or how large it is."""

    name: str
    path: tuple[str | int, ...] = ()
    measure: Literal["value", "length", "bytes"] = "value"


class Operation(Strict, frozen=True, tag_field="is", tag="operation"):
    """``operands[0] op operands[1]``; not and neg have one operand, where(condition, then, otherwise) has three."""

    op: Literal[
        "add", "sub", "mul", "div", "floordiv", "mod", "pow", "neg", "min", "max",
        "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "where",
    ]  # fmt: skip
    operands: tuple[Formula, ...]


Formula = Number | Text | Given | FormulaInput | Operation
"""A number that depends on the call, for an option of its attempts."""

FORMULA_DEPTH_MAX = 20

Formulas = dict[str, Formula]
"""By the option that they decide, as `wingbeat.spec.chosen` names them: ``resources.memory_bytes``."""


class Arm(Strict, frozen=True):
    """A node belongs to a case of a branch."""

    branch: str
    case: int


class OverrideSpec(Strict, frozen=True, omit_defaults=True):
    """What one call changes of its task."""

    name: str = ""
    retry: RetrySpec | None = None
    timeout: TimeoutSpec | None = None
    resources: ResourceSpec | None = None
    cache: CacheSpec | None = None
    uncached: bool = False
    executor: str | None = None
    variables: dict[str, str] | None = None
    pool: PoolSpec | None = None
    formulas: Formulas = {}
    secrets: tuple[SecretSpec, ...] | None = None


class NodeSpec(Strict, frozen=True, omit_defaults=True):
    """One call of a task or workflow inside a workflow.

    Attributes:
        id: Unique in the workflow; ``n0``, ``n1``, … in the order of the calls.

        call: Index into `WorkflowSpec.calls`; -1 for branches and gates, which call nothing.

        inputs: One binding for each input that is not left at its default.

        after: Nodes that must have succeeded first though no data flows.

        kind: What it is, where it is no plain call.

        arm: The case of the branch that has to be taken for it to run.
    """

    id: str
    call: int = 0
    inputs: dict[str, Binding] = {}
    after: tuple[str, ...] = ()
    kind: MapSpec | BranchSpec | GateSpec | None = None
    arm: Arm | None = None
    override: OverrideSpec | None = None


class WorkflowSpec(Strict, frozen=True, omit_defaults=True, tag_field="entity", tag="workflow"):
    """A composition of nodes with an interface of its own.

    Attributes:
        calls: Digests of the tasks and workflows that the nodes call.

        outputs: One binding for each output of the interface.

        failure_policy: None: nobody has said it. It fails immediately then, unless it is launched otherwise.
    """

    name: str
    interface: Interface
    calls: tuple[str, ...] = ()
    nodes: tuple[NodeSpec, ...] = ()
    outputs: dict[str, Binding] = {}
    failure_policy: FailurePolicy | None = None
    timeout_s: float | None = None
    doc: str = ""
    on_failure: int | None = None
    """Index into `calls`: what runs when the workflow has failed or was aborted, before that becomes final. It is given those
    inputs of the workflow that it has too, and an input ``error`` where it has one."""
    concurrency: ConcurrencySpec | None = None
    """Limit of its executions. It is for those alone: a workflow that is called in another one is part of that one's."""
    publishes: dict[str, PublishSpec] = {}
    """Outputs that become artifacts. Those of its executions alone, too."""


Entity = TaskSpec | WorkflowSpec | LaunchPlanSpec


class Borrowed(Strict, frozen=True, omit_defaults=True):
    """Where the function of a task is that somebody else has registered.

    Attributes:
        of: What it came with: ``project/domain/name@version``.

        bundle: Digest of the code bundle that holds it.

        environment: Digest of the environment lock for it, where it declares no environment.
    """

    of: str
    bundle: str = ""
    environment: str = ""


class Closure(Struct, frozen=True, omit_defaults=True):
    """A workflow with everything that it reaches: what is registered, launched and sent between processes.

    Attributes:
        root: Digest of the workflow to run.

        entities: By digest: the root and every task and workflow reachable from it.

        bundle: Digest of the code bundle that holds the functions; empty where the code is at hand.

        environment: Digest of the project's environment lock; empty for tasks that all declare their own.

        borrowed: By digest, tasks of `entities` that somebody else has registered: their functions are elsewhere.
    """

    root: str
    entities: dict[str, Entity]
    bundle: str = ""
    environment: str = ""
    format: int = FORMAT
    borrowed: dict[str, Borrowed] = {}

    @property
    def workflow(self) -> WorkflowSpec:
        """The workflow at the root."""
        root = self.entities[self.root]
        assert isinstance(root, WorkflowSpec)
        return root


__all__ = [
    "FORMAT",
    "FORMAT_BORROWING",
    "UNSET",
    "AllOf",
    "AnyOf",
    "Arm",
    "Binding",
    "Borrowed",
    "BranchSpec",
    "CacheSpec",
    "Case",
    "Closure",
    "Compare",
    "ConcurrencySpec",
    "Condition",
    "Constant",
    "Entity",
    "Entry",
    "EnvironmentSpec",
    "FailurePolicy",
    "Formula",
    "FormulaInput",
    "Formulas",
    "GateSpec",
    "Given",
    "Input",
    "Interface",
    "Isolation",
    "LaunchPlanSpec",
    "ListBinding",
    "MapBinding",
    "MapSpec",
    "NewestSpec",
    "NodeSpec",
    "Not",
    "NotifySpec",
    "Number",
    "Operand",
    "Operation",
    "OverrideSpec",
    "PoolSpec",
    "Promise",
    "PublishSpec",
    "ResourceSpec",
    "RetrySpec",
    "SecretSpec",
    "StoredDefinition",
    "TaskSpec",
    "Text",
    "TimeoutSpec",
    "UnsetType",
    "Value",
    "Variable",
    "WorkflowSpec",
    "WrapperSpec",
]  # fmt: skip
