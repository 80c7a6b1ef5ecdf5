"""What is told of an execution, to whom, and under which id. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from wingbeat.contracts.admin import BY_LABEL, CAUSE_LABEL, ENTITY_LABEL, ExecutionEntry
from wingbeat.contracts.backfill import BACKFILL_LABEL
from wingbeat.contracts.engine import Summary
from wingbeat.contracts.notifier import Message
from wingbeat.spec.labels import is_ours
from wingbeat.spec.notifications import NotifySpec
from wingbeat.spec.phase import ExecutionPhase

_DIGITS = 32


class Deadline(Struct, frozen=True):
    """A moment at which a channel is told that an execution has not ended."""

    execution: str
    channel: str
    after_s: float
    at: float


def message_id(summary: Summary, channel: str, what: str) -> str:
    """The id of what a channel is told of an execution: the same however often it is worked out, whichever rules want it, and
    another one for an execution of the same name in another home."""
    told = f"{summary.id} {summary.created_at!r} {channel} {what}"
    return f"msg_{hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]}"


def message_of(summary: Summary, channel: str, at: float, after_s: float | None = None) -> Message:
    """What a channel is told: of the phase that the execution is in, or of a missed deadline."""
    what = str(summary.phase) if after_s is None else f"after {after_s!r}"
    labels = summary.labels
    return Message(
        message_id(summary, channel, what), channel, at, summary.id, summary.workflow, summary.phase, summary.created_at, after_s,
        summary.ended_at, labels.get("project", ""), labels.get("domain", ""), labels.get(ENTITY_LABEL, ""),
        labels.get(CAUSE_LABEL, ""), labels_of(labels),
    )  # fmt: skip


def labels_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Those that somebody has given it, which backfill it is of, and who has launched it."""
    return {key: value for key, value in labels.items() if is_told(key)}


def is_told(name: str) -> bool:
    """Whether the history has the label of this name as one."""
    return name in (BACKFILL_LABEL, BY_LABEL) or not is_ours(name)


def summary_of(entry: ExecutionEntry) -> Summary:
    """What the history has of an execution, as the engine would tell it: with what it is of, where and why among its labels."""
    given = {"project": entry.project, "domain": entry.domain, ENTITY_LABEL: entry.entity, CAUSE_LABEL: entry.cause}
    labels = {**entry.labels, **{name: value for name, value in given.items() if value}}
    return Summary(entry.id, entry.workflow, entry.phase, entry.created_at, entry.ended_at, labels)


def told(specs: Iterable[NotifySpec], summary: Summary, now: float, since: float) -> list[Message]:
    """What is told of the phase that an execution has come into. What has been before `since` is not told."""
    ended = summary.ended_at if summary.phase.terminal else None
    if (summary.created_at if ended is None else ended) < since:
        return []
    channels = {spec.to: None for spec in specs if summary.phase in spec.on}
    moment = now if ended is None else ended
    if summary.phase is ExecutionPhase.QUEUED:
        moment = summary.created_at
    return [message_of(summary, channel, moment) for channel in channels]


def deadlines(specs: Iterable[NotifySpec], summary: Summary, since: float) -> Iterator[Deadline]:
    """The moments by which it has to have ended, from `since` on."""
    for channel, after_s in {(spec.to, spec.after_s): None for spec in specs if spec.after_s is not None}:
        at = summary.created_at + after_s
        if at >= since:
            yield Deadline(summary.id, channel, after_s, at)
