"""What starts a launch plan: ``LaunchPlan(…, trigger=OnSuccess("maps/production/maps.build", inputs={"roads": "o0"}))``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wingbeat.author.source import Location, caller
from wingbeat.base.errors import CompileError, InputError
from wingbeat.spec.identity import parse_name
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.triggers import OnEndSpec

_NONE: Mapping[str, str] = MappingProxyType({})


class OnEnd:
    """Start when an execution of another workflow has ended, however it has.

    Args:
        workflow: Its name, ``project/domain/name``: all of its versions. It may also be a task or a launch plan.

        inputs: Inputs of the launch plan, by the names of the outputs that they take. An execution that did not succeed has no
            outputs.

        phases: In which phases it has to end: some of SUCCEEDED, FAILED, ABORTED and TIMED_OUT. By default any.

    Raises:
        CompileError: It is no such name, or phase; or inputs are taken of what may have failed.
    """

    def __init__(
        self,
        workflow: str,
        *,
        inputs: Mapping[str, str] = _NONE,
        phases: tuple[str, ...] = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"),
    ) -> None:
        self.spec = _spec(type(self).__name__, workflow, inputs, phases, caller())


class OnSuccess(OnEnd):
    """Start when an execution of another workflow has succeeded, with its outputs.

    Args:
        workflow: Its name, ``project/domain/name``: all of its versions. It may also be a task or a launch plan.

        inputs: Inputs of the launch plan, by the names of the outputs that they take: ``{"roads": "o0"}``.

    Raises:
        CompileError: It is no such name.
    """

    def __init__(self, workflow: str, *, inputs: Mapping[str, str] = _NONE) -> None:
        self.spec = _spec(type(self).__name__, workflow, inputs, ("SUCCEEDED",), caller())


def _spec(kind: str, workflow: str, inputs: Mapping[str, str], phases: tuple[str, ...], where: Location) -> OnEndSpec:
    try:
        name = str(parse_name(workflow))
        chosen = tuple(ExecutionPhase(phase) for phase in phases)
    except InputError as error:
        raise CompileError(f"{error.message} ({where}): {where.text}", hint=error.hint) from None
    except ValueError as error:
        raise CompileError(f"{error} ({where}): {where.text}") from None
    if not chosen or not all(phase.terminal for phase in chosen):
        raise CompileError(
            f"An execution does not end in {' or '.join(phases) or 'no phase'} ({where}): {where.text}",
            hint="Phases in which one ends are SUCCEEDED, FAILED, ABORTED and TIMED_OUT.",
        )
    if inputs and chosen != (ExecutionPhase.SUCCEEDED,):
        raise CompileError(
            f"{kind} takes outputs of executions that may not have succeeded ({where}): {where.text}",
            hint="Only those that succeed have outputs: use OnSuccess.",
        )
    return OnEndSpec(name, chosen, dict(inputs))
