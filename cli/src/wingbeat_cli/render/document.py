"""Views as documents: the same one wherever an execution is printed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wingbeat.contracts.access import ApiKey, AuditEntry
    from wingbeat.contracts.admin import Entity, ExecutionEntry, NotificationEntry
    from wingbeat.contracts.artifacts import ArtifactEntry
    from wingbeat.contracts.backfill import BackfillEntry, BackfillPlan
    from wingbeat.contracts.engine import (
        AttemptView,
        ExecutionView,
        GateView,
        ItemsView,
        NodeView,
        RecoveryPlan,
    )
    from wingbeat.contracts.executor import Progress
    from wingbeat.contracts.observer import Published
    from wingbeat.contracts.projects import ProjectEntry
    from wingbeat.contracts.references import Referrer
    from wingbeat.contracts.refusals import Refusal
    from wingbeat.spec.outcome import ErrorInfo


def dump(document: dict[str, Any], form: str) -> None:
    """Print one document on standard output, in the form ``json`` or ``yaml``."""
    text = json.dumps(document, ensure_ascii=False, default=str)
    if form == "yaml":
        from wingbeat_cli.render.yaml import rewritten

        sys.stdout.write(rewritten(text))
    else:
        sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def execution(view: ExecutionView, outputs: dict[str, Any] | None) -> dict[str, Any]:
    """An execution as `-o json` and `-o yaml` print it; `outputs` are its outputs as plain data."""
    return {
        "id": view.id,
        "phase": view.phase.value,
        "outputs": outputs,
        "nodes": [node(each) for each in view.nodes],
        "error": None if view.error is None else error(view.error),
    }


def node(view: NodeView) -> dict[str, Any]:
    """One node of an execution."""
    return {
        "id": view.id,
        "task": view.task,
        "name": view.name,
        "of": view.of,
        "phase": view.phase.value,
        "cache": str(view.cache),
        "attempts": len(view.attempts),
        "reason": view.reason,
        "gate": None if view.gate is None or view.phase.terminal else gate(view.gate),
        "until": timestamp(view.until),
        "items": None if view.items is None else items(view.items),
    }


def gate(view: GateView) -> dict[str, Any]:
    """What a gate waits for."""
    from wingbeat.types.text import describe

    return {"name": view.name, "type": describe(view.type), "approval": view.approval}


def items(view: ItemsView) -> dict[str, Any]:
    """The items of a map, counted."""
    return {
        "total": view.total,
        "succeeded": view.succeeded,
        "failed": view.failed,
        "cached": view.cached,
        "running": view.running,
        "waiting": view.waiting,
        "failures": [{"item": each.item, "reason": each.reason} for each in view.failures],
    }


def entity(entity: Entity) -> dict[str, Any]:
    """Something registered."""
    import msgspec

    return {
        "id": entity.id,
        "kind": entity.kind.value,
        "active": entity.active,
        "registered_at": timestamp(entity.created_at),
        "by": entity.by,
        "doc": entity.doc,
        "interface": msgspec.to_builtins(entity.interface),
        "fixed": entity.fixed,
        "newest": msgspec.to_builtins(entity.newest),
        "trigger": msgspec.to_builtins(entity.trigger),
        "paused": entity.paused,
        "next": timestamp(entity.next),
        "warnings": list(entity.warnings),
    }


def referrer(entry: Referrer) -> dict[str, Any]:
    """Who refers to something registered."""
    return {
        "id": entry.id,
        "kind": entry.kind.value,
        "active": entry.active,
        "registered_at": timestamp(entry.created_at),
    }


def artifact(entry: ArtifactEntry) -> dict[str, Any]:
    """A version of an artifact."""
    import msgspec

    return {
        "id": entry.id,
        "partitions": entry.partitions,
        "digest": entry.digest,
        "execution": entry.execution,
        "output": entry.output,
        "entity": entry.entity,
        "type": msgspec.to_builtins(entry.type),
        "published_at": timestamp(entry.created_at),
    }


def project(found: ProjectEntry) -> dict[str, Any]:
    """A domain of a project."""
    return {
        "id": found.id,
        "project": found.project,
        "domain": found.domain,
        "versions": found.versions,
        "active": found.active,
        "registered_at": timestamp(found.registered_at),
        "launched_at": timestamp(found.launched_at),
    }


def entry(entry: ExecutionEntry) -> dict[str, Any]:
    """One execution of the history."""
    return {
        "id": entry.id,
        "workflow": entry.workflow,
        "entity": entry.entity,
        "project": entry.project,
        "domain": entry.domain,
        "phase": entry.phase.value,
        "created_at": timestamp(entry.created_at),
        "ended_at": timestamp(entry.ended_at),
        "cause": entry.cause,
        "labels": entry.labels,
    }


def notification(entry: NotificationEntry) -> dict[str, Any]:
    """A message to a channel."""
    return {
        "id": entry.id,
        "channel": entry.channel,
        "execution": entry.execution,
        "backfill": entry.backfill,
        "project": entry.project,
        "domain": entry.domain,
        "phase": entry.phase.value,
        "title": entry.title,
        "at": timestamp(entry.at),
        "state": entry.state.value,
        "tries": entry.tries,
        "next": timestamp(entry.next),
        "delivered_at": timestamp(entry.delivered_at),
        "failed": entry.failed,
    }


def refusal(entry: Refusal) -> dict[str, Any]:
    """What a trigger was to start, and what has not started."""
    return {
        "id": entry.id,
        "entity": entry.entity,
        "cause": entry.cause,
        "at": timestamp(entry.at),
        "reason": entry.reason,
    }


def backfill(entry: BackfillEntry) -> dict[str, Any]:
    """A backfill."""
    return {
        "id": entry.id,
        "entity": entry.entity,
        "phase": entry.phase.value,
        "reason": entry.reason,
        "from": timestamp(entry.since),
        "to": timestamp(entry.until),
        "concurrency": entry.concurrency,
        "again": entry.again,
        "reverse": entry.reverse,
        "notify_each": entry.notify_each,
        "created_at": timestamp(entry.created_at),
        "by": entry.by,
        "ended_at": timestamp(entry.ended_at),
        "ticks": {
            "total": entry.total,
            "waiting": entry.waiting,
            "running": entry.running,
            "succeeded": entry.succeeded,
            "failed": entry.failed,
            "there": entry.there,
        },
        "failures": [
            {"tick": timestamp(each.tick), "execution": each.execution, "reason": each.reason}
            for each in entry.failures
        ],
    }


def backfill_plan(plan: BackfillPlan) -> dict[str, Any]:
    """What a backfill would do."""
    first = [timestamp(tick) for tick in plan.first]
    return {"entity": plan.entity, "total": plan.total, "there": plan.there, "first": first}


def api_key(key: ApiKey) -> dict[str, Any]:
    """An API key, as it is listed."""
    import msgspec

    return {
        "name": key.name,
        "created_at": timestamp(key.created_at),
        "by": key.by,
        "expires_at": timestamp(key.expires_at),
        "grants": [msgspec.to_builtins(each) for each in key.grants],
        "limits": {name: getattr(key.limits, name) for name in key.limits.__struct_fields__},
    }


def audit(entry: AuditEntry) -> dict[str, Any]:
    """One entry of the audit log."""
    return {
        "number": entry.number,
        "at": timestamp(entry.at),
        "principal": entry.principal,
        "action": entry.action,
        "object": entry.object,
        "outcome": entry.outcome.value,
        "project": entry.project,
        "domain": entry.domain,
        "address": entry.address,
        "request": entry.request,
    }


def recovery(plan: RecoveryPlan) -> dict[str, Any]:
    """What recovering an execution would do."""
    nodes = [
        {
            "id": each.node,
            "task": each.task,
            "decision": each.decision.value,
            "reason": each.reason,
            "items": None if each.items is None else {"total": each.items, "kept": each.kept},
        }
        for each in plan.nodes
    ]
    return {"execution": plan.execution, "workflow": plan.workflow, "nodes": nodes, "more": plan.more}


def error(info: ErrorInfo) -> dict[str, Any]:
    """Why something failed."""
    return {"code": info.code, "message": info.message, "kind": info.kind.value, "node": info.node}


def details(view: ExecutionView, outputs: dict[str, Any] | None, inputs: dict[str, Any]) -> dict[str, Any]:
    """An execution in full: what `execution` says, and times, inputs and attempts."""
    document = execution(view, outputs)
    for each, found in zip(document["nodes"], view.nodes, strict=True):
        each["source"] = found.source
        each["history"] = [attempt(a, n) for n, a in enumerate(found.attempts)]
    if view.error is not None:
        document["error"]["trace"] = view.error.trace
        document["error"]["evidence"] = view.error.evidence
    from wingbeat.contracts.admin import REQUEST_LABEL

    return {
        **document,
        "workflow": view.workflow,
        "reason": view.reason,
        "inputs": inputs,
        "created_at": timestamp(view.created_at),
        "began_at": timestamp(view.began_at),
        "ended_at": timestamp(view.ended_at),
        "labels": {name: value for name, value in view.labels.items() if name != REQUEST_LABEL},
    }


def attempt(view: AttemptView, number: int) -> dict[str, Any]:
    """One attempt of a node, which was tried `number` times before."""
    return {
        "attempt": number,
        "phase": view.phase.value,
        "queued_at": timestamp(view.queued_at),
        "started_at": timestamp(view.started_at),
        "ended_at": timestamp(view.ended_at),
        "error": None if view.error is None else error(view.error),
        "evidence": view.evidence,
        "progress": None if view.progress is None else progress(view.progress),
        "deck": view.deck,
        "chosen": view.chosen,
    }


def progress(view: Progress) -> dict[str, Any] | None:
    """How far an attempt is, if it has said so."""
    return {"fraction": view.fraction, "text": view.text, "at": timestamp(view.at)} if view.at else None


def event(event: Published) -> dict[str, Any]:
    """One thing that happened in an execution."""
    return {
        "execution": event.execution,
        "cursor": event.cursor,
        "at": timestamp(event.at or None),
        "kind": event.kind,
        "phase": event.phase,
        "node": event.node,
        "task": event.task,
        "attempt": event.attempt,
        "cache": event.cache,
        "reason": event.reason,
        "evidence": event.evidence,
    }


def timestamp(at: float | None) -> str | None:
    """A time as ISO 8601 in UTC."""
    if at is None:
        return None
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat()
