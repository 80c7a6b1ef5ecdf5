"""What is told of backfills: of each one message when it is over, over the channels of its launch plan and those of the rules.

That it is over is marked in the transaction that ends it (`backfills.TOLD`), whom to tell is decided in the next one. A crash
between the two leaves the mark.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

from wingbeat.contracts.backfill import BackfillEntry, BackfillPhase
from wingbeat.contracts.notifier import Message
from wingbeat.spec.identity import Identity, parse_identity
from wingbeat.spec.notifications import NotifySpec
from wingbeat.spec.phase import ExecutionPhase
from wingbeat_admin.local import backfills, notices
from wingbeat_admin.local.store import Store

FAILURES_TOLD = 5
_DIGITS = 32


def tell(store: Store, now: float) -> int:
    """Decide who is told of backfills that are over; says how many messages there are more."""
    count = 0
    with store.transaction() as db:
        for entry in backfills.untold(db):
            id = parse_identity(entry.entity)
            definition = store.definition(id)
            plan = definition.plan
            place = {"project": id.project, "domain": id.domain}
            specs = [rule.spec for rule in store.rules if rule.fits(place)]
            specs += () if plan is None else plan.notifications
            messages = messages_of(entry, id, definition.closure.workflow.name, specs)
            count += sum(notices.add(db, message, now) for message in messages)
    return count


def messages_of(entry: BackfillEntry, entity: Identity, workflow: str, specs: Iterable[NotifySpec]) -> list[Message]:
    """What is told of a backfill of a launch plan that is over, each channel once. `workflow` is what its executions run."""
    phase, at = _phase(entry), entry.ended_at or 0.0
    counts = {name: getattr(entry, name) for name in ("succeeded", "failed", "there", "waiting")}
    return [
        Message(
            _id(entry, channel), channel, at, "", workflow, phase, entry.created_at, None, at, entity.project, entity.domain,
            entry.entity, reason=_reason(entry), backfill=entry.id, ticks={name: n for name, n in counts.items() if n},
        )
        for channel in {spec.to: None for spec in specs if phase in spec.on}
    ]  # fmt: skip


def _phase(entry: BackfillEntry) -> ExecutionPhase:
    """As which of the phases of an execution it counts."""
    if entry.phase is BackfillPhase.ABORTED:
        return ExecutionPhase.ABORTED
    return ExecutionPhase.FAILED if entry.failed else ExecutionPhase.SUCCEEDED


def _id(entry: BackfillEntry, channel: str) -> str:
    """Of one end: it may have another, when what has failed is run again."""
    told = f"backfill {entry.id} {entry.created_at!r} {channel} {entry.ended_at!r}"
    return f"msg_{hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]}"


def _reason(entry: BackfillEntry) -> str:
    lines = [entry.reason] if entry.reason else []
    for each in entry.failures[:FAILURES_TOLD]:
        of = f" {each.execution}" if each.execution else ""
        lines.append(f"{datetime.fromtimestamp(each.tick, UTC).isoformat()}{of}: {each.reason}")
    if entry.failed > FAILURES_TOLD:
        lines.append(f"and {entry.failed - FAILURES_TOLD} more")
    return "\n".join(lines)
