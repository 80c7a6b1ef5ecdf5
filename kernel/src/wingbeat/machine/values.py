"""Values that a node or the execution needs, put together from what is known. Nothing is loaded: what depends on a stored
value stays a tree, to be read where it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wingbeat.spec.literal import Inline, Literal, LiteralList, LiteralMap, Literals, Picked
from wingbeat.spec.plan import Fixed, FromInput, FromNode, ListOf, MapOf, Part, Source
from wingbeat.types import convert, pick, select

Outputs = Callable[[int], Literals | None]


def resolve(sources: Mapping[str, Source], inputs: Literals, outputs: Outputs) -> Literals:
    """The values of `sources`: `inputs` are the execution's, `outputs` answers with those of a node that has succeeded.

    Raises:
        wingbeat.types.ValueMismatch: There is nothing at a path (a list that is shorter than an index, a missing key).
    """
    return {name: _resolve(source, inputs, outputs) for name, source in sources.items()}


def _resolve(source: Source, inputs: Literals, outputs: Outputs) -> Literal:
    if type(source) is FromNode:
        values = outputs(source.node)
        assert values is not None, "a node was started before its inputs were there"
        return values[source.output]
    if type(source) is Fixed:
        return source.literal
    if type(source) is FromInput:
        return inputs[source.name]
    if type(source) is Part:
        return _part(source, _resolve(source.of, inputs, outputs))
    if type(source) is ListOf:
        items = tuple(_resolve(item, inputs, outputs) for item in source.items)
        if all(type(item) is Inline for item in items):
            return Inline([item.value for item in items])  # type: ignore[union-attr]
        return LiteralList(items)
    assert type(source) is MapOf
    values_by_key = {key: _resolve(item, inputs, outputs) for key, item in source.items.items()}
    if all(type(item) is Inline for item in values_by_key.values()):
        return Inline({key: item.value for key, item in values_by_key.items()})  # type: ignore[union-attr]
    return LiteralMap(values_by_key)


def _part(source: Part, of: Literal) -> Literal:
    if type(of) is not Inline:
        return Picked(of, source.path, source.type, source.target)
    value = pick(of.value, source.type, source.path) if source.path else of.value
    if source.target is not None:
        value = convert(value, select(source.type, source.path) if source.path else source.type, source.target)
    return Inline(value)
