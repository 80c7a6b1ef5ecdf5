"""What goes into a node and what comes out, whatever kind it is."""

from __future__ import annotations

from wingbeat.spec.entities import (
    UNSET,
    BranchSpec,
    Closure,
    GateSpec,
    Interface,
    MapSpec,
    NodeSpec,
    Variable,
    WorkflowSpec,
)
from wingbeat.types import ListType, LiteralType, Simple, UnionType

NONE = Simple("none")


def node_interface(closure: Closure, workflow: WorkflowSpec, node: NodeSpec) -> Interface:
    """The interface of a node of `workflow`."""
    if node.kind is None:
        return closure.entities[workflow.calls[node.call]].interface
    if isinstance(node.kind, BranchSpec | GateSpec):
        return node.kind.interface
    return mapped(closure.entities[workflow.calls[node.call]].interface, node.kind)


def mapped(interface: Interface, spec: MapSpec) -> Interface:
    """The interface of a map over a call with `interface`."""
    return Interface(
        tuple(Variable(v.name, ListType(v.type), UNSET, v.doc) if v.name in spec.over else v for v in interface.inputs),
        tuple(
            Variable(v.name, ListType(optional(v.type) if spec.tolerant else v.type), doc=v.doc)
            for v in interface.outputs
        ),
    )


def optional(type_: LiteralType) -> LiteralType:
    """The type, or none."""
    if type_ == NONE:
        return type_
    if isinstance(type_, UnionType):
        return type_ if NONE in type_.variants else UnionType((*type_.variants, NONE))
    return UnionType((type_, NONE))
