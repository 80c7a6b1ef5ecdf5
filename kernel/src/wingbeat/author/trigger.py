"""What starts a launch plan: ``LaunchPlan(…, trigger=OnSuccess("maps/production/maps.build", inputs={"roads": "o0"}))``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from wingbeat.author.source import Location, caller
from wingbeat.base.errors import CompileError, InputError
from wingbeat.spec.identity import parse_name
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.triggers import OnArtifactSpec, OnEndSpec, OnVersionSpec

_NONE: Mapping[str, str] = MappingProxyType({})


class Trigger:
    """What these have in common: each is something that happens elsewhere."""

    spec: OnEndSpec | OnArtifactSpec | OnVersionSpec


class OnEnd(Trigger):
    """Start when an execution of another workflow has ended, however it has.

    Args:
        workflow: Its name, ``project/domain/name``: all of its versions, also as launched by launch plans of the same project and
            domain. It may also be a task or a launch plan.

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
        self.spec = _spec(type(self).__name__, caller(), workflow, inputs, phases)


class OnSuccess(OnEnd):
    """Start when an execution of another workflow has succeeded, with its outputs.

    Args:
        workflow: Its name, ``project/domain/name``: all of its versions, also as launched by launch plans of the same project and
            domain. It may also be a task or a launch plan.

        inputs: Inputs of the launch plan, by the names of the outputs that they take: ``{"roads": "o0"}``.

    Raises:
        CompileError: It is no such name.
    """

    def __init__(self, workflow: str, *, inputs: Mapping[str, str] = _NONE) -> None:
        self.spec = _spec(type(self).__name__, caller(), workflow, inputs, ("SUCCEEDED",))


class OnArtifact(Trigger):
    """Start when there is a new version of an artifact: see `Artifact`.

    Args:
        artifact: Its name, ``project/domain/name``.

        partitions: Only those whose keys have these values: ``{"city": "sf"}``.

        input: Input of the launch plan that takes the value.

        keys: Inputs of the launch plan, by the keys of the partition that they take, as texts: ``{"city": "city"}``.

        only_changed: Not if the content is that of the version before with the same keys: who publishes the same again starts
            nobody.

    Raises:
        CompileError: It is no such name.
    """

    def __init__(
        self,
        artifact: str,
        *,
        partitions: Mapping[str, str] = _NONE,
        input: str = "",
        keys: Mapping[str, str] = _NONE,
        only_changed: bool = False,
    ) -> None:
        name = _named(artifact, caller())
        self.spec = OnArtifactSpec(
            name, dict(partitions), input, {target: key for key, target in keys.items()}, only_changed
        )


class OnVersion(Trigger):
    """Start when there is a new version of something registered, or another version of a launch plan is the active one.

    Args:
        entity: Its name, ``project/domain/name``.

        event: ``"registered"`` or ``"activated"``.

        input: Input of the launch plan that takes ``project/domain/name@version``.

    Raises:
        CompileError: It is no such name, or event.
    """

    def __init__(
        self, entity: str, *, event: Literal["registered", "activated"] = "registered", input: str = ""
    ) -> None:
        where = caller()
        if event not in ("registered", "activated"):
            raise CompileError(
                f"A version is registered or activated, not {event!r} ({where}): {where.text}",
            )
        self.spec = OnVersionSpec(_named(entity, where), event, input)


def _named(name: str, where: Location) -> str:
    """Raises CompileError."""
    try:
        return str(parse_name(name))
    except InputError as error:
        raise CompileError(f"{error.message} ({where}): {where.text}", hint=error.hint) from None


def _spec(kind: str, where: Location, workflow: str, inputs: Mapping[str, str], phases: tuple[str, ...]) -> OnEndSpec:
    """What was written at that line. Raises CompileError."""
    name = _named(workflow, where)
    try:
        chosen = tuple(ExecutionPhase(phase) for phase in phases)
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
