"""What is said of values that a call cannot take, and of promises that Python itself refuses: made when an error is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wingbeat.author.compose import Callee
from wingbeat.author.identity import Asked
from wingbeat.author.mapping import Mapped
from wingbeat.author.promise import MOVE, Promised
from wingbeat.author.source import raised_at, users_line
from wingbeat.base.errors import CompileError
from wingbeat.types import LiteralType, Simple, ValueMismatch, describe

_OURS = re.compile(r"\b(Promised|Several|Comparison|Combined)\b")
_GATHER = "Static workflows need no gather: what does not depend on each other runs at once. Write '[a, b]' for 'gather(a, b)'."


def mismatch(what: str, value: object, error: ValueMismatch, type_: LiteralType, where: Any) -> CompileError:
    """The error for a value that is not of the type `type_` of what takes it."""
    hint = ""
    if isinstance(value, Callee | Mapped):
        mapped = isinstance(value, Mapped)
        name = (value.callee if isinstance(value, Mapped) else value).name.rpartition(".")[2]
        call = f"map_task({name})(LIST)" if mapped else f"{name}(…)"
        return CompileError(f"{what}: {name} is not called ({where}): {where.text}", hint=f"Write '{call}'.")
    if value is None and " returns " in what:
        hint = "Write 'return' before the value; a workflow that gives none is declared '-> None'."
    elif Promised.__name__ in error.message:
        place = f", at {error.path!r}" if error.path else ""
        return CompileError(
            f"{what}: a promise cannot be inside of {_article(type(value).__name__)}{place} ({where}): {where.text}",
            hint="Let a task that takes the values put it together.",
        )
    wanted = describe(type_)
    takes = "" if error.message.startswith(f"expected {wanted},") and not error.steps else f"; it takes {wanted}"
    return CompileError(f"{what} of another type: {error}{takes} ({where}): {where.text}", hint=hint)


def no_override(name: str, options: Mapping[str, Any], hint: str) -> CompileError:
    """The error for options of a call of what has none."""
    where = users_line()
    said = ", ".join(f"{option}=…" for option in options)
    return CompileError(
        f"{name}.override({said}): only a call of a task has options of its own ({where}): {where.text}", hint=hint
    )


def of_identity(asked: Asked) -> CompileError:
    """The error for a question about a promise that Python answers itself, in the body of a static workflow."""
    from wingbeat.author.suggest import DYNAMIC

    return CompileError(
        f"'{asked.text}' asks about the promise, not about its value, which is not known before the workflow runs "
        f"({asked.where}): {asked.where.text}",
        hint="Let a task look at the value and give a bool, and write 'cond(TASK(…), lambda: …, lambda: …)'; or "
        f"{DYNAMIC} the value is there.",
    )


def condition_hint(type_: LiteralType) -> str:
    """How a value of a type becomes a condition."""
    from wingbeat.author.suggest import Unsaid, truth

    if type_ == Simple("none"):
        return "It is always None; let a task decide and use the bool that it gives."
    try:
        return f"Compare it, as in '{truth('VALUE', type_)}'."
    except Unsaid:
        return "Let a task look at it, and use the bool that it gives."


def of_promises(name: str, error: TypeError) -> CompileError | None:
    """What Python said of a promise, in the words of authors; None if it did not speak of one."""
    where = raised_at(error.__traceback__)
    if where is None:
        return None
    if "gather(" in where.text and "unhashable" in str(error):
        return CompileError(f"{name}: gather() waits for values ({where}): {where.text}", hint=_GATHER)
    if _OURS.search(str(error)) is None:
        return None
    return CompileError(
        f"{name}: {error}, as a promise has no value before the workflow runs ({where}): {where.text}", hint=MOVE
    )


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
