"""Whether what a plugin reports is what its contract says: what goes into the journal must be read again."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Outcome, Succeeded
from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.literal import Inline, Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.types import LiteralType, Simple, ValueMismatch, check_wire

EVIDENCE_BYTES_MAX = 2**20
"""Evidence goes into the journal."""

_PLAIN = (float, str, bool, type(None))
_INT_MAX = 2**63 - 1
_SIMPLE: dict[LiteralType, type] = {
    Simple("int"): int,
    Simple("str"): str,
    Simple("bool"): bool,
    Simple("none"): type(None),
}


def wrong_outcome(outcome: object) -> str:
    """What is wrong with what an executor reports as an outcome; empty if nothing is."""
    if type(outcome) is Succeeded and not outcome.evidence and _plain(outcome.outputs):
        return ""  # as most are
    return wrong_answer(outcome, Outcome)


def wrong_answer(answer: object, kind: Any) -> str:
    """What is wrong with an answer that has to be of a `kind` of the contracts, and of which something is written down; empty if
    nothing is."""
    if not isinstance(answer, kind):
        return f"a {type(answer).__name__}"
    try:
        _decoder(kind).decode(msgspec.msgpack.encode(answer))
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        return f"a {type(answer).__name__} that cannot be written ({error})"
    return ""


@cache
def _decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind)


def wrong_output(outputs: Literals, task: TaskSpec, executor: str) -> ErrorInfo | None:
    """What is wrong with reported outputs: one is not there, or is inline and of another type. None if nothing is.

    What is stored is not read: who consumes it finds out. Outputs of a function are all there if its process has written any, so
    one that is not was lost by the executor; what a program in a container leaves out is its author's affair.
    """
    found = _wrong_literal(outputs, task)
    if found is None:
        return None
    name, why = found
    if why:
        message = f"The executor {executor!r} reported another type of output {name!r} than is declared: {why}."
        return ErrorInfo("ExecutorFailed", message, ErrorKind.SYSTEM)
    if task.container is not None and task.container.command:
        message = f"The attempt ended without its output {name!r}, says the executor {executor!r}."
        return ErrorInfo("OutputsNotFound", message)
    message = f"The executor {executor!r} reported success without the output {name!r}."
    return ErrorInfo("ExecutorFailed", message, ErrorKind.SYSTEM)


def wrong_hit(outputs: Literals, task: TaskSpec) -> str:
    """What is wrong with the outputs that a catalog has for a task, as `wrong_output`; empty if nothing is."""
    found = _wrong_literal(outputs, task)
    if found is None:
        return ""
    name, why = found
    return f"another type of output {name!r} than is declared: {why}" if why else f"an entry without output {name!r}"


def _wrong_literal(outputs: Literals, task: TaskSpec) -> tuple[str, str] | None:
    """An output that is not there, or is inline and of another type: its name, and how it differs (empty where it is not there)."""
    for variable in task.interface.outputs:
        literal = outputs.get(variable.name)
        if type(literal) is Inline and type(literal.value) is _SIMPLE.get(variable.type):
            continue  # as most are
        if literal is None:
            return variable.name, ""
        if type(literal) is not Inline:
            continue
        try:
            check_wire(literal.value, variable.type)
        except ValueMismatch as error:
            return variable.name, str(error)
    return None


def kept_evidence(evidence: object) -> dict[str, Any] | None:
    """Evidence as it is written down: without what cannot be, or is too much."""
    if not evidence or not isinstance(evidence, dict):
        return None
    try:
        size = len(msgspec.msgpack.encode(evidence))
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError):
        return None
    if size > EVIDENCE_BYTES_MAX:
        return {"left_out": f"evidence of {size:,} bytes, over the limit of {EVIDENCE_BYTES_MAX:,}"}
    return evidence


def _plain(outputs: object) -> bool:
    if type(outputs) is not dict:
        return False
    for literal in outputs.values():
        if type(literal) is not Inline:
            return False
        value = literal.value
        if type(value) not in _PLAIN and not (type(value) is int and -_INT_MAX <= value <= _INT_MAX):
            return False
    return True
