"""The options of one attempt: those of its task, with a value wherever a formula stood."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from wingbeat.spec.entities import Formula, Interface, Operation, PoolSpec, TaskSpec, Text
from wingbeat.spec.formulas import Known, evaluate, kind_of
from wingbeat.types import ValueMismatch

Chosen = dict[str, float | str]
"""Numbers by the option that they decide; the name of a pool."""
POOL = "pool.name"
"""The one option that is a text."""


class Option(NamedTuple):
    """An option that may be a formula: the least that it may be, and how what a formula gives is rounded."""

    least: float
    rounded: Callable[[float], float]


OPTIONS = {
    "resources.cpu": Option(0.001, float),
    "resources.memory_bytes": Option(1, math.ceil),
    "timeout.run_s": Option(0.001, float),
    "timeout.queue_s": Option(0.001, float),
    "pool.weight": Option(1, math.ceil),
    "pool.priority": Option(-math.inf, round),
    "retry.count": Option(0, math.floor),
    "retry.delay_s": Option(0.0, float),
}

AT_QUEUE = (POOL, *(name for name in OPTIONS if not name.startswith("retry.")))
"""Options that an attempt is made with."""
AT_FAILURE = tuple(name for name in OPTIONS if name.startswith("retry."))
"""Options that are asked for when an attempt has failed."""


def check_formulas(task: TaskSpec, interface: Interface) -> None:
    """Raise ValueMismatch unless every formula of a task decides an option that there is, and gives what it is."""
    for name, formula in task.formulas.items():
        if name not in OPTIONS and name != POOL:
            raise ValueMismatch(f"{name!r} cannot be a formula")
        if name.startswith("pool.") and task.pool is None:
            raise ValueMismatch(f"{name} is decided, but the task wants no pool")
        try:
            kind = kind_of(formula, interface)
        except ValueMismatch as error:
            raise ValueMismatch(f"{name}: {error}") from None
        wanted = "text" if name == POOL else "number"
        if kind != wanted:
            raise ValueMismatch(f"{name} is a {kind}, not a {wanted}")


def pools_of(task: TaskSpec) -> set[str]:
    """Names of the pools that attempts of a task may want, as far as they do not depend on the texts of a call."""
    if task.pool is None:
        return set()
    return _texts(task.formulas[POOL]) if POOL in task.formulas else {task.pool.name}


def _texts(formula: Formula) -> set[str]:
    if isinstance(formula, Text):
        return {formula.value}
    if isinstance(formula, Operation) and formula.op == "where":
        return {text for arm in formula.operands[1:] for text in _texts(arm)}
    return set()


def choose(task: TaskSpec, known: Known, names: Iterable[str]) -> Chosen:
    """What the formulas of `task` for the options `names` give.

    Raises:
        ValueMismatch: One gives nothing, or less than the option may be; an empty text.
    """
    chosen: Chosen = {}
    for name in names:
        if (formula := task.formulas.get(name)) is not None:
            try:
                number = evaluate(formula, known)
            except ValueMismatch as error:
                raise ValueMismatch(f"{name}: {error}") from None
            if name == POOL:
                if not number:
                    raise ValueMismatch(f"{name} would be empty; it is the name of a pool")
                chosen[name] = number
                continue
            if number < (least := OPTIONS[name].least):
                raise ValueMismatch(f"{name} would be {number:g}; it is at least {least:g}")
            chosen[name] = OPTIONS[name].rounded(number)
    return chosen


def settled(task: TaskSpec, chosen: Chosen | None) -> TaskSpec:
    """The task with these values in the place of its formulas."""
    if not chosen:
        return task
    fields: dict[str, dict[str, Any]] = {}
    for name, value in chosen.items():
        option, _, field = name.partition(".")
        fields.setdefault(option, {})[field] = value
    parts = {
        option: msgspec.structs.replace(getattr(task, option) or PoolSpec(""), **given)
        for option, given in fields.items()
    }
    return msgspec.structs.replace(task, formulas={}, **parts)
