"""What starts a launch plan without a person: the time, or something that has happened elsewhere."""

from __future__ import annotations

from typing import Literal

from wingbeat.spec.phase import ExecutionPhase
from wingbeat.types.model import Strict

CatchUp = Literal["none", "last", "all"]
Overlap = Literal["skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other", "allow_all"]


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


class CronSpec(Strict, frozen=True, omit_defaults=True, tag_field="every", tag="cron"):
    """Moments by a cron expression of five fields, in a time zone of the IANA database."""

    expression: str
    timezone: str = "UTC"


class RateSpec(Strict, frozen=True, tag_field="every", tag="rate"):
    """Moments that are so many seconds apart, counted from 1970-01-01T00:00:00Z: so they do not depend on who counts."""

    seconds: float


class ScheduleSpec(Strict, frozen=True, omit_defaults=True, tag_field="on", tag="time"):
    """The time has come.

    Attributes:
        when: The moments, called ticks.

        input: Input of the launch plan that takes the tick, a datetime; empty for none.

        catch_up: Which ticks count that passed while nobody looked: none, the last one, or all.

        window_s: Of those, only the ones of the last so many seconds; of the last minute, if that is less.

        overlap: What becomes of a tick whose predecessor's execution has not ended. ``skip``: nothing. ``buffer_one``: it waits,
            and is the only one that does. ``buffer_all``: it waits for its turn. ``cancel_other``: the other is stopped, and it
            starts when that has ended. ``terminate_other``: the same, and it does not wait. ``allow_all``: it starts.

        jitter_s: It starts up to so many seconds later: at each tick some others, the same whoever counts.

        pause_on_failure: Whether the schedule pauses when an execution of it fails.
    """

    when: CronSpec | RateSpec
    input: str = ""
    catch_up: CatchUp = "last"
    window_s: float | None = None
    overlap: Overlap = "skip"
    jitter_s: float = 0.0
    pause_on_failure: bool = False


class OnArtifactSpec(Strict, frozen=True, omit_defaults=True, tag_field="on", tag="artifact"):
    """There is a new version of an artifact.

    Attributes:
        artifact: ``project/domain/name``.

        partitions: Values that keys of its partition have to have.

        input: Input of the launch plan that takes the value; empty for none.

        keys: Inputs of the launch plan that take a key of the partition, as a text.

        only_changed: Not if its content is that of the version before with the same keys.
    """

    artifact: str
    partitions: dict[str, str] = {}
    input: str = ""
    keys: dict[str, str] = {}
    only_changed: bool = False


class OnVersionSpec(Strict, frozen=True, omit_defaults=True, tag_field="on", tag="version"):
    """There is a new version of something registered, or one has been made the active one.

    Attributes:
        entity: ``project/domain/name`` of the workflow, task or launch plan.

        event: Which of both.

        input: Input of the launch plan that takes ``project/domain/name@version``, a text; empty for none.
    """

    entity: str
    event: Literal["registered", "activated"] = "registered"
    input: str = ""


TriggerSpec = OnEndSpec | ScheduleSpec | OnArtifactSpec | OnVersionSpec
