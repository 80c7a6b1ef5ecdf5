"""What is in the file: statements and transactions, without waiting. Everything is called in one thread."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

import msgspec
from msgspec import Struct

from wingbeat.base.errors import InputError, NotFound
from wingbeat.contracts.admin import (
    BY_LABEL,
    CAUSE_LABEL,
    ENTITY_LABEL,
    PAGE_MAX,
    Definition,
    Entity,
    EntityPage,
    EntityQuery,
    ExecutionPage,
    ExecutionQuery,
    NotificationEntry,
    NotificationPage,
    NotificationQuery,
    Registered,
)
from wingbeat.contracts.artifacts import USES_LABEL, ArtifactEntry, ArtifactPage, ArtifactQuery, Lineage
from wingbeat.contracts.backfill import BACKFILL_LABEL
from wingbeat.contracts.engine import Change, ExecutionView, Summary
from wingbeat.spec.identity import Identity, Name, parse_identity, version_key
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.triggers import OnEndSpec
from wingbeat_admin.local import active, artifacts, backfills, due, history, inventory, notices, refusals, retention
from wingbeat_admin.local.due import Due
from wingbeat_admin.local.notices import Notice
from wingbeat_admin.local.telling import Deadline, labels_of, summary_of
from wingbeat_admin.settings import Rule

P = ParamSpec("P")
T = TypeVar("T")

PARENT_LABEL = "wingbeat/parent"
"""Label of an execution that another one has launched: ``execution/node``."""
_labels = msgspec.json.Decoder(dict[str, str])


class Noted(Struct, frozen=True):
    """What has followed from what was taken note of: launches that may be due, messages and deadlines."""

    launches: int = 0
    notices: int = 0


class Store:
    """The tables of an admin, in an open file.

    Args:
        rules: Who is told of executions, besides what their launch plans say.
    """

    def __init__(self, db: sqlite3.Connection, rules: Sequence[Rule] = ()) -> None:
        self._db, self.rules = db, rules
        (self._told_since,) = db.execute("SELECT value FROM meta WHERE key = 'told_since'").fetchone()
        self._within = False

    @property
    def db(self) -> sqlite3.Connection:
        """The file: for modules with statements of their own, within `transaction`."""
        return self._db

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. Within another one it is a part of that."""
        if self._within:
            yield self._db
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._within = True
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.rollback()
            raise
        finally:
            self._within = False

    def within(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something by statements of another module, all or nothing."""
        with self.transaction() as db:
            return work(db, *args, **kwargs)

    # -- the inventory, and what of it is active

    def register(
        self, ids: Sequence[Identity], definitions: Sequence[Definition], at: float, by: str
    ) -> list[Registered]:
        """All or none. Raises ConflictError."""
        with self.transaction() as db:
            found = inventory.register(db, ids, definitions, at, by)
            for id, each in zip(ids, found, strict=True):
                if each.created:
                    active.fire_version(db, "registered", id, at)
            return found

    def entity(self, name: Name, version: str) -> Entity:
        """One version; without it, the active or else the newest one. Raises NotFound."""
        return inventory.entity(self._db, name, version)

    def definition(self, id: Identity) -> Definition:
        """What was registered. Raises NotFound."""
        return inventory.definition(self._db, id)

    def entities(self, query: EntityQuery) -> EntityPage:
        """A page. Raises NotFound for an `after` that is not there."""
        return inventory.page(self._db, query)

    def activate(self, id: Identity, watched: str, first: float | None, at: float) -> None:
        """Make a version the active one: see `active.activate`."""
        with self.transaction() as db:
            active.activate(db, id, watched, first, at)

    def pause(self, name: Name, reason: str, next_: float | None) -> bool:
        """Pause with a reason, or (without) go on with the tick `next_`; False if it is not active."""
        return active.pause(self._db, name, reason, next_)

    def deactivate(self, name: Name) -> None:
        """Have none be active."""
        with self.transaction() as db:
            active.deactivate(db, name)

    def look(self, now: float) -> tuple[int, float | None]:
        """Decide about the ticks that have come; says how many launches are due, and when to look again."""
        with self.transaction() as db:
            return active.look(db, now)

    # -- the history, and what follows from it

    def cursor(self) -> int:
        """The last change that was taken note of."""
        (value,) = self._db.execute("SELECT value FROM meta WHERE key = 'cursor'").fetchone()
        return int(value)

    def project(self, changes: Sequence[Change], at: float) -> Noted:
        """Take note of changes, of what triggers decide for them, and of whom they are to be told, at once."""
        found = told = 0
        with self.transaction():
            for change in changes:
                before = self._phase(change.execution.id)
                self._write(change.execution, before)
                if change.execution.phase != before:
                    told += self._note(change.execution, at, new=before is None)
                if change.execution.phase.terminal and not (before or ExecutionPhase.RUNNING).terminal:
                    found += due.ended(self._db, change.execution.id)
                    backfills.ended(self._db, change.execution, at)
                    found += self._fire_end(change.execution, at)
                    found += self._succeeded(change.execution, at)
                    self._pause_failed(change.execution)
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'cursor'", (changes[-1].number,))
        return Noted(found, told)

    def _fire_end(self, summary: Summary, at: float) -> int:
        """Decide what its end starts: what waits for what was launched, and where that is a launch plan, for its workflow."""
        if not (watched := summary.labels.get(ENTITY_LABEL, "").partition("@")[0]):
            return 0
        count = active.fire_end(self._db, watched, summary, at)
        id = _of(summary)
        workflow = None if id is None else inventory.launched_by(self._db, id)
        if id is not None and workflow is not None and str(workflow) != watched:
            plan = inventory.plan(self._db, id)
            # A launch plan that waits for its own workflow would start itself, and others of that kind, for ever.
            waits = plan is not None and isinstance(plan.trigger, OnEndSpec) and plan.trigger.workflow == str(workflow)
            count += active.fire_end(self._db, str(workflow), summary, at, again=not waits)
        return count

    def _note(self, summary: Summary, at: float, *, new: bool) -> int:
        """Decide who is told of the phase that it has come into. A child execution is its parent's affair."""
        if PARENT_LABEL in summary.labels or backfills.is_told_as_one(self._db, summary.labels):
            return 0
        specs = [rule.spec for rule in self.rules if rule.fits(summary.labels)]
        if (id := _of(summary)) is not None:
            plan = inventory.plan(self._db, id)
            specs += () if plan is None else plan.notifications
        if not specs and not summary.phase.terminal:
            return 0
        return notices.note(self._db, specs, summary, new=new, now=at, since=self._told_since)

    def _succeeded(self, summary: Summary, at: float) -> int:
        """Take note of what is to be published; 1 if something is."""
        id = _of(summary)
        if summary.phase is not ExecutionPhase.SUCCEEDED or id is None or not inventory.is_registered(self._db, id):
            return 0
        if not self.definition(id).closure.workflow.publishes:
            return 0
        ended = at if summary.ended_at is None else summary.ended_at
        return artifacts.add_publishing(self._db, summary.id, str(id), ended)

    def publishing(self, limit: int) -> list[artifacts.Publishing]:
        """Executions whose artifacts are still to be made."""
        return artifacts.publishing(self._db, limit)

    def publish(self, execution: str, entries: Sequence[ArtifactEntry], at: float) -> int:
        """Make the artifacts of an execution, and decide what follows; says how many launches may be due."""
        found = 0
        with self.transaction():
            for entry in entries:
                name = parse_identity(entry.id).entity
                if artifacts.add(self._db, name, entry):
                    found += active.fire_artifact(self._db, name, entry, at)
            artifacts.published(self._db, execution)
        return found

    def artifacts(self, query: ArtifactQuery) -> ArtifactPage:
        """A page. Raises NotFound for an `after` that is not there."""
        return artifacts.page(self._db, query)

    def artifact(self, reference: str, partitions: dict[str, str]) -> ArtifactEntry:
        """A version, or the newest. Raises NotFound."""
        return artifacts.one(self._db, reference, partitions)

    def lineage(self, id: str, within: tuple[str, ...] | None = None) -> Lineage:
        """Both ways, as far as it is within these places. Raises NotFound."""
        return artifacts.lineage(self._db, id, within)

    def _pause_failed(self, summary: Summary) -> None:
        """Pause the schedule that has launched it, if it says so."""
        id, cause = _of(summary), summary.labels.get(CAUSE_LABEL, "")
        if not cause.startswith("tick ") or BACKFILL_LABEL in summary.labels or id is None:
            return
        if summary.phase not in (ExecutionPhase.FAILED, ExecutionPhase.TIMED_OUT):
            return
        schedule = active.schedule(self._db, id)
        if schedule is not None and schedule.pause_on_failure:
            active.pause(self._db, id.entity, f"the execution {summary.id} has failed", None)

    def _phase(self, execution: str) -> ExecutionPhase | None:
        row = self._db.execute("SELECT phase FROM executions WHERE id = ?", (execution,)).fetchone()
        return None if row is None else ExecutionPhase(row[0])

    def _write(self, summary: Summary, before: ExecutionPhase | None) -> None:
        labels = summary.labels
        entity, cause = labels.get(ENTITY_LABEL, ""), labels.get(CAUSE_LABEL, "")
        named, _, version = entity.partition("@")
        name = named.rpartition("/")[2]
        id = _of(summary)
        runs = "" if id is None else inventory.launches(self._db, id)
        shown = labels_of(labels)
        self._db.execute(
            "INSERT INTO executions (id, workflow, phase, created_at, ended_at, project, domain, name, entity, cause, labels, "
            "version_key, by, runs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET phase = excluded.phase, ended_at = excluded.ended_at",
            (
                summary.id, summary.workflow, summary.phase, summary.created_at, summary.ended_at, labels.get("project", ""),
                labels.get("domain", ""), name, entity, cause, msgspec.json.encode(shown),
                version_key(version), labels.get(BY_LABEL, ""), runs or name,
            ),
        )  # fmt: skip
        history.add_labels(self._db, summary.id, shown)
        if entity and summary.phase != before:
            history.mark_unread(self._db, summary.id)
        if parent := labels.get(PARENT_LABEL, "").partition("/")[0]:
            artifacts.add_parent(self._db, summary.id, parent)
        if uses := labels.get(USES_LABEL):
            with contextlib.suppress(msgspec.DecodeError):  # a label that is none of ours
                artifacts.add_uses(self._db, summary.id, _labels.decode(uses).items())

    def _summary(self, execution: str) -> Summary:
        """What the history has of an execution."""
        return summary_of(history.entry(self._db, execution))

    def ready(self, now: float, limit: int) -> list[Due]:
        """What is to be launched now."""
        return due.ready(self._db, now, limit)

    def earliest(self, now: float) -> float | None:
        """When the next launch is due that waits for its time."""
        return due.earliest(self._db, now)

    def others(self, one: Due) -> list[str]:
        """Executions of the same schedule that have not ended."""
        return due.others(self._db, one)

    def launched(self, execution: str) -> None:
        """It is in the engine's journal."""
        with self.transaction():
            due.launched(self._db, execution)

    def postponed(self, execution: str, at: float) -> None:
        """It cannot be launched now, but later."""
        due.postponed(self._db, execution, at)

    def refused(self, execution: str, why: str) -> None:
        """It cannot be launched, now or later; that is kept."""
        with self.transaction():
            refusals.refuse(self._db, execution, why)

    def executions(self, query: ExecutionQuery) -> ExecutionPage:
        """A page. Raises NotFound for an `after` that is not there, InputError for a condition that is none."""
        return history.page(self._db, query)

    def retained(self, executions: Sequence[str]) -> dict[str, str]:
        """Those of these that must stay, each with why."""
        return retention.retained(self._db, executions)

    def forget(self, executions: Sequence[str]) -> None:
        """Let go of these, which have ended."""
        with self.transaction():
            retention.forget(self._db, executions)

    def unread(self, limit: int) -> list[tuple[str, int]]:
        """Executions whose values are still to be looked at, with their marks."""
        return history.unread(self._db, limit)

    def add_values(self, found: Sequence[history.Values]) -> None:
        """They were looked at."""
        with self.transaction():
            history.add_values(self._db, found)

    # -- what is told

    def deadlines(self, now: float, limit: int) -> list[Deadline]:
        """Deadlines that have come, of executions that had not ended as far as was known."""
        return notices.deadlines_come(self._db, now, limit)

    def next_deadline(self) -> float | None:
        """When the next one comes."""
        return notices.next_deadline(self._db)

    def settle(self, deadline: Deadline, late: ExecutionView | None, now: float) -> int:
        """A deadline has come: have it told if the execution is late, and look at it no more; 1 if it is to be told."""
        with self.transaction():
            if not notices.settled(self._db, deadline) or late is None:
                return 0
            summary = msgspec.structs.replace(
                self._summary(deadline.execution), phase=late.phase, ended_at=late.ended_at
            )
            return notices.add_missed(self._db, summary, deadline, now)

    def untold(self, channels: Sequence[str], others: bool, now: float, limit: int) -> list[Notice]:
        """What is to be sent now over these channels, or all others."""
        with self.transaction():
            return notices.waiting(self._db, channels, others=others, now=now, limit=limit)

    def next_untold(self, channels: Sequence[str], others: bool) -> float | None:
        """When the next one is to be sent over them."""
        return notices.earliest(self._db, channels, others=others)

    def delivered(self, id: str, now: float) -> None:
        """Its receiver has taken it."""
        with self.transaction():
            notices.delivered(self._db, id, now)

    def undelivered(self, id: str, why: str) -> None:
        """It was not taken, this time."""
        notices.failed(self._db, id, why)

    def given_up(self, id: str, why: str, now: float) -> None:
        """It was not taken, and is sent no more."""
        notices.given_up(self._db, id, why, now)

    def resend(self, id: str, now: float) -> NotificationEntry:
        """Have it sent again. Raises NotFound."""
        if not notices.resend(self._db, id, now):
            raise NotFound(f"There is no notification {id!r}.", hint="'wingbeat get notifications' lists them.")
        return notices.entry(self._db, id)

    def notifications(self, query: NotificationQuery) -> NotificationPage:
        """A page. Raises NotFound for an `after` that is not there."""
        if query.after and not notices.known(self._db, query.after, query.within):
            raise NotFound(f"There is no notification {query.after!r}.")
        limit = max(1, min(query.limit, PAGE_MAX))
        found = notices.entries(self._db, query, limit + 1)
        return NotificationPage(found[:limit], found[limit - 1].id if len(found) > limit else "")


def _of(summary: Summary) -> Identity | None:
    """What an execution is of; None if that is nothing registered."""
    try:
        return parse_identity(summary.labels.get(ENTITY_LABEL, ""))
    except InputError:
        return None
