"""Options that depend on the call: a function of its inputs, of the attempt or of the last error is called once, when it is
compiled, with what stands for them; what it gives becomes formulas of the spec."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from msgspec import Struct, structs

from wingbeat.author.identity import asked
from wingbeat.author.promise import Node
from wingbeat.author.source import location_of, shown, users_frame, users_line
from wingbeat.base.errors import CompileError, WingbeatError
from wingbeat.base.units import parse_duration_s, parse_size
from wingbeat.spec.entities import Formula, FormulaInput, Formulas, Given, Number, Operation, Text

S = TypeVar("S", bound=Struct)
UNKNOWN = "?"
"""Stands for a text until a formula gives it."""

_PARTS: dict[str, tuple[str, Callable[[str], float] | None]] = {
    "Resources.cpu": ("resources.cpu", float),
    "Resources.mem": ("resources.memory_bytes", parse_size),
    "Timeout.run": ("timeout.run_s", parse_duration_s),
    "Timeout.queue": ("timeout.queue_s", parse_duration_s),
    "Pool.name": ("pool.name", None),
    "Pool.weight": ("pool.weight", float),
    "Pool.priority": ("pool.priority", float),
    "Retry.count": ("retry.count", float),
    "Retry.delay": ("retry.delay_s", parse_duration_s),
}
"""Which formula of the spec decides a part of an option, and how a text in it is read as a number; None where it stays one."""
_WHOLE, _NUMBER, _SIZE = "a whole number", "a number", "a size, such as '512Mi'"
_TYPES: dict[str, tuple[Any, str]] = {
    "count": (int, _WHOLE), "weight": (int, _WHOLE), "priority": (int, _WHOLE), "name": (str, "a text"),
    "cpu": (int | float | None, _NUMBER), "mem": (int | str | None, _SIZE), "factor": (int | float, _NUMBER),
    "jitter": (int | float, _NUMBER),
}  # fmt: skip
"""What parts of options may be, by their names."""
_MORE = "What takes more than a formula is computed by a dynamic workflow, which gives 'TASK.override(…)' the values."
_WAYS_OUT = f"Choose by 'where(CONDITION, …, …)', which compares what the function is given. {_MORE}"


class Symbol:
    """A number, a text or a truth that is known when an attempt is made."""

    def __init__(self, formula: Formula) -> None:
        self._formula = formula

    def __getattr__(self, name: str) -> Symbol:
        formula = self._formula
        if name.startswith("_") or not isinstance(formula, FormulaInput) or formula.measure != "value":
            raise AttributeError(name)
        return Symbol(FormulaInput(formula.name, (*formula.path, name)))

    def __getitem__(self, key: str | int) -> Symbol:
        formula = self._formula
        if not isinstance(formula, FormulaInput) or formula.measure != "value" or not isinstance(key, str | int):
            _refuse(f"the item {key!r}")
        return Symbol(FormulaInput(formula.name, (*formula.path, key)))

    def __repr__(self) -> str:
        match self._formula:
            case FormulaInput(name=name, path=path, measure="value"):
                return "".join([f"inputs.{name}", *(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)])
            case Given(what=what):
                return what
            case _:
                return "a formula"

    @property
    def length(self) -> Symbol:
        """How many elements, characters or rows it has."""
        return self._measured("length")

    @property
    def bytes(self) -> Symbol:
        """How large the value is: of a file, folder, table or array its content, of others their canonical JSON."""
        return self._measured("bytes")

    def _measured(self, measure: Any) -> Symbol:
        formula = self._formula
        if not isinstance(formula, FormulaInput) or formula.measure != "value":
            _refuse(f"the {measure} of something computed")
        return Symbol(FormulaInput(formula.name, formula.path, measure))

    def at_least(self, other: Symbol | float | str) -> Symbol:
        """The larger of both."""
        return _operation("max", self, other)

    def at_most(self, other: Symbol | float | str) -> Symbol:
        """The smaller of both."""
        return _operation("min", self, other)

    def __neg__(self) -> Symbol:
        return Symbol(Operation("neg", (self._formula,)))

    def __invert__(self) -> Symbol:
        return Symbol(Operation("not", (self._formula,)))

    def __bool__(self) -> NoReturn:  # noqa: PLE0304  # it has none
        _refuse("'if', 'and', 'or' or 'not'")

    def __len__(self) -> NoReturn:  # noqa: PLE0303  # it has none
        _refuse("len() (there is '.length')")

    def __iter__(self) -> NoReturn:
        _refuse("a loop")

    def __contains__(self, item: object) -> NoReturn:
        _refuse("'in'")

    def __str__(self) -> NoReturn:  # noqa: PLE0307  # it has none
        _refuse("a text made of it", f"Multiply a size: '{self!r} * \"1Gi\"' is as many GiB. {_MORE}")

    __hash__ = None  # type: ignore[assignment]


def _refuse(what: str, hint: str = "") -> NoReturn:
    from wingbeat.author.suggest import chosen  # only for who has made this mistake

    where, instead = users_line(), "" if hint else chosen(users_frame())
    raise CompileError(
        f"{what} needs a value, but inputs, attempt and error are not known before the attempt is made ({where}): {where.text}",
        hint=hint or (f"Write '{instead}'. {_MORE}" if instead else _WAYS_OUT),
    )


def _formula(value: Any, *, size: bool) -> Formula:
    if isinstance(value, Symbol):
        return _with_numbers(value._formula, parse_size) if size else value._formula
    if isinstance(value, str):
        return Number(parse_size(value)) if size else Text(value)
    if isinstance(value, int | float):
        return Number(value)
    where = users_line()
    raise CompileError(
        f"A formula cannot hold {shown(value)} ({where}): {where.text}", hint="It computes with numbers."
    )


def _operation(op: Any, *operands: Any) -> Symbol:
    """A text in it is a size, unless it is compared with another text."""
    try:
        return Symbol(Operation(op, tuple(_formula(o, size=op not in ("eq", "ne")) for o in operands)))
    except ValueError as error:
        where = users_line()
        raise CompileError(f"{error} ({where}): {where.text}") from error


def _binary(op: str, *, reflected: bool = False) -> Callable[[Symbol, Any], Symbol]:
    def method(self: Symbol, other: Any) -> Symbol:
        return _operation(op, other, self) if reflected else _operation(op, self, other)

    return method


for _name, _op in {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "floordiv": "floordiv", "mod": "mod", "pow": "pow",
    "and": "and", "or": "or",
}.items():  # fmt: skip
    setattr(Symbol, f"__{_name}__", _binary(_op))
    setattr(Symbol, f"__r{_name}__", _binary(_op, reflected=True))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Symbol, f"__{_name}__", _binary(_name))


def where(condition: Any, then: Any, otherwise: Any) -> Any:
    """One of two values in a function of an option: ``where(attempt > 0, "4Gi", "1Gi")``."""
    if not isinstance(condition, Symbol):
        return then if condition else otherwise
    operands = (condition._formula, _formula(then, size=False), _formula(otherwise, size=False))
    return Symbol(Operation("where", operands))


class LastError:
    """Why the last attempt failed; both are empty before the first attempt.

    Attributes:
        code: The class of a user's exception, ``TimedOut``, ``OutOfMemory``, ``Killed``, ….

        kind: ``USER`` or ``SYSTEM``.
    """

    code = Symbol(Given("error.code"))
    kind = Symbol(Given("error.kind"))

    def __bool__(self) -> NoReturn:  # noqa: PLE0304  # as of a symbol
        _refuse("'if' on the error (its code is '' at first)")


class Inputs:
    """The inputs of the call, by name."""

    def __getattr__(self, name: str) -> Symbol:
        if name.startswith("__"):
            raise AttributeError(name)
        return Symbol(FormulaInput(name))

    __getitem__ = __getattr__


def called(option: str, given: Any) -> Any:
    """The value of an option: what a function gives, or else the value itself.

    Raises:
        CompileError: The function takes something that nobody knows, or fails.
    """
    if not callable(given):
        return given
    at = location_of(given)
    known = {"inputs": Inputs(), "attempt": Symbol(Given("attempt")), "error": LastError()}
    wanted = list(inspect.signature(given).parameters)
    if unknown := [name for name in wanted if name not in known]:
        raise CompileError(
            f"{option}: the function takes {unknown[0]!r}, which is not known ({at}): {at.text}",
            hint=f"It may take {', '.join(known)}, by these names.",
        )
    found = asked(given, wanted)
    if found is not None:
        raise CompileError(
            f"{option}: '{found.text}' asks about what stands for the value, which is not known before the attempt is made "
            f"({found.where}): {found.where.text}",
            hint=f"At a first attempt 'attempt == 0', and 'error.code' is ''. {_WAYS_OUT}",
        )
    try:
        return given(**{name: known[name] for name in wanted})
    except WingbeatError:
        raise
    except Exception as error:
        raise CompileError(
            f"{option}: the function fails with {type(error).__name__}: {error} ({at}): {at.text}",
            hint=f"It is called once, with what stands for the values. {_WAYS_OUT}",
        ) from error


def split(value: S) -> tuple[S, Formulas]:
    """An option without what depends on the call, and the formulas for that.

    Raises:
        CompileError: A part of it cannot be a formula, or is of another type.

        ValueError: A text in a formula is no size or no duration.
    """
    plain: dict[str, Any] = {}
    formulas: Formulas = {}
    for field in structs.fields(value):
        part = getattr(value, field.name)
        if isinstance(part, Node):
            raise CompileError(
                f"{type(value).__name__}.{field.name} is a promise; options are known before the workflow runs.",
                hint="Write a function of the call's inputs: 'resources=lambda inputs: Resources(mem=inputs.NAME)'.",
            )
        if isinstance(part, Symbol):
            name = f"{type(value).__name__}.{field.name}"
            if name not in _PARTS:
                raise CompileError(f"{name} cannot depend on the call.", hint=f"These can: {', '.join(_PARTS)}.")
            option, parse = _PARTS[name]
            formulas[option] = part._formula if parse is None else _with_numbers(part._formula, parse)
            plain[field.name] = UNKNOWN if parse is None else 0 if field.required else field.default
        else:
            wanted, said = _TYPES.get(field.name, (object, ""))
            if not isinstance(part, wanted) or isinstance(part, bool):
                raise CompileError(
                    f"{type(value).__name__}.{field.name} cannot be {shown(part)}.",
                    hint=f"It is {said}." if said else "",
                )
    return (structs.replace(value, **plain) if plain else value), formulas


def _with_numbers(formula: Formula, parse: Callable[[str], float]) -> Formula:
    """A formula in which a text that is the result is read as a number."""
    if isinstance(formula, Text):
        return Number(parse(formula.value))
    if isinstance(formula, Operation) and formula.op == "where":
        condition, *arms = formula.operands
        return Operation("where", (condition, *(_with_numbers(arm, parse) for arm in arms)))
    return formula
