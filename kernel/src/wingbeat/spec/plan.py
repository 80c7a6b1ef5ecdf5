"""The executable form of a closure: sub-workflows flattened, names resolved to numbers. Made by `wingbeat.compile`.

Nodes are numbered in the order in which a reader meets them: in the order of the calls, a sub-workflow's nodes in the place
of its call. The order is part of the format, because the facts of running executions name nodes by number.
"""

from __future__ import annotations

from msgspec import Struct

from wingbeat.spec.entities import (
    Borrowed,
    BranchSpec,
    Condition,
    FailurePolicy,
    GateSpec,
    Interface,
    LaunchPlanSpec,
    MapSpec,
    TaskSpec,
)
from wingbeat.spec.literal import Literal
from wingbeat.types import LiteralType


class FromInput(Struct, frozen=True, gc=False):
    """The value of an input of the execution."""

    name: str


class FromNode(Struct, frozen=True, gc=False):
    """The value of an output of a node."""

    node: int
    output: str


class Fixed(Struct, frozen=True, gc=False):
    """A value known when it was compiled."""

    literal: Literal


class ListOf(Struct, frozen=True, gc=False):
    """A list of values."""

    items: tuple[Source, ...]


class MapOf(Struct, frozen=True, gc=False):
    """A map of values."""

    items: dict[str, Source]


class Part(Struct, frozen=True, gc=False):
    """What stands at `path` inside a value of literal type `type`, converted to `target` if that is set."""

    of: Source
    path: tuple[str | int, ...]
    type: LiteralType
    target: LiteralType | None = None


Source = FromInput | FromNode | Fixed | ListOf | MapOf | Part
"""Where a value comes from when the execution runs."""


class MapKind(Struct, frozen=True, gc=False):
    """A call for each item of lists. What is called for an item: the node's task, or else `plan`.

    Attributes:
        fed: Lists that are outputs of other maps, which are consumed in no other way: items may start one by one, as theirs end.

        feeds: The nodes that this map feeds like that.
    """

    spec: MapSpec
    outputs: tuple[str, ...]
    plan: Plan | None = None
    child: ChildKind | None = None
    fed: dict[str, tuple[int, str]] = {}
    feeds: list[int] = []


class BranchKind(Struct, gc=False):
    """One of several arms. `members`: by arm, the nodes that have to end for the branch to end; `inside`: with those of
    branches within. `outputs`: by arm, where its outputs come from."""

    spec: BranchSpec
    conditions: tuple[Condition | None, ...]
    outputs: list[dict[str, Source]]
    members: list[list[int]]
    inside: list[list[int]]


class GateKind(Struct, frozen=True, gc=False):
    """A wait."""

    spec: GateSpec


class ScopeKind(Struct, frozen=True, gc=False):
    """A workflow that keeps its own failure policy or failure handler, and so is not flattened."""

    plan: Plan


class ChildKind(Struct, frozen=True, gc=False):
    """An execution of its own."""

    launchplan: LaunchPlanSpec
    digest: str


Kind = MapKind | BranchKind | GateKind | ScopeKind | ChildKind


class PlanNode(Struct, gc=False):
    """Something to run.

    Attributes:
        id: Path of call ids from the root, joined by ``.``: ``n2.n0``.

        task: Index into `Plan.tasks`; -1 where no task is called.

        inputs: Where each input comes from; defaults are filled in.

        upstream: Nodes that must have succeeded first.

        downstream: Nodes that wait for this one.

        kind: What it is, where it is not simply a task.

        arm: The branch node and the arm that it belongs to.

        name: What the author calls it, where people look at it.
    """

    id: str
    task: int
    inputs: dict[str, Source]
    upstream: tuple[int, ...]
    downstream: list[int]
    kind: Kind | None = None
    arm: tuple[int, int] | None = None
    name: str = ""


class Plan(Struct):
    """Everything that the machine needs to know of a workflow. Shared by all of its executions; never changed."""

    name: str
    interface: Interface
    nodes: list[PlanNode]
    tasks: list[TaskSpec]
    digests: list[str]
    outputs: dict[str, Source]
    failure_policy: FailurePolicy
    timeout_s: float | None
    index: dict[str, int]
    plain: bool = True
    """Whether every node is simply a task."""
    handler: Plan | None = None
    """What runs when it has failed or was aborted."""
    borrowed: dict[int, Borrowed] = {}
    """By index, tasks whose functions are elsewhere."""
    changed: frozenset[int] = frozenset()
    """Those of them that are called with other options than they were registered with."""
