"""Gates: waits for a person, for a value, or for time, that hold no process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Literal

from wingbeat.author.compose import Callee, composing, holds_promise
from wingbeat.author.constants import TypeOnly, hint_of
from wingbeat.author.dynamic import dispatch, inside
from wingbeat.author.options import Duration
from wingbeat.author.promise import Node
from wingbeat.author.signature import Signature
from wingbeat.author.source import Location, caller, shown
from wingbeat.author.usage import usage
from wingbeat.base.errors import CompileError, ExecutionFailed, WingbeatError
from wingbeat.base.units import parse_duration_s
from wingbeat.spec.entities import GateSpec
from wingbeat.types import BlobIO, UnsupportedType, ValueMismatch, codec
from wingbeat.types.returns import Output

_answers: ContextVar[Mapping[str, Any] | None] = ContextVar("answers", default=None)


@contextmanager
def answers(given: Mapping[str, Any]) -> Iterator[None]:
    """What is answered to gates, by name, where workflows are called directly: for unit tests.

    A value for `wait_for_input`; False lets `approve` fail.
    """
    token = _answers.set(given)
    try:
        yield
    finally:
        _answers.reset(token)


@usage('approve("NAME", value)')
def approve(name: str, value: object = None, timeout: Duration | None = None) -> Any:
    """Wait until somebody approves; gives `value`, or fails if it is rejected. Called directly it gives the value.

    Args:
        name: What the approval is sent to; one of a kind in a workflow.

        value: What is let through.

        timeout: How long to wait at most.

    Raises:
        ExecutionFailed: It was rejected.
    """
    given = {} if value is None else {"value": value}
    gate = Gate("approve", name, given, timeout, caller())
    return dispatch(gate, (), given)


@usage('wait_for_input("NAME", int)')
def wait_for_input(name: str, type: Any, timeout: Duration | None = None) -> Any:
    """Wait until somebody gives a value of a type. Called directly there is nobody: `wingbeat.testing.answers` gives one.

    Args:
        name: What the value is sent to; one of a kind in a workflow.

        type: Its type, as a hint.

        timeout: How long to wait at most.

    Raises:
        WingbeatError: It is called directly, and there is no answer.
    """
    return dispatch(Gate("input", name, {}, timeout, caller(), type), (), {})


@usage('sleep("1h30m", value)')
def sleep(duration: Duration, value: object = None) -> Any:
    """Wait for a time; gives `value` then. Called directly it gives the value at once.

    Args:
        duration: How long: a `timedelta`, ``"1h30m"``, seconds, or the promise of a `timedelta`.

        value: What is let through.
    """
    where = caller()
    given: dict[str, Any] = {"duration": duration if isinstance(duration, Node) else _span(duration, where)}
    if value is not None:
        given["value"] = value
    return dispatch(Gate("sleep", "", given, None, where), (), given)


class Gate(Callee):
    """One gate, with what is given to it."""

    def __init__(
        self,
        gate: Literal["approve", "input", "sleep"],
        name: str,
        given: Mapping[str, Any],
        timeout: Duration | None,
        where: Location,
        hint: Any = None,
    ) -> None:
        if gate != "sleep" and (type(name) is not str or not name):
            call = 'wait_for_input("NAME", int)' if gate == "input" else 'approve("NAME", value)'
            raise CompileError(
                f"The name of a gate is a text, not {shown(name)} ({where}): {where.text}", hint=f"Write '{call}'."
            )
        if gate == "input":
            _check_type(name, hint, where)
        self.gate, self.gate_name, self.where = gate, name, where
        self.name = name or gate
        self.timeout_s = None if timeout is None else _span(timeout, where).total_seconds()
        if self.timeout_s == 0:
            raise CompileError(
                f"{self.label}: a timeout is longer than nothing ({where}): {where.text}",
                hint="Leave it out to wait for ever.",
            )
        inputs: dict[str, Any] = {"duration": timedelta} if gate == "sleep" else {}
        if "value" in given:
            hint = inputs["value"] = self._hint(given["value"])
        outputs = [Output("o0", hint)] if gate == "input" or "value" in given else []
        self._signature = Signature.of(self.label, where, inputs, outputs)

    @property
    def label(self) -> str:
        """For messages."""
        return f"the gate {self.gate_name!r}" if self.gate_name else self.gate

    @property
    def signature(self) -> Signature:
        """What it lets through."""
        return self._signature

    @property
    def target(self) -> None:
        """It calls nothing."""
        return

    def kind(self, io: BlobIO) -> GateSpec:
        """The gate as declared."""
        return GateSpec(self.gate, self.gate_name, self._signature.interface(io), self.timeout_s)

    def plain(self, value: Any = None, duration: timedelta | None = None) -> Any:
        """Go on at once.

        Raises:
            ExecutionFailed: The answer to an approval is False.

            WingbeatError: There is no answer.
        """
        known = _answers.get()
        if known is None and (task := inside.get()):
            raise WingbeatError(
                f"The task {task} calls {self.label}, and a task does not wait ({self.where}): {self.where.text}",
                hint="Call it in the body of a workflow, where it is a node of its own.",
            )
        known = known or {}
        if self.gate == "input":
            if self.gate_name not in known:
                raise WingbeatError(
                    f"There is no value for {self.gate_name!r} ({self.where}): {self.where.text}",
                    hint=f"A value can be given when the workflow runs; in a test, "
                    f"'with wingbeat.testing.answers({{{self.gate_name!r}: …}}):' gives one.",
                )
            return known[self.gate_name]
        if self.gate == "approve" and known.get(self.gate_name, True) is False:
            raise ExecutionFailed(f"{self.gate_name!r} was rejected.", execution="", node=self.name, code="Rejected")
        return value

    def _hint(self, value: Any) -> Any:
        composer = composing.get()
        try:
            if composer is not None and holds_promise(value):
                return TypeOnly(composer.infer(value, f"{self.label} lets a value through", self.where))
            return hint_of(value)
        except ValueMismatch as error:
            raise CompileError(f"{self.label}: {error} ({self.where}): {self.where.text}") from error


def _check_type(name: str, hint: Any, where: Location) -> None:
    """Raise CompileError unless a hint is a type that a value can have."""
    if isinstance(hint, str | Node):
        why = f"{shown(hint)} is no type"
    else:
        try:
            codec(hint)
        except UnsupportedType as error:
            why = str(error)
        else:
            return
    known = hint if isinstance(hint, str) and hint else "int"
    raise CompileError(
        f"The gate {name!r} waits for a value, and needs its type: {why} ({where}): {where.text}",
        hint=f"Write 'wait_for_input(\"{name}\", {known})', with the type itself.",
    )


def _span(duration: Duration, where: Location) -> timedelta:
    if isinstance(duration, Node):
        raise CompileError(
            f"A timeout cannot be a promise ({where}): {where.text}",
            hint="It is known before the workflow runs; write '1h30m'.",
        )
    try:
        span = timedelta(seconds=parse_duration_s(duration))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise CompileError(f"{error} ({where}): {where.text}") from error
    if span < timedelta(0):
        told = f"{span.total_seconds():g} s" if isinstance(duration, timedelta) else repr(duration)
        raise CompileError(f"{told} is less than nothing ({where}): {where.text}")
    return span
