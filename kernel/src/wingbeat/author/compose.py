"""Tracing: a workflow's body is called once with promises, and what it calls becomes nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import msgspec

from wingbeat.author.condition import Condition
from wingbeat.author.constants import constant, joined
from wingbeat.author.promise import Node, Promised, Several
from wingbeat.author.source import close_to
from wingbeat.base.errors import CompileError
from wingbeat.base.units import counted
from wingbeat.spec.entities import (
    Arm,
    Binding,
    BranchSpec,
    Constant,
    GateSpec,
    ListBinding,
    MapBinding,
    MapSpec,
    NodeSpec,
    OverrideSpec,
    Promise,
)
from wingbeat.spec.order import Circle, in_order
from wingbeat.types import (
    BlobIO,
    DictType,
    ListType,
    LiteralType,
    Simple,
    TupleType,
    UnsupportedType,
    ValueMismatch,
    compatible,
    convert,
    describe,
    encode_generic,
    select,
)

if TYPE_CHECKING:
    from wingbeat.author.signature import Signature
    from wingbeat.author.source import Location


class Callee:
    """What can be called in a workflow's body: the base of tasks, workflows, launch plans, maps, gates and overrides.

    Attributes:
        name: ``module.function``, or what it was named.
    """

    name: str

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return self.name

    @property
    def signature(self) -> Signature:
        """What the call takes and gives."""
        raise NotImplementedError

    @property
    def target(self) -> Callee | None:
        """What the node's `NodeSpec.call` refers to; None if it calls nothing."""
        return self

    def kind(self, io: BlobIO) -> MapSpec | GateSpec | None:
        """What the node is, where it is no plain call."""
        return None

    def overridden(self, io: BlobIO) -> OverrideSpec | None:
        """What the call changes of its task."""
        return None

    def plain(self, *args: Any, **kwargs: Any) -> Any:
        """The call as plain Python."""
        raise NotImplementedError


