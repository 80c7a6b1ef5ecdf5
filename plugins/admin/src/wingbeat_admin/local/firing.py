"""What a trigger launches: under which name, and with which inputs. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import cast

from msgspec.structs import replace

from wingbeat.base.errors import InputError
from wingbeat.contracts.engine import LaunchRequest
from wingbeat.spec.entities import Interface
from wingbeat.spec.identity import Name
from wingbeat.spec.literal import Inline, Literal, Literals, Picked
from wingbeat.spec.triggers import ScheduleSpec
from wingbeat.types import BlobIO, codec, compatible, describe
from wingbeat_admin.local.ticks import moment

_HEAD = 40
BELOW = -10_000
"""Added to the priority of what a backfill runs: a week of waiting, so that it comes to its turn also where others never end."""


def execution_id(plan: Name, cause: str) -> str:
    """The id of the execution of a launch plan that an execution has fired: the same however often it is worked out, and for
    every version, so that a trigger fires once."""
    what = hashlib.sha256(f"{plan} {cause}".encode()).hexdigest()[:16]
    head = re.sub(r"[^a-z0-9]+", "-", plan.name.lower()).strip("-")[:_HEAD].rstrip("-")
    return f"{head}-{what}" if head else what


def kickoff(schedule: ScheduleSpec, tick: float) -> Literals:
    """The input that takes the tick, if one does."""
    if not schedule.input:
        return {}
    return {schedule.input: Inline(codec(datetime).encode(moment(schedule, tick), cast(BlobIO, None)))}


def below_others(request: LaunchRequest) -> LaunchRequest:
    """The launch of a backfill: it comes after live ones, and where there is a limit it waits: it replaces nobody, and is not left
    out."""
    limit = request.concurrency or request.closure.workflow.concurrency
    return replace(
        request, priority=request.priority + BELOW,
        concurrency=None if limit is None else replace(limit, on_limit="queue"),
    )  # fmt: skip


def check_taken(takes: Mapping[str, str], inputs: Interface, outputs: Interface, who: str) -> None:
    """Whether each input may take its output. Raises InputError."""
    for name, output in takes.items():
        source = next((v for v in outputs.outputs if v.name == output), None)
        target = inputs.input(name)
        if source is None:
            there = ", ".join(v.name for v in outputs.outputs) or "none"
            raise InputError(
                f"{who} has no output {output!r}, which {name!r} takes.", hint=f"Its outputs are: {there}."
            )
        if target is None:
            raise InputError(f"There is no input {name!r} to take an output of {who}.")
        if (why := compatible(source.type, target.type)) is not None:
            given, taken = describe(source.type), describe(target.type)
            raise InputError(f"{name!r} takes {taken}, and {output!r} of {who} is {given}: {why}.")


def taken(takes: Mapping[str, str], inputs: Interface, outputs: Interface, values: Literals) -> dict[str, Literal]:
    """The inputs that come from outputs, converted where the types differ."""
    sources = {v.name: v.type for v in outputs.outputs}
    found: dict[str, Literal] = {}
    for name, output in takes.items():
        target = inputs.input(name)
        assert target is not None, "it was checked"
        same = sources[output] == target.type
        found[name] = values[output] if same else Picked(values[output], (), sources[output], target.type)
    return found
