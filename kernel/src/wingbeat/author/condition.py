"""Conditions: what comparisons of promises give, and how they become the spec's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from wingbeat.author.promise import Node, Promised, refuse_truth
from wingbeat.author.source import Location, caller, shown, users_line
from wingbeat.base.errors import CompileError
from wingbeat.spec.conditions import SIGNS, mode
from wingbeat.spec.entities import AllOf, AnyOf, Compare, Input, Not, Value
from wingbeat.spec.entities import Condition as ConditionSpec
from wingbeat.spec.entities import Operand as OperandSpec
from wingbeat.types import Hashed, LiteralType, Simple, UnsupportedType, ValueMismatch, describe

if TYPE_CHECKING:
    from wingbeat.author.compose import Composer

_BOOL = Simple("bool")


class Condition:
    """A condition on promises. ``& | ~`` combine it; it has no truth before the workflow runs."""

    def __hash__(self) -> NoReturn:
        where = users_line()
        raise CompileError(
            f"A condition cannot be in a set, or be a key ({where}): {where.text}",
            hint="Write 'case([(condition, lambda: …), …], default=lambda: …)'.",
        )

    def __init__(self, where: Location) -> None:
        self.where = where

    def __and__(self, other: object) -> Condition:
        return combined("all", (self, other), caller())

    def __rand__(self, other: object) -> Condition:
        return combined("all", (other, self), caller())

    def __or__(self, other: object) -> Condition:
        return combined("any", (self, other), caller())

    def __ror__(self, other: object) -> Condition:
        return combined("any", (other, self), caller())

    def __invert__(self) -> Condition:
        return Combined("not", (self,), caller())

    def __bool__(self) -> NoReturn:  # noqa: PLE0304  # it has none
        refuse_truth("a condition on promises", self)

    def __eq__(self, other: object) -> NoReturn:
        where = caller()
        raise CompileError(
            f"A condition cannot be compared ({where}): {where.text}", hint="Combine conditions by '&', '|' and '~'."
        )

    __ne__ = __eq__


class Comparison(Condition):
    """Two values, at least one of them a promise."""

    def __init__(self, op: str, left: object, right: object, where: Location) -> None:
        super().__init__(where)
        self.op, self.left, self.right = op, left, right

    def __repr__(self) -> str:
        return f"{self.left!r} {SIGNS[self.op]} {self.right!r}"


class Combined(Condition):
    """``all`` or ``any`` of some conditions, or ``not`` one."""

    def __init__(self, word: str, parts: Sequence[object], where: Location) -> None:
        super().__init__(where)
        self.word, self.parts = word, parts

    def __repr__(self) -> str:
        if self.word == "not":
            return f"~({self.parts[0]!r})"
        return (" & " if self.word == "all" else " | ").join(f"({part!r})" for part in self.parts)


def combined(word: str, parts: Sequence[object], where: Location) -> Condition:
    """Conditions joined by ``&`` or ``|``.

    Raises:
        CompileError: One of them is neither a condition nor a promise nor a bool.
    """
    for part in parts:
        if not isinstance(part, Condition | Promised | bool):
            raise CompileError(
                f"'&' and '|' join conditions, and {shown(part)} is no condition ({where}): {where.text}",
                hint="Put each comparison into parentheses: '(a > 1) & (b < 2)'.",
            )
    return Combined(word, parts, where)


def _flat(word: str, parts: Sequence[object]) -> list[object]:
    """`a | b | c` is one condition of three parts, so that a long one is not a deep one."""
    found: list[object] = []
    rest = list(reversed(parts))
    while rest:
        part = rest.pop()
        if isinstance(part, Combined) and part.word == word:
            rest.extend(reversed(part.parts))
        else:
            found.append(part)
    return found


class Operand(NamedTuple):
    """An input of a branch: the promise that it is bound to, and its type."""

    promise: Promised
    type: LiteralType


class Conditions:
    """The conditions of one branch while they become the spec's.

    Attributes:
        inputs: What they compare that is not known yet, by the input's name.
    """

    def __init__(self, composer: Composer) -> None:
        self.inputs: dict[str, Operand] = {}
        self._composer = composer
        self._names: dict[tuple[Any, ...], str] = {}

    def spec(self, condition: object, where: Location) -> ConditionSpec:
        """A condition as declared.

        Raises:
            CompileError: It is none, or compares what cannot be compared.
        """
        match condition:
            case bool():  # known before it runs
                return AllOf(()) if condition else AnyOf(())
            case Promised():
                name, type_ = self._input(condition, where)
                if type_ != _BOOL:
                    from wingbeat.author.misuse import condition_hint  # only for who has made this mistake

                    raise CompileError(
                        f"A condition has to be a bool, but {condition!r} is {describe(type_)} ({where}): {where.text}",
                        hint=condition_hint(type_),
                    )
                return Input(name)
            case Comparison():
                return self._comparison(condition)
            case Combined(word="not", parts=parts, where=at):
                return Not(self.spec(parts[0], at))
            case Combined(word=word, parts=parts, where=at):
                made = tuple(self.spec(part, at) for part in _flat(word, parts))
                return AllOf(made) if word == "all" else AnyOf(made)
            case _:
                raise CompileError(
                    f"{shown(condition)} is no condition ({where}): {where.text}",
                    hint="A condition is a comparison of promises, such as 'x > 3', or a promise of a bool.",
                )

    def _comparison(self, comparison: Comparison) -> ConditionSpec:
        where = comparison.where
        left, one = self._operand(comparison.left, where)
        right, other = self._operand(comparison.right, where)
        try:
            by: Any = mode(comparison.op, one, other)
        except ValueMismatch as error:
            alike = "" if "has no order" in error.message else "Compare values of one type, or a part of them. "
            raise CompileError(
                f"{error} ({where}): {where.text}",
                hint=f"{alike}What no comparison says is decided by a task: use the bool that it gives.",
            ) from error
        op: Any = comparison.op
        return Compare(op, left, right, by)

    def _operand(self, value: object, where: Location) -> tuple[OperandSpec, LiteralType]:
        if isinstance(value, Promised):
            name, type_ = self._input(value, where)
            return Input(name), type_
        if isinstance(value, Node | Condition):
            raise CompileError(f"{shown(value)} is no value that can be compared ({where}): {where.text}")
        try:
            type_, wire = self._composer.constant(value)
        except (ValueMismatch, UnsupportedType) as error:
            raise CompileError(f"{shown(value)} cannot be compared: {error} ({where}): {where.text}") from error
        return Value(wire), type_

    def _input(self, promise: Promised, where: Location) -> tuple[str, LiteralType]:
        key = (promise._id, promise._output, *map(repr, promise._path))  # one room
        type_ = self._composer.type_of(promise, where)
        while isinstance(type_, Hashed):  # the hash is for caching
            type_ = type_.item
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"c{len(self._names)}"
            self.inputs[name] = Operand(promise, type_)
        return name, type_
