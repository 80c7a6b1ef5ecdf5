"""What starts a launch plan without a person: something that has happened elsewhere."""

from __future__ import annotations

from wingbeat.spec.phase import ExecutionPhase
from wingbeat.types.model import Strict


class OnEndSpec(Strict, frozen=True, omit_defaults=True, tag_field="on", tag="end"):
    """Another workflow's execution has ended, of whatever version.

    Attributes:
        workflow: ``project/domain/name`` of the workflow, task or launch plan.

        phases: In which of these phases it has to end.

        inputs: Inputs of the launch plan, and the outputs that they take.
    """

    workflow: str
    phases: tuple[ExecutionPhase, ...] = (ExecutionPhase.SUCCEEDED,)
    inputs: dict[str, str] = {}


TriggerSpec = OnEndSpec
