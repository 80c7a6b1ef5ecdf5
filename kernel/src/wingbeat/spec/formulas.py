"""Formulas: numbers that depend on a call's inputs, on the attempt and on the last error, such as the memory of an attempt.

They are evaluated over wire values, without the user's code: the same in every process and language.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from wingbeat.base.units import counted
from wingbeat.spec.conditions import read_wire, reading
from wingbeat.spec.entities import (
    FORMULA_DEPTH_MAX,
    Formula,
    FormulaInput,
    Given,
    Interface,
    Number,
    Operation,
    Text,
)
from wingbeat.spec.literal import Inline, LiteralList, LiteralMap, Literals, Offloaded
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.types import (
    DictType,
    Hashed,
    ListType,
    LiteralType,
    SetType,
    Simple,
    TableType,
    TupleType,
    ValueMismatch,
    describe,
    pick,
    select,
)
from wingbeat.types.blobs import is_blob

MAGNITUDE_MAX = 1e18
"""No number on the way to a result is larger."""

Kind = Literal["number", "text", "truth"]

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "floordiv": operator.floordiv,
    "mod": operator.mod, "pow": operator.pow, "min": min, "max": max,
}  # fmt: skip
_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "floordiv": "//", "mod": "%", "pow": "**"}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip


class Known(Struct, frozen=True):
    """What a formula may depend on.

    Attributes:
        inputs: Of the call.

        interface: Their types.

        attempt: How many attempts have failed before.

        error: Why the last of them did.
    """

    inputs: Literals
    interface: Interface
    attempt: int = 0
    error: ErrorInfo | None = None


def kind_of(formula: Formula, interface: Interface, depth: int = 0) -> Kind:
    """What a formula gives.

    Raises:
        ValueMismatch: It asks for an input that there is not, does not fit together, or is nested too deeply.
    """
    if depth > FORMULA_DEPTH_MAX:
        raise ValueMismatch(f"it is nested more than {FORMULA_DEPTH_MAX} deep")
    match formula:
        case Number():
            return "number"
        case Text():
            return "text"
        case Given(what=what):
            return "number" if what == "attempt" else "text"
        case FormulaInput():
            return _kind_of_input(formula, interface)
        case _:
            return _kind_of_operation(formula.op, [kind_of(o, interface, depth + 1) for o in formula.operands])


def _kind_of_input(formula: FormulaInput, interface: Interface) -> Kind:
    variable = interface.input(formula.name)
    if variable is None:
        names = ", ".join(v.name for v in interface.inputs) or "none"
        raise ValueMismatch(f"there is no input {formula.name!r}; the inputs are: {names}")
    type_ = _bare(select(variable.type, formula.path))
    if formula.measure == "bytes":
        return "number"
    if formula.measure == "length":
        if not isinstance(type_, ListType | DictType | SetType | TupleType | TableType) and type_ != Simple("str"):
            raise ValueMismatch(f"{_name(formula)} is {describe(type_)}, which has no length")
        return "number"
    family = found.family if (found := reading(type_)) is not None else ""
    if family == "number":
        return "truth" if type_ == Simple("bool") else "number"
    if family == "str" or family.startswith("enum"):
        return "text"
    raise ValueMismatch(f"{_name(formula)} is {describe(type_)}, which is no number; its size is '.bytes'")


def _kind_of_operation(op: str, kinds: list[Kind]) -> Kind:
    counts = {"neg": 1, "not": 1, "where": 3}
    if len(kinds) != counts.get(op, 2):
        raise ValueMismatch(f"{op!r} of {counted(len(kinds), 'value')}")
    if op == "where":
        if kinds[0] != "truth" or kinds[1] != kinds[2]:
            raise ValueMismatch(f"where() of a {kinds[0]}, a {kinds[1]} and a {kinds[2]}")
        return kinds[1]
    wanted: set[Kind] = {"truth"} if op in ("and", "or", "not") else {"number"}
    if op in ("eq", "ne"):
        wanted = set(kinds[:1])
    if set(kinds) != wanted:
        raise ValueMismatch(f"{op!r} of a {' and a '.join(kinds)}")
    return "truth" if op in _COMPARISONS or op in ("and", "or", "not") else "number"


def evaluate(formula: Formula, known: Known) -> Any:
    """What a formula gives for one attempt.

    Raises:
        ValueMismatch: A division by zero, a number that is too large, a value that is None or that nobody knows without
            reading what is stored.
    """
    match formula:
        case Number(value=value) | Text(value=value):
            return value
        case Given(what="attempt"):
            return known.attempt
        case Given(what=what):
            error = known.error
            return "" if error is None else str(error.code if what == "error.code" else error.kind)
        case FormulaInput():
            return _input(formula, known)
        case _:
            return _operation(formula, known)


def _operation(formula: Operation, known: Known) -> Any:
    op, operands = formula.op, formula.operands
    first = evaluate(operands[0], known)
    if op == "not":
        return not first
    if op == "neg":
        return -first
    if op == "where":
        return evaluate(operands[1] if first else operands[2], known)
    if op == "and":
        return first and evaluate(operands[1], known)
    if op == "or":
        return first or evaluate(operands[1], known)
    second = evaluate(operands[1], known)
    if op in _COMPARISONS:
        return _COMPARISONS[op](first, second)
    try:
        # First without exactness: a power of whole numbers may have any number of digits.
        rough = _ARITHMETIC[op](float(first), float(second))
        fits = not isinstance(rough, complex) and not math.isnan(rough) and abs(rough) <= MAGNITUDE_MAX
    except (ZeroDivisionError, OverflowError):
        fits = False
    if not fits:
        raise ValueMismatch(f"{first} {_SIGNS.get(op, op)} {second} is too large or no number")
    return _ARITHMETIC[op](first, second)


def _input(formula: FormulaInput, known: Known) -> Any:
    variable, value = known.interface.input(formula.name), known.inputs[formula.name]
    assert variable is not None
    measure = formula.measure
    if not formula.path:
        if measure == "bytes" and isinstance(value, Offloaded):
            return value.size
        if measure == "length" and isinstance(value, LiteralList | LiteralMap):
            return len(value.items)
    if not isinstance(value, Inline):
        raise ValueMismatch(f"{_name(formula)} is not known without reading what is stored")
    type_ = select(variable.type, formula.path)
    wire: Any = pick(value.value, variable.type, formula.path)
    while isinstance(type_, Hashed):
        wire, type_ = wire["v"], type_.item
    if wire is None:
        raise ValueMismatch(f"{_name(formula)} is None")
    if measure == "bytes":
        return wire["size"] if is_blob(type_) else len(msgspec.json.encode(wire))
    if measure == "length":
        return _length(formula, wire, type_)
    if isinstance(wire, bool) or _kind_of_input(formula, known.interface) == "text":
        return wire
    number = read_wire(wire, "number")
    if not math.isfinite(number):
        raise ValueMismatch(f"{_name(formula)} is {number}")
    return number


def _length(formula: FormulaInput, wire: Any, type_: LiteralType) -> int:
    if not is_blob(type_):
        return len(wire)
    rows = wire.get("rows")
    if rows is None:
        raise ValueMismatch(f"the rows of {_name(formula)} were not counted")
    return int(rows)


def _bare(type_: LiteralType) -> LiteralType:
    while isinstance(type_, Hashed):
        type_ = type_.item
    return type_


def _name(formula: FormulaInput) -> str:
    path = "".join(f".{p}" if isinstance(p, str) else f"[{p}]" for p in formula.path)
    return f"inputs.{formula.name}{path}"
