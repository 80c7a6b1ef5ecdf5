"""The options of one attempt: those of its task, with a number wherever a formula stood."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from wingbeat.spec.entities import Interface, PoolSpec, TaskSpec
from wingbeat.spec.formulas import Known, evaluate, kind_of
from wingbeat.types import ValueMismatch

Chosen = dict[str, float]
"""Numbers by the option that they decide."""


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

AT_QUEUE = tuple(name for name in OPTIONS if not name.startswith("retry."))
"""Options that an attempt is made with."""
AT_FAILURE = tuple(name for name in OPTIONS if name.startswith("retry."))
"""Options that are asked for when an attempt has failed."""


def check_formulas(task: TaskSpec, interface: Interface) -> None:
    """Raise ValueMismatch unless every formula of a task decides an option that there is, and is a number."""
    for name, formula in task.formulas.items():
        if name not in OPTIONS:
            raise ValueMismatch(f"{name!r} cannot be a formula")
        if name.startswith("pool.") and task.pool is None:
            raise ValueMismatch(f"{name} is decided, but the task wants no pool")
        try:
            kind = kind_of(formula, interface)
        except ValueMismatch as error:
            raise ValueMismatch(f"{name}: {error}") from None
        if kind != "number":
            raise ValueMismatch(f"{name} is a {kind}, not a number")


def choose(task: TaskSpec, known: Known, names: Iterable[str]) -> Chosen:
    """What the formulas of `task` for the options `names` give.

    Raises:
        ValueMismatch: One gives nothing, or less than the option may be.
    """
    chosen: Chosen = {}
    for name in names:
        if (formula := task.formulas.get(name)) is not None:
            try:
                number = evaluate(formula, known)
            except ValueMismatch as error:
                raise ValueMismatch(f"{name}: {error}") from None
            if number < (least := OPTIONS[name].least):
                raise ValueMismatch(f"{name} would be {number:g}; it is at least {least:g}")
            chosen[name] = OPTIONS[name].rounded(number)
    return chosen


def settled(task: TaskSpec, chosen: Chosen | None) -> TaskSpec:
    """The task with these numbers in the place of its formulas."""
    if not chosen:
        return task
    fields: dict[str, dict[str, Any]] = {}
    for name, number in chosen.items():
        option, _, field = name.partition(".")
        fields.setdefault(option, {})[field] = number
    parts = {
        option: msgspec.structs.replace(getattr(task, option) or PoolSpec(""), **given)
        for option, given in fields.items()
    }
    return msgspec.structs.replace(task, formulas={}, **parts)
