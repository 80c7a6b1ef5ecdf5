"""Gates: waits for a person, for a value, or for time, that hold no process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Literal

from wingbeat.author.compose import Callee, composing, holds_promise
from wingbeat.author.constants import TypeOnly, hint_of
from wingbeat.author.dynamic import dispatch
from wingbeat.author.options import Duration
from wingbeat.author.promise import Node
from wingbeat.author.signature import Signature
from wingbeat.author.source import Location, caller
from wingbeat.base.errors import CompileError, ExecutionFailed, WingbeatError
from wingbeat.base.units import parse_duration_s
from wingbeat.spec.entities import GateSpec
from wingbeat.types import BlobIO, ValueMismatch
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
            raise CompileError(f"The name of a gate is a text, not {name!r} ({where}): {where.text}")
        self.gate, self.gate_name, self.where = gate, name, where
        self.name = name or gate
        self.timeout_s = None if timeout is None else _span(timeout, where).total_seconds()
        if self.timeout_s == 0:
            raise CompileError(f"{self.label}: a timeout is longer than nothing ({where}): {where.text}")
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
        known = _answers.get() or {}
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


def _span(duration: Duration, where: Location) -> timedelta:
    try:
        span = timedelta(seconds=parse_duration_s(duration))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise CompileError(f"{error} ({where}): {where.text}") from error
    if span < timedelta(0):
        raise CompileError(f"{duration!r} is less than nothing ({where}): {where.text}")
    return span
