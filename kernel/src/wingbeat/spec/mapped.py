"""The interface of a call that is made for each item of lists."""

from __future__ import annotations

from msgspec import UNSET

from wingbeat.spec.entities import Interface, MapSpec, Variable
from wingbeat.types import ListType, LiteralType, Simple, UnionType

_NONE = Simple("none")


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
    if type_ == _NONE:
        return type_
    if isinstance(type_, UnionType):
        return type_ if _NONE in type_.variants else UnionType((*type_.variants, _NONE))
    return UnionType((type_, _NONE))