class Composer:
    """One workflow's body while it is traced.

    Attributes:
        nodes: The calls so far.

        callees: What they call, without repetition, in the order of first use.

        locations: The user's line of each node.

        arm: The arm of a branch that is being traced, if any.
    """

    def __init__(self, name: str, io: BlobIO, inputs: Mapping[str, LiteralType]) -> None:
        self.name, self.io = name, io
        self.nodes: list[NodeSpec] = []
        self.callees: list[Callee] = []
        self.locations: dict[str, Location] = {}
        self.arm: Arm | None = None
        self._types: dict[str, Mapping[str, LiteralType]] = {"": inputs}
        self._arms: dict[str, Arm | None] = {"": None}
        self._gates: dict[str, Location] = {}
        self._index: dict[int, int] = {}
        self._after: dict[str, dict[str, Location]] = {}

    def input(self, name: str) -> Promised:
        """The promise of an input of the workflow."""
        return Promised(self, "", name)

    def call(self, callee: Callee, args: Sequence[Any], kwargs: Mapping[str, Any], where: Location) -> Node | None:
        """Record a call; gives the promise of its output or outputs."""
        signature = callee.signature
        given = self._arguments(callee, args, kwargs, where)
        inputs = {name: self._bind(callee, name, value, where) for name, value in given.items()}
        kind = callee.kind(self.io)
        if isinstance(kind, GateSpec):
            self._gate(kind, where)
        target = callee.target
        node = NodeSpec(
            id=f"n{len(self.nodes)}",
            call=-1 if target is None else self._call(target),
            inputs=inputs,
            kind=kind,
            arm=self.arm,
            override=callee.overridden(self.io),
        )
        return self._record(node, signature.output_types, where, several=signature.named)

    def branch(self, where: Location) -> int:
        """Make a place for a branch, whose arms come after it; `decided` fills it. Gives the branch's number."""
        self._record(NodeSpec(id=f"n{len(self.nodes)}", call=-1, arm=self.arm), {}, where, several=False)
        return len(self.nodes) - 1

    @contextmanager
    def within(self, branch: int, case: int) -> Iterator[None]:
        """What is recorded meanwhile belongs to an arm of a branch, and may use what is in it."""
        before, self.arm = self.arm, Arm(self.nodes[branch].id, case)
        try:
            yield
        finally:
            self.arm = before

    def decided(self, branch: int, spec: BranchSpec, inputs: Mapping[str, Binding], *, several: bool) -> Node:
        """Say what a branch is, now that its arms are known; gives the promise of its outputs."""
        node = self.nodes[branch]
        self.nodes[branch] = msgspec.structs.replace(node, kind=spec, inputs=dict(inputs))
        self._types[node.id] = {v.name: v.type for v in spec.interface.outputs}
        return self._promises(node.id, several=several)

    def order(self, node: Node, others: Sequence[object], where: Location) -> None:
        """Note that `node` runs after `others`."""
        for other in others:
            if not isinstance(other, Node) or other._composer is not self:
                raise CompileError(f"{other!r} is no call of this workflow ({where}): {where.text}")
            if other._id == node._id:
                raise CompileError(
                    f"A call cannot run after itself ({where}): {where.text}",
                    hint="Name the call that has to succeed before: 'b.after(a)'. What takes its value runs after it anyway.",
                )
            self._visible(other._id, "'after' names", where, self._arms[node._id])
            if other._id and node._id:
                self._after.setdefault(node._id, {})[other._id] = where

    def finished_nodes(self) -> tuple[NodeSpec, ...]:
        """The nodes, with the orders put on them, each behind what it follows. Raises CompileError."""
        if not self._after:
            return tuple(self.nodes)
        nodes = [
            msgspec.structs.replace(n, after=tuple(sorted(self._after[n.id]))) if n.id in self._after else n
            for n in self.nodes
        ]
        try:
            return in_order(nodes)
        except Circle as circle:
            where = next(
                at for id in circle.nodes for other, at in self._after.get(id, {}).items() if other in circle.nodes
            )
            raise CompileError(
                f"These calls wait for each other, so that none can run: {', '.join(circle.nodes)} ({where}): {where.text}",
                hint="'a.after(b)', and giving a value of b to a, both have a run after b; leave one of them out.",
            ) from None

    def type_of(self, promise: Promised, where: Location) -> LiteralType:
        """The type of what a promise stands for.

        Raises:
            CompileError: There is nothing like that.
        """
        bound = self._promise(promise, repr(promise), where)
        try:
            return select(self._types[bound.node][bound.output], bound.path)
        except ValueMismatch as error:
            raise CompileError(f"{promise!r}: {error} ({where}): {where.text}") from error

    def constant(self, value: object) -> tuple[LiteralType, Any]:
        """The type and the wire form of a constant. Raises ValueMismatch or UnsupportedType."""
        return constant(value, self.io)

    def infer(self, value: Any, what: str, where: Location) -> LiteralType:
        """The type of a value that nobody declared: a promise, a constant, or a list or dictionary of them.

        Raises:
            CompileError: It cannot be told.
        """
        if isinstance(value, Several) and len(value) == 1:
            value = value[0]
        if isinstance(value, Promised):
            return self.type_of(value, where)
        _refuse_condition(value, what, where)
        try:
            if isinstance(value, list) and holds_promise(value):
                return ListType(joined([self.infer(item, what, where) for item in value]))
            if isinstance(value, tuple) and holds_promise(value):
                return TupleType(tuple(self.infer(item, what, where) for item in value))
            if isinstance(value, dict) and holds_promise(value):
                return DictType(Simple("str"), joined([self.infer(item, what, where) for item in value.values()]))
            if isinstance(value, Node):
                self._promise(value, what, where)
            return self.constant(value)[0]
        except (ValueMismatch, UnsupportedType) as error:
            raise CompileError(
                f"{what}: {error} ({where}): {where.text}",
                hint="Let a task give it, whose return type says what it is.",
            ) from error

    def bind(self, value: Any, type_: LiteralType, what: str, where: Location) -> Binding:
        """The binding of a value to what takes `type_`.

        Raises:
            CompileError: A constant in it is of another type, or a promise may not be used here.
        """
        if isinstance(value, Node):
            return self._promise(value, what, where)
        if holds_promise(value):
            return self._compound(value, type_, what, where)
        own, wire = self.constant(value)  # inferred before, so it can be encoded
        if (reason := compatible(own, type_)) is not None:
            raise CompileError(f"{what} of another type: {reason} ({where}): {where.text}")
        try:
            return Constant(convert(wire, own, type_))
        except ValueMismatch as error:
            raise CompileError(f"{what} of another type: {error} ({where}): {where.text}") from error

    def bind_output(self, name: str, value: Any, codec: Any, where: Location) -> Binding:
        """The binding of what the workflow returns as `name`."""
        return self._binding(value, codec, f"{self.name} returns {name!r}", where)

    def _record(self, node: NodeSpec, types: Mapping[str, LiteralType], where: Location, *, several: bool) -> Node:
        self.nodes.append(node)
        self.locations[node.id] = where
        self._types[node.id], self._arms[node.id] = types, self.arm
        return self._promises(node.id, several=several)

    def _promises(self, node: str, *, several: bool) -> Node:
        names = tuple(self._types[node])
        if not names:
            return Node(self, node)
        return Several(self, node, names) if several else Promised(self, node, names[0])

    def _call(self, target: Callee) -> int:
        index = self._index.get(id(target))
        if index is None:
            index = self._index[id(target)] = len(self.callees)
            self.callees.append(target)
        return index

    def _gate(self, spec: GateSpec, where: Location) -> None:
        if not spec.name:
            return
        before = self._gates.setdefault(spec.name, where)
        if before is not where:
            raise CompileError(
                f"{self.name} waits at {before} for {spec.name!r} too ({where}): {where.text}",
                hint="What a workflow waits for has names of its own, so that an answer finds it.",
            )

    def _arguments(
        self, callee: Callee, args: Sequence[Any], kwargs: Mapping[str, Any], where: Location
    ) -> dict[str, Any]:
        signature = callee.signature
        names = list(signature.inputs)
        if len(args) > len(names):
            raise CompileError(
                f"{callee.label} takes {counted(len(names), 'argument')}, and got {len(args)} ({where}): {where.text}",
                hint=f"It takes {', '.join(names) or 'none'}.",
            )
        given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name in given:
                raise CompileError(f"{callee.label} got {name!r} twice ({where}): {where.text}")
            if name not in signature.inputs:
                raise CompileError(
                    f"{callee.label} has no argument {name!r} ({where}): {where.text}",
                    hint=f"{close_to(name, names)}It takes {', '.join(names) or 'none'}.",
                )
            given[name] = value
        missing = [n for n in names if n not in given and n not in signature.defaults]
        if missing:
            raise CompileError(f"{callee.label} needs {', '.join(map(repr, missing))} ({where}): {where.text}")
        return given

    def _bind(self, callee: Callee, name: str, value: Any, where: Location) -> Binding:
        return self._binding(value, callee.signature.codecs[name], f"{callee.label} got {name!r}", where)

    def _binding(self, value: Any, codec: Any, what: str, where: Location) -> Binding:
        if isinstance(value, Node):
            return self._promise(value, what, where)
        if holds_promise(value):
            return self._compound(value, codec.type, what, where)
        _refuse_condition(value, what, where)
        try:
            return Constant(codec.encode(value, self.io))
        except ValueMismatch as error:
            from wingbeat.author.misuse import mismatch  # only for who has made this mistake

            raise mismatch(what, value, error, codec.type, where) from error

    def _promise(self, value: Node, what: str, where: Location) -> Promise:
        if value._composer is not self:
            raise CompileError(
                f"{what} from another workflow's body ({where}): {where.text}", hint="Pass it as an input."
            )
        if isinstance(value, Several) and len(value) == 1:
            value = value[0]
        if not isinstance(value, Promised):
            count, hint = "no output", "It can only be waited for, by 'NODE.after(CALL)'."
            if isinstance(value, Several):
                count, hint = "several outputs", f"Take one of them, as in 'CALL[0]': {', '.join(value._names)}."
            raise CompileError(f"{what} from a call that gives {count} ({where}): {where.text}", hint=hint)
        self._visible(value._id, what, where, self.arm)
        return Promise(value._id, value._output, value._path)

    def _visible(self, node: str, what: str, where: Location, place: Arm | None) -> None:
        """Raise CompileError if `node` belongs to an arm that `place` is not in: it may be skipped."""
        arm = self._arms[node]
        if arm is None:
            return
        while place is not None:
            if place == arm:
                return
            place = self._arms[place.branch]
        branch, call = self.locations[arm.branch], self.locations[node]
        raise CompileError(
            f"{what} from the call at {call}, which is inside an arm of the branch at {branch} and runs only if that arm is "
            f"taken ({where}): {where.text}",
            hint="Let the arm give the value, and use what 'cond' or 'case' gives.",
        )

    def _compound(self, value: Any, type_: LiteralType, what: str, where: Location) -> Binding:
        """A list or dictionary with promises inside. Its constants are encoded by the type of the element."""

        def walk(part: Any, type_: Any) -> Binding:
            if isinstance(part, Node):
                return self._promise(part, what, where)
            if isinstance(part, list | tuple) and isinstance(type_, ListType):
                return ListBinding(tuple(walk(p, type_.item) for p in part))
            if isinstance(part, list | tuple) and isinstance(type_, TupleType) and len(part) == len(type_.items):
                return ListBinding(tuple(walk(p, t) for p, t in zip(part, type_.items, strict=True)))
            if isinstance(part, dict) and isinstance(type_, DictType) and all(isinstance(k, str) for k in part):
                return MapBinding({k: walk(p, type_.value) for k, p in part.items()})
            if holds_promise(part):
                raise CompileError(
                    f"{what}: promises inside a {type(part).__name__} cannot become {describe(type_)} ({where}): {where.text}",
                    hint="Build the value in a task.",
                )
            try:
                return Constant(encode_generic(part, type_, self.io))
            except ValueMismatch as error:
                raise CompileError(f"{what} of another type: {error} ({where}): {where.text}") from error

        return walk(value, type_)


def _refuse_condition(value: object, what: str, where: Location) -> None:
    if isinstance(value, Condition):
        raise CompileError(
            f"{what}, but a condition is no value ({where}): {where.text}",
            hint="Use it in 'cond' or 'case', or let a task compare and give a bool.",
        )


def holds_promise(value: Any) -> bool:
    """Whether a value is a promise, or a collection with one in it."""
    if isinstance(value, Node):
        return True
    if isinstance(value, list | tuple | set):
        return any(holds_promise(v) for v in value)
    if isinstance(value, dict):
        return any(holds_promise(v) for v in value.values())
    return False


composing: ContextVar[Composer | None] = ContextVar("composing", default=None)
"""The workflow whose body is being traced, if any."""
