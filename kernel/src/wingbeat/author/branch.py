"""``cond`` and ``case``: one of several arms is run, the others are skipped."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from wingbeat.author.compose import Composer, composing
from wingbeat.author.condition import Condition, Conditions
from wingbeat.author.constants import joined
from wingbeat.author.promise import Node, Several
from wingbeat.author.source import Location, caller, raised_at, shown
from wingbeat.author.usage import usage
from wingbeat.base.errors import CompileError
from wingbeat.base.units import counted
from wingbeat.spec.entities import Binding, BranchSpec, Case, Interface, Variable
from wingbeat.types import LiteralType, ValueMismatch

T = TypeVar("T")
U = TypeVar("U")


@usage("cond(condition, lambda: …, lambda: …)")
def cond(condition: object, then: Callable[[], T], otherwise: Callable[[], U]) -> T | U:
    """One value or another, whose calls are made only if it is taken: ``cond(x > 10, lambda: big(x), lambda: small(x))``.

    Args:
        condition: A comparison of promises, several joined by ``& | ~``, or a promise of a bool. Outside of static
            workflows any value.

        then: Gives the value if the condition holds. What it calls is run only then.

        otherwise: Gives the value if it does not.

    Raises:
        CompileError: The condition or an arm is none, or the arms give values of different types.
    """
    where = caller()
    composer = composing.get()
    if composer is None:
        return then() if _holds(condition, where) else otherwise()
    taken: T | U = _branch(composer, [(condition, then)], otherwise, where)
    return taken


@usage("case([(condition, lambda: …), …], default=lambda: …)")
def case(cases: Sequence[tuple[object, Callable[[], T]]], *, default: Callable[[], U]) -> T | U:
    """The value of the first case whose condition holds, or the default's: ``case([(x > 9, lambda: a()), …], default=…)``.

    Args:
        cases: Conditions and arms, as of `cond`, in the order in which they are tried.

        default: Gives the value if no condition holds.

    Raises:
        CompileError: As of `cond`.
    """
    where = caller()
    composer = composing.get()
    pairs: list[tuple[object, Callable[[], T]]] = []
    for pair in cases:
        if not _is_pair(pair):
            raise CompileError(
                f"A case is a condition and an arm, not {shown(pair)} ({where}): {where.text}",
                hint="Write 'case([(condition, lambda: …), …], default=lambda: …)'.",
            )
        pairs.append((pair[0], pair[1]))
    if composer is not None:
        taken: T | U = _branch(composer, pairs, default, where)
        return taken
    for condition, arm in pairs:
        if _holds(condition, where):
            return arm()
    return default()


def _holds(condition: object, where: Location) -> bool:
    if inspect.isawaitable(condition):
        if inspect.iscoroutine(condition):
            condition.close()
        raise CompileError(
            f"The condition has not been awaited ({where}): {where.text}", hint="Write 'await' before the call."
        )
    return bool(condition)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2


class _Taken(NamedTuple):
    """What an arm gave: values by output, without names where it is one value; none at all where it is None."""

    values: tuple[Any, ...]
    names: tuple[str, ...] | None
    tuple: bool


def _branch(
    composer: Composer, pairs: Sequence[tuple[object, Callable[[], Any]]], default: Callable[[], Any], where: Location
) -> Any:
    """Record the branch, and what its arms call."""
    arms: list[Any] = [arm for _, arm in pairs] + [default]
    for arm in arms:
        if isinstance(arm, Node | Condition) or not callable(arm):
            raise CompileError(
                f"An arm is a function without arguments, not {shown(arm)} ({where}): {where.text}",
                hint="Write 'lambda: …' around it, so that its calls are made only if the arm is taken.",
            )
    conditions = Conditions(composer)
    whens = [conditions.spec(condition, where) for condition, _ in pairs]
    inputs: dict[str, Binding] = {
        name: composer.bind(operand.promise, operand.type, "the condition", where)
        for name, operand in conditions.inputs.items()
    }
    number = composer.branch(where)
    taken = []
    for i, arm in enumerate(arms):
        with composer.within(number, i):
            taken.append(_taken(_called(arm, where)))
    names, several = _names(taken, where)
    types: list[list[LiteralType]] = []
    for i, each in enumerate(taken):
        with composer.within(number, i):
            what = f"{_arm(i, len(arms))} gives a value"
            types.append([composer.infer(value, what, where) for value in _values(each, names)])
    outputs = [Variable(name, _type(name, [t[k] for t in types], several, where)) for k, name in enumerate(names)]
    cases = []
    for i, (when, each) in enumerate(zip([*whens, None], taken, strict=True)):
        with composer.within(number, i):
            bound = _bound(composer, _values(each, names), outputs, f"{_arm(i, len(arms))} gives a value", where)
            cases.append(Case(when, bound))
    variables = tuple(Variable(name, operand.type) for name, operand in conditions.inputs.items())
    spec = BranchSpec(Interface(variables, tuple(outputs)), tuple(cases))
    return composer.decided(number, spec, inputs, several=several)


def _called(arm: Callable[[], Any], where: Location) -> Any:
    try:
        return arm()
    except TypeError as error:
        if raised_at(error.__traceback__) is not None:
            raise
        raise CompileError(
            f"An arm is a function without arguments: {error} ({where}): {where.text}", hint="Write 'lambda: …'."
        ) from None


def _bound(
    composer: Composer, values: Sequence[Any], outputs: Sequence[Variable], what: str, where: Location
) -> dict[str, Binding]:
    return {v.name: composer.bind(value, v.type, what, where) for value, v in zip(values, outputs, strict=True)}


def _taken(value: Any) -> _Taken:
    if isinstance(value, Several):
        return _Taken(tuple(value), value._names, True)  # one room
    if isinstance(value, tuple) and value:
        return _Taken(value, getattr(value, "_fields", None), True)
    if value is None or type(value) is Node:
        return _Taken((), None, False)
    return _Taken((value,), None, False)


def _values(taken: _Taken, names: Sequence[str]) -> tuple[Any, ...]:
    """One value for each output; an arm that gives nothing gives None."""
    return taken.values or (None,) * len(names)


def _names(taken: Sequence[_Taken], where: Location) -> tuple[tuple[str, ...], bool]:
    """The names of the outputs, and whether they are put together to a tuple."""
    giving = [(i, each) for i, each in enumerate(taken) if each.values]
    if not giving:
        return (), False
    first, one = giving[0]
    for i, each in giving[1:]:
        if (len(each.values), each.tuple) != (len(one.values), one.tuple):
            raise CompileError(
                f"The arms give different things ({where}): {_arm(first, len(taken))} gives {_count(one)}, "
                f"{_arm(i, len(taken))} gives {_count(each)}: {where.text}",
                hint="Every arm gives as many values as the others.",
            )
    named = {each.names for _, each in giving if each.names and each.names[0] != "o0"}
    if len(named) > 1:
        raise CompileError(f"The arms give values of different names ({where}): {where.text}")
    nothing = next((i for i, each in enumerate(taken) if not each.values), None)
    if one.tuple and nothing is not None:
        raise CompileError(
            f"{_arm(nothing, len(taken)).capitalize()} gives nothing, the others {_count(one)} ({where}): {where.text}"
        )
    return named.pop() if named else tuple(f"o{k}" for k in range(len(one.values))), one.tuple


def _type(name: str, types: Sequence[LiteralType], several: bool, where: Location) -> LiteralType:
    try:
        return joined(types)
    except ValueMismatch as error:
        what = f" as {name!r}" if several else ""
        raise CompileError(
            f"The arms give values of different types{what}: {error} ({where}): {where.text}",
            hint="Every arm gives the same type, since what comes after has to take it whichever was taken.",
        ) from error


def _arm(index: int, count: int) -> str:
    return "the last arm" if index == count - 1 else f"arm {index + 1}"


def _count(taken: _Taken) -> str:
    return counted(len(taken.values), "value") if taken.tuple else "one value"
