"""What was said since the last commit, as one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wingbeat.contracts.journal import Batch, Ended, Row
from wingbeat.engine.archive import Archive
from wingbeat.engine.live import Live
from wingbeat.machine.fact import Began, Fact, Turned, encode_facts
from wingbeat.spec.phase import ExecutionPhase


def batch_of(
    archive: Archive, touched: Mapping[str, Live], launching: Iterable[Live]
) -> tuple[Batch, dict[str, list[Fact]]]:
    """Take what executions have said: the batch that makes it durable, and the facts by execution."""
    batch, facts = Batch(), {}
    for live in launching:
        batch.launches.append(live.record)
        if (body := archive.unsaved(live.record.closure)) is not None:
            batch.closures[live.record.closure] = body
    for live in touched.values():
        said, live.facts, live.committing = live.facts, [], True
        facts[live.id] = said
        for called in live.called:
            if (body := archive.unsaved(called)) is not None:
                batch.closures[called] = body
        batch.rows.append(Row(live.id, live.sequence, encode_facts(said)))
        live.sequence += 1
        live.facts_since_snapshot += len(said)
        for fact in said:
            if type(fact) is Turned and fact.scope == 0:
                phase = ExecutionPhase(fact.phase)
                batch.phases.append(Ended(live.id, phase, fact.at if phase.terminal else None))
            elif type(fact) is Began and live.record.phase == ExecutionPhase.QUEUED:
                batch.phases.append(Ended(live.id, ExecutionPhase.RUNNING, None))
    return batch, facts


def drop_launches(batch: Batch) -> None:
    """Leave what it launches, and all that is said of that, out of a batch that was not written."""
    gone = {record.execution for record in batch.launches}
    for record in batch.launches:
        batch.closures.pop(record.closure, None)
    batch.launches = []
    batch.rows = [row for row in batch.rows if row.execution not in gone]
    batch.phases = [ended for ended in batch.phases if ended.execution not in gone]
