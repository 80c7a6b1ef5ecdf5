"""The executable form of a closure: sub-workflows flattened, names resolved to numbers. Made by `wingbeat.compile`.

Nodes are numbered in the order in which a reader meets them: in the order of the calls, a sub-workflow's nodes in the place
of its call. The order is part of the format, because the facts of running executions name nodes by number.
"""

from __future__ import annotations

from msgspec import Struct

from wingbeat.spec.entities import FailurePolicy, Interface, TaskSpec
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


class PlanNode(Struct, gc=False):
    """One task to run.

    Attributes:
        id: Path of call ids from the root, joined by ``.``: ``n2.n0``.

        task: Index into `Plan.tasks`.

        inputs: Where each input comes from; defaults are filled in.

        upstream: Nodes that must have succeeded first.

        downstream: Nodes that wait for this one.
    """

    id: str
    task: int
    inputs: dict[str, Source]
    upstream: tuple[int, ...]
    downstream: list[int]


class Plan(Struct):
    """Everything that the machine needs to know of a closure. Shared by all of its executions; never changed."""

    name: str
    interface: Interface
    nodes: list[PlanNode]
    tasks: list[TaskSpec]
    digests: list[str]
    outputs: dict[str, Source]
    failure_policy: FailurePolicy
    timeout_s: float | None
    index: dict[str, int]
