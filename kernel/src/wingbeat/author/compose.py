"""Tracing: a workflow's body is called once with promises, and what it calls becomes nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from wingbeat.author.promise import Node, Promised, Several
from wingbeat.base.errors import CompileError
from wingbeat.spec.entities import Binding, Constant, ListBinding, MapBinding, NodeSpec, Promise
from wingbeat.types import BlobIO, ValueMismatch, describe

if TYPE_CHECKING:
    from wingbeat.author.signature import Signature
    from wingbeat.author.source import Location


class Callee(Protocol):
    """What can be called in a workflow's body: a task or a workflow."""

    name: str

    @property
    def signature(self) -> Signature: ...


class Composer:
    """One workflow's body while it is traced.

    Attributes:
        nodes: The calls so far.

        callees: What they call, without repetition, in the order of first use.

        locations: The user's line of each node.
    """

    def __init__(self, name: str, io: BlobIO) -> None:
        self.name, self.io = name, io
        self.nodes: list[NodeSpec] = []
        self.callees: list[Callee] = []
        self.locations: dict[str, Location] = {}
        self._index: dict[int, int] = {}
        self._after: dict[str, list[str]] = {}

    def input(self, name: str) -> Promised:
        """The promise of an input of the workflow."""
        return Promised(self, "", name)

    def call(self, callee: Callee, args: Sequence[Any], kwargs: Mapping[str, Any], where: Location) -> Node | None:
        """Record a call; gives the promise of its output or outputs."""
        signature = callee.signature
        given = self._arguments(callee, args, kwargs, where)
        inputs = {name: self._bind(callee, name, value, where) for name, value in given.items()}
        node = f"n{len(self.nodes)}"
        index = self._index.get(id(callee))
        if index is None:
            index = self._index[id(callee)] = len(self.callees)
            self.callees.append(callee)
        self.nodes.append(NodeSpec(id=node, call=index, inputs=inputs))
        self.locations[node] = where
        outputs = signature.outputs
        if not outputs:
            return Node(self, node)
        if not signature.named:
            return Promised(self, node, outputs[0].name)
        return Several(self, node, tuple(o.name for o in outputs))

    def order(self, node: str, others: list[str]) -> None:
        """Note that `node` runs after `others`."""
        self._after.setdefault(node, []).extend(o for o in others if o)

    def finished_nodes(self) -> tuple[NodeSpec, ...]:
        """The nodes, with the orders put on them."""
        if not self._after:
            return tuple(self.nodes)
        return tuple(
            NodeSpec(id=n.id, call=n.call, inputs=n.inputs, after=tuple(sorted(set(self._after.get(n.id, ())))))
            for n in self.nodes
        )

    def bind_output(self, name: str, value: Any, codec: Any, where: Location) -> Binding:
        """The binding of what the workflow returns as `name`."""
        return self._binding(value, codec, f"{self.name} returns {name!r}", where)

    def _arguments(
        self, callee: Callee, args: Sequence[Any], kwargs: Mapping[str, Any], where: Location
    ) -> dict[str, Any]:
        signature = callee.signature
        names = list(signature.inputs)
        if len(args) > len(names):
            raise CompileError(
                f"{callee.name} takes {len(names)} arguments, {len(args)} were given ({where}): {where.text}"
            )
        given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name in given:
                raise CompileError(f"{callee.name} got {name!r} twice ({where}): {where.text}")
            if name not in signature.inputs:
                raise CompileError(
                    f"{callee.name} has no argument {name!r} ({where}): {where.text}",
                    hint=f"It takes {', '.join(names) or 'none'}.",
                )
            given[name] = value
        missing = [n for n in names if n not in given and n not in signature.defaults]
        if missing:
            raise CompileError(f"{callee.name} needs {', '.join(map(repr, missing))} ({where}): {where.text}")
        return given

    def _bind(self, callee: Callee, name: str, value: Any, where: Location) -> Binding:
        return self._binding(value, callee.signature.codecs[name], f"{callee.name} got {name!r}", where)

    def _binding(self, value: Any, codec: Any, what: str, where: Location) -> Binding:
        if isinstance(value, Node):
            return self._promise(value, what, where)
        if _holds_promise(value):
            return self._compound(value, codec, what, where)
        try:
            return Constant(codec.encode(value, self.io))
        except ValueMismatch as error:
            raise CompileError(
                f"{what} of another type: {error}; it takes {describe(codec.type)} ({where}): {where.text}"
            ) from error

    def _promise(self, value: Node, what: str, where: Location) -> Promise:
        if value._composer is not self:
            raise CompileError(
                f"{what} from another workflow's body ({where}): {where.text}", hint="Pass it as an input."
            )
        if isinstance(value, Several) and len(value) == 1:
            value = value[0]
        if not isinstance(value, Promised):
            count = "several outputs; take one of them" if isinstance(value, Several) else "no output"
            raise CompileError(f"{what} from a call that gives {count} ({where}): {where.text}")
        return Promise(value._id, value._output, value._path)

    def _compound(self, value: Any, codec: Any, what: str, where: Location) -> Binding:
        """A list or dictionary with promises inside. Its constants are encoded by the type of the element."""
        from wingbeat.types import DictType, ListType, TupleType, encode_generic

        def walk(part: Any, type_: Any) -> Binding:
            if isinstance(part, Node):
                return self._promise(part, what, where)
            if isinstance(part, list | tuple) and isinstance(type_, ListType):
                return ListBinding(tuple(walk(p, type_.item) for p in part))
            if isinstance(part, list | tuple) and isinstance(type_, TupleType) and len(part) == len(type_.items):
                return ListBinding(tuple(walk(p, t) for p, t in zip(part, type_.items, strict=True)))
            if isinstance(part, dict) and isinstance(type_, DictType) and all(isinstance(k, str) for k in part):
                return MapBinding({k: walk(p, type_.value) for k, p in part.items()})
            if _holds_promise(part):
                raise CompileError(
                    f"{what}: promises inside a {type(part).__name__} cannot become {describe(type_)} ({where}): {where.text}",
                    hint="Build the value in a task.",
                )
            try:
                return Constant(encode_generic(part, type_, self.io))
            except ValueMismatch as error:
                raise CompileError(f"{what} of another type: {error} ({where}): {where.text}") from error

        return walk(value, codec.type)


def _holds_promise(value: Any) -> bool:
    if isinstance(value, Node):
        return True
    if isinstance(value, list | tuple | set):
        return any(_holds_promise(v) for v in value)
    if isinstance(value, dict):
        return any(_holds_promise(v) for v in value.values())
    return False


composing: ContextVar[Composer | None] = ContextVar("composing", default=None)
"""The workflow whose body is being traced, if any."""
