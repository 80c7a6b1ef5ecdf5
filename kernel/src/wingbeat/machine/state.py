"""The state of one execution: the fold of its facts, and nothing that cannot be folded again."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.machine.fact import Left, Lined, Reusable
from wingbeat.machine.graph import Graph, is_item, node_of
from wingbeat.spec.chosen import Chosen
from wingbeat.spec.literal import Literal, Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import AttemptPhase, ExecutionPhase, NodePhase
from wingbeat.spec.plan import Plan

PHASES = tuple(NodePhase)
"""Phases of items by the byte that stands for them."""


class AttemptState(Struct, array_like=True, gc=False):
    """One attempt of a node. `error` is why it ended without outputs, `cancel` the cause for which it is to be stopped, `chosen`
    what the formulas of its task gave, `granted` that it has its slots of a pool."""

    phase: AttemptPhase
    queued_at: float
    started_at: float | None = None
    ended_at: float | None = None
    error: ErrorInfo | None = None
    cancel: str = ""
    cancel_reason: str = ""
    evidence: dict[str, Any] | None = None
    number: int = 0
    chosen: Chosen | None = None
    granted: bool = False


class NodeState(Struct, array_like=True, gc=False):
    """One node, or one item of a map that is under way.

    Attributes:
        attempts: Those that matter: of a dynamic workflow without the turns after which its body was suspended.

        turns: How many of those there were.

        stop: The cause for which a node without a process of its own is to be stopped.
    """

    phase: NodePhase = NodePhase.NOT_STARTED
    attempts: list[AttemptState] = []
    user_failures: int = 0
    system_failures: int = 0
    retry_at: float | None = None
    outputs: Literals | None = None
    cache: str = ""
    cache_reason: str = ""
    reason: str = ""
    source: str = ""
    publish: bool = False
    ended_at: float | None = None
    began_at: float | None = None
    turns: int = 0
    stop: str = ""
    arm: int = -1

    @property
    def next_attempt(self) -> int:
        """The number of the next attempt."""
        return self.turns + len(self.attempts)

    @property
    def open_attempt(self) -> AttemptState | None:
        """The attempt that has not ended."""
        if self.attempts:
            last = self.attempts[-1]
            if last.ended_at is None:
                return last
        return None

    @property
    def first_queued_at(self) -> float | None:
        """When it was first to run."""
        return self.began_at if self.began_at is not None else self.attempts[0].queued_at if self.attempts else None


class Scope(Struct, array_like=True):
    """The execution itself, or a workflow within it that runs for a node: the item of a map, a call of a dynamic workflow.

    Attributes:
        live: Nodes with something under way that has to end before the scope can.

        retrying: Nodes between attempts.

        remaining: How many nodes have not ended.
    """

    remaining: int
    phase: ExecutionPhase = ExecutionPhase.QUEUED
    parent: int = -1
    key: str = ""
    template: str = ""
    handler_of: int = -1
    handler: int = -1
    inputs: Literals = {}
    live: set[int] = set()
    retrying: set[int] = set()
    began_at: float | None = None
    ended_at: float | None = None
    reason: str = ""
    error: ErrorInfo | None = None
    outputs: Literals | None = None
    prefix: str = ""


class MapState(Struct, array_like=True):
    """A map, a byte and an output for each item.

    Attributes:
        upto: So many items have been started: the first ones, unless other maps feed it.

        looking: Started items for which the catalog has not answered.

        outputs: By output, of each item.
    """

    total: int
    phases: bytearray
    outputs: dict[str, list[Literal | None]]
    upto: int = 0
    looking: set[int] = set()
    live: set[int] = set()
    retrying: set[int] = set()
    succeeded: int = 0
    failed: int = 0
    cached: int = 0
    first_error: ErrorInfo | None = None
    first_failed: int = -1

    @property
    def active(self) -> int:
        """How many items are under way."""
        return len(self.looking) + len(self.live) + len(self.retrying)


class BodyState(Struct, array_like=True):
    """The body of a dynamic workflow.

    Attributes:
        calls: Scope by key of the call.

        open: Scopes that have not ended.

        history: Scopes that have ended (whole numbers) and times that were waited for (floats), in that order: what the body is
            told, in that order, whenever it is run again.

        seen: How much of the history the last turn was given.

        suspended: Whether the body waits, without a process.

        ended: Whether it has returned or failed, while what it left under way is being stopped.

        kept: Of a body that failed by itself and is tried again: scope by key of the calls that have succeeded so far. It is told
            nothing of what it has called before, but what it calls again in the same way has its result at once.

        began_at: When that try began; None of the first.
    """

    calls: dict[str, int] = {}
    open: set[int] = set()
    history: list[int | float] = []
    seen: int = 0
    suspended: bool = False
    wake_at: float | None = None
    ended: bool = False
    outputs: Literals | None = None
    error: ErrorInfo | None = None
    evidence: dict[str, Any] | None = None
    kept: dict[str, int] = {}
    began_at: float | None = None


class State(Struct, array_like=True):
    """One execution.

    Attributes:
        waits: For each node, how many upstream nodes have not succeeded yet.

        scopes: The execution itself, then what it opened.

        items: Items of maps that are under way, or whose outputs are on their way to the catalog.

        publishing: Nodes and items whose outputs are on their way to the catalog.

        gates: Gates that wait.

        signals: Signals that no gate has taken yet, by name.

        answered: Ids of all signals.

        reusable: What may be taken over from the execution `source`.

        left: Nodes of earlier executions whose checkpoints are gone on with, by id.

        lined: Since when and for which limit it waits to begin, and with what it will.

        moved: What nodes of the workflow are called in `source`, where that is another id; empty where they stand for none.
    """

    nodes: list[NodeState]
    waits: list[int]
    scopes: list[Scope]
    seed: int = 0
    items: dict[int, NodeState] = {}
    maps: dict[int, MapState] = {}
    bodies: dict[int, BodyState] = {}
    publishing: set[int] = set()
    gates: set[int] = set()
    signals: dict[str, Literal] = {}
    answered: set[str] = set()
    reusable: dict[str, Reusable] = {}
    source: str = ""
    left: dict[str, Left] = {}
    lined: Lined | None = None
    moved: dict[str, str] = {}

    @property
    def phase(self) -> ExecutionPhase:
        """Of the execution."""
        return self.scopes[0].phase

    @property
    def error(self) -> ErrorInfo | None:
        """Why the execution fails."""
        return self.scopes[0].error

    @property
    def reason(self) -> str:
        """Why the execution is in its phase."""
        return self.scopes[0].reason

    @property
    def outputs(self) -> Literals | None:
        """Of the execution."""
        return self.scopes[0].outputs

    @property
    def began_at(self) -> float | None:
        """When the execution began."""
        return self.scopes[0].began_at

    @property
    def ended_at(self) -> float | None:
        """When it ended."""
        return self.scopes[0].ended_at

    @property
    def remaining(self) -> int:
        """How many nodes of the plan have not ended."""
        return self.scopes[0].remaining

    @property
    def live(self) -> set[int]:
        """Every node and item, of all scopes, with something under way."""
        return set().union(*(s.live for s in self.scopes), *(m.live for m in self.maps.values()))

    @property
    def retrying(self) -> set[int]:
        """Every node and item, of all scopes, that is between attempts."""
        return set().union(*(s.retrying for s in self.scopes), *(m.retrying for m in self.maps.values()))

    def node(self, address: int) -> NodeState:
        """A node, or an item that is under way. Raises KeyError for an item that is not."""
        return self.nodes[address] if address < len(self.nodes) else self.items[address]

    def seen(self, address: int) -> NodeState | None:
        """A node, or an item that is under way; None for one that is not."""
        return self.nodes[address] if address < len(self.nodes) else self.items.get(address)

    def under_way(self, graph: Graph, address: int) -> tuple[set[int], set[int]]:
        """Where it is noted that a node or item is live, and that it is between attempts."""
        if is_item(address):
            mapping = self.maps[node_of(address)]
            return mapping.live, mapping.retrying
        scope = self.scopes[graph.scope_of(address)]
        return scope.live, scope.retrying


def initial(plan: Plan) -> State:
    """Before anything happened."""
    count = len(plan.nodes)
    return State(nodes=[NodeState() for _ in range(count)], waits=waits(plan), scopes=[Scope(remaining=count)])


def waits(plan: Plan) -> list[int]:
    """For each node, for how many others it waits; the branch that decides over it is one."""
    if plan.plain:
        return [len(node.upstream) for node in plan.nodes]
    return [len(node.upstream) + (node.arm is not None) for node in plan.nodes]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)


def encode_state(state: State) -> bytes:
    """As a snapshot."""
    return _encoder.encode(state)


def decode_state(data: bytes) -> State:
    """From a snapshot."""
    return _decoder.decode(data)


def graph_of(graph: Graph, state: State) -> Graph:
    """Add to a new graph what a state from a snapshot says was opened."""
    for scope in state.scopes[1:]:
        plan = graph.template(scope.parent, scope.template, scope.handler_of)
        graph.open(plan, scope.prefix, scope.parent, scope.key, scope.handler_of)
    return graph
