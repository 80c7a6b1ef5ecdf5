"""Tasks and workflows as declared: Structs only, from here on nothing knows Python functions.

Identity is content: the digest of the canonical JSON (see `wingbeat.spec.codec`). Everything here is immutable, and every
field that is added later must have a default, so that documents of every released format version stay readable.
"""

from __future__ import annotations

import enum
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from wingbeat.types import LiteralType

FORMAT = 1
"""Version of the wire format, raised when a reader of the old one could misread the new one."""


class Variable(Struct, frozen=True, omit_defaults=True):
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


class Interface(Struct, frozen=True, omit_defaults=True):
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


class RetrySpec(Struct, frozen=True, omit_defaults=True):
    """How user errors are retried: `count` times, the n-th after ``delay_s * factor**n``, at most `delay_s_max`.

    `jitter` is the share of the delay that is random. `on` names error codes that are retried; empty means every one.
    """

    count: int = 0
    delay_s: float = 0.0
    factor: float = 2.0
    delay_s_max: float = 300.0
    jitter: float = 0.1
    on: tuple[str, ...] = ()


class TimeoutSpec(Struct, frozen=True, omit_defaults=True):
    """Bounds in seconds: one attempt's run, one attempt's wait for its start, and all attempts together. None is no bound."""

    run_s: float | None = None
    queue_s: float | None = None
    total_s: float | None = None


class CacheSpec(Struct, frozen=True, omit_defaults=True):
    """That the outputs may be reused for equal inputs.

    Attributes:
        version: Part of the key: what the author gave, or derived from the code.

        derived: Whether `version` was derived from the code.

        ignore: Inputs that are not part of the key.

        serialize: Run the same work once when it is asked for twice at the same time.

        ttl_s: Seconds after which an entry counts as missing. None keeps it.
    """

    version: str
    derived: bool = False
    ignore: tuple[str, ...] = ()
    serialize: bool = True
    ttl_s: float | None = None


class ResourceSpec(Struct, frozen=True, omit_defaults=True):
    """What an attempt may use: cores, bytes of memory. None leaves it to the executor."""

    cpu: float | None = None
    memory_bytes: int | None = None


class EnvironmentSpec(Struct, frozen=True, omit_defaults=True):
    """The Python environment of a task: packages and requirement lines, and which Python. Both empty: the project's own."""

    packages: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    python: str = ""


class WrapperSpec(Struct, frozen=True, omit_defaults=True):
    """A wrapper entered inside the attempt's process before the function is called.

    Attributes:
        name: What it is called in messages, for example ``spark``.

        target: ``module:attribute`` of a `wingbeat.contracts.wrapper.Wrapper` class, imported in the attempt's process.

        config: Its configuration, as it understands it.
    """

    name: str
    target: str
    config: dict[str, Any] = {}


class Entry(Struct, frozen=True):
    """Where the function is, inside the code bundle."""

    module: str
    function: str


class Isolation(enum.StrEnum):
    """How an attempt's process comes to be: forked from a warm parent, or started fresh."""

    FORK = "fork"
    SPAWN = "spawn"


class TaskSpec(Struct, frozen=True, omit_defaults=True, tag_field="entity", tag="task"):
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


class Promise(Struct, frozen=True, omit_defaults=True, tag_field="is", tag="promise"):
    """The output of a node, or (with an empty `node`) an input of the workflow; or what stands at `path` inside it."""

    node: str = ""
    output: str = "o0"
    path: tuple[str | int, ...] = ()


class Constant(Struct, frozen=True, tag_field="is", tag="value"):
    """A value written by the author, in the wire form of the variable it is bound to."""

    value: Any


class ListBinding(Struct, frozen=True, tag_field="is", tag="list"):
    """A list put together from bindings."""

    items: tuple[Binding, ...]


class MapBinding(Struct, frozen=True, tag_field="is", tag="map"):
    """A dictionary with string keys put together from bindings."""

    items: dict[str, Binding]


Binding = Promise | Constant | ListBinding | MapBinding
"""Where the value of an input comes from: the edges of the graph."""


class NodeSpec(Struct, frozen=True, omit_defaults=True):
    """One call of a task or workflow inside a workflow.

    Attributes:
        id: Unique in the workflow; ``n0``, ``n1``, … in the order of the calls.

        call: Index into `WorkflowSpec.calls`.

        inputs: One binding for each input that is not left at its default.

        after: Nodes that must have succeeded first though no data flows.
    """

    id: str
    call: int = 0
    inputs: dict[str, Binding] = {}
    after: tuple[str, ...] = ()


class FailurePolicy(enum.StrEnum):
    """What happens to the rest when a node fails."""

    FAIL_IMMEDIATELY = "FAIL_IMMEDIATELY"
    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE = "FAIL_AFTER_EXECUTABLE_NODES_COMPLETE"


class WorkflowSpec(Struct, frozen=True, omit_defaults=True, tag_field="entity", tag="workflow"):
    """A composition of nodes with an interface of its own.

    Attributes:
        calls: Digests of the tasks and workflows that the nodes call.

        outputs: One binding for each output of the interface.
    """

    name: str
    interface: Interface
    calls: tuple[str, ...] = ()
    nodes: tuple[NodeSpec, ...] = ()
    outputs: dict[str, Binding] = {}
    failure_policy: FailurePolicy = FailurePolicy.FAIL_IMMEDIATELY
    timeout_s: float | None = None
    doc: str = ""


Entity = TaskSpec | WorkflowSpec


class Closure(Struct, frozen=True, omit_defaults=True):
    """A workflow with everything that it reaches: what is registered, launched and sent between processes.

    Attributes:
        root: Digest of the workflow to run.

        entities: By digest: the root and every task and workflow reachable from it.

        bundle: Digest of the code bundle that holds the functions; empty where the code is at hand.

        environment: Digest of the project's environment lock; empty for tasks that all declare their own.
    """

    root: str
    entities: dict[str, Entity]
    bundle: str = ""
    environment: str = ""
    format: int = FORMAT

    @property
    def workflow(self) -> WorkflowSpec:
        """The workflow at the root."""
        root = self.entities[self.root]
        assert isinstance(root, WorkflowSpec)
        return root


__all__ = [
    "FORMAT", "UNSET", "Binding", "CacheSpec", "Closure", "Constant", "Entity", "Entry", "EnvironmentSpec", "FailurePolicy",
    "Interface", "Isolation", "ListBinding", "MapBinding", "NodeSpec", "Promise", "ResourceSpec", "RetrySpec", "TaskSpec",
    "TimeoutSpec", "UnsetType", "Variable", "WorkflowSpec", "WrapperSpec",
]  # fmt: skip
