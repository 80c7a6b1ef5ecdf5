"""What changes: which launch plans are active, how far the engine was followed, and what is to be launched. Pure.

It is one value, which is written whole: so a decision, and what it was made from, are kept together or not at all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from acme_ledger.times import decide, jitter_s
from wingbeat.contracts.admin import CAUSE_LABEL, ENTITY_LABEL
from wingbeat.contracts.engine import Change, Summary
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.triggers import OnEndSpec, ScheduleSpec, TriggerSpec

BUFFERED_MAX = 1000
"""So many ticks of one schedule may wait for their turn; what comes then is left out."""

Triggers = Mapping[str, TriggerSpec | None]
"""By ``project/domain/name@version``, of launch plans."""


def entities(execution: Summary) -> tuple[str, ...]:
    """What an execution is of: what was launched, and of a launch plan also its workflow, in the version of that."""
    entity = execution.labels.get(ENTITY_LABEL, "")
    if not entity:
        return ()
    name, _, version = entity.partition("@")
    return entity, f"{name.rpartition('/')[0]}/{execution.workflow}@{version}"


class Active(Struct, frozen=True, omit_defaults=True):
    """The active version of a launch plan.

    Attributes:
        since: Ends before this moment do not fire it.

        next: The first tick that was not looked at.

        paused: Why it lets its ticks pass.
    """

    version: str
    since: float
    watched: str = ""
    next: float | None = None
    paused: str = ""


class Due(Struct, frozen=True, omit_defaults=True):
    """A launch that was decided.

    Attributes:
        at: When it is due.

        waits: Whether it waits until others of its schedule have ended.

        counts: Whether others of its schedule may have to wait for it; if so, it is kept until it has ended.
    """

    entity: str
    plan: str
    cause: str
    at: float
    tick: float | None = None
    waits: bool = False
    counts: bool = False
    launched: bool = False


class Book(Struct, frozen=True, omit_defaults=True):
    """By launch plan what is active, by execution what is due."""

    cursor: int = 0
    active: dict[str, Active] = {}
    due: dict[str, Due] = {}

    def activated(self, plan: str, given: Active) -> Book:
        """With another active version. What is active already stays as it is."""
        before = self.active.get(plan)
        if before is not None and before.version == given.version:
            return self
        if before is not None and before.watched == given.watched:
            given = replace(given, since=before.since)
        return replace(self, active={**self.active, plan: given})

    def deactivated(self, plan: str) -> Book:
        """With none."""
        return replace(self, active={name: each for name, each in self.active.items() if name != plan})

    def paused(self, plan: str, reason: str, next_: float | None = None) -> Book:
        """With a launch plan paused; without a reason it goes on, with the tick `next_`."""
        active = self.active[plan]
        changed = replace(active, paused=reason, next=active.next if next_ is None else next_)
        return replace(self, active={**self.active, plan: changed})

    def noted(self, changes: Iterable[Change], triggers: Triggers, at: float) -> Book:
        """With what follows from changes. An execution that has ended changes no more, so each end is seen once."""
        book = self
        for change in changes:
            if change.execution.phase.terminal:
                book = book.without(change.execution.id).fired(change.execution, triggers, at)
            book = replace(book, cursor=change.number)
        return book

    def fired(self, ended: Summary, triggers: Triggers, at: float) -> Book:
        """With what the end of an execution fires, and with its schedule paused, if that says so."""
        entity, cause = ended.labels.get(ENTITY_LABEL, ""), ended.labels.get(CAUSE_LABEL, "")
        name, book = entity.partition("@")[0], self
        ran = {each.partition("@")[0] for each in entities(ended)}
        for plan, active in self.active.items():
            trigger = triggers.get(f"{plan}@{active.version}")
            timely = ended.ended_at is None or ended.ended_at >= active.since
            fires = isinstance(trigger, OnEndSpec) and trigger.workflow in ran and ended.phase in trigger.phases
            if plan != name and fires and timely:  # what waits for its own workflow does not start itself
                book = book.including(execution_id(plan, ended.id), Due(f"{plan}@{active.version}", plan, ended.id, at))
            failed = ended.phase in (ExecutionPhase.FAILED, ExecutionPhase.TIMED_OUT) and cause.startswith("tick ")
            if failed and name == plan and isinstance(trigger, ScheduleSpec) and trigger.pause_on_failure:
                book = book.paused(plan, f"the execution {ended.id} has failed")
        return book

    def looked(self, triggers: Triggers, now: float) -> Book:
        """With what the ticks come to that have passed."""
        book = self
        for plan, active in self.active.items():
            schedule = triggers.get(f"{plan}@{active.version}")
            if active.next is None or active.next > now or active.paused or not isinstance(schedule, ScheduleSpec):
                continue
            passed, following = decide(schedule, active.next, now)
            for tick in passed:
                book = book._ticked(plan, active.version, schedule, tick)
            book = replace(book, active={**book.active, plan: replace(active, next=following)})
        return book

    def _ticked(self, plan: str, version: str, schedule: ScheduleSpec, tick: float) -> Book:
        overlap, book = schedule.overlap, self
        others = [each for each in self.due.values() if each.plan == plan and each.counts]
        waiting = sum(not each.launched for each in others)
        if (overlap == "skip" and others) or (overlap == "buffer_one" and waiting) or waiting >= BUFFERED_MAX:
            return self
        if overlap in ("cancel_other", "terminate_other"):  # what has not begun is not begun any more
            left = {id: d for id, d in self.due.items() if d.plan != plan or not d.counts or d.launched}
            book = replace(self, due=left)
        cause = f"tick {datetime.fromtimestamp(tick, UTC).isoformat()}"
        due = Due(
            f"{plan}@{version}", plan, cause, tick + jitter_s(schedule, plan, tick), tick,
            waits=overlap.startswith("buffer"), counts=overlap != "allow_all",
        )  # fmt: skip
        return book.including(execution_id(plan, cause), due)

    def including(self, execution: str, due: Due) -> Book:
        """With one more launch."""
        return replace(self, due={execution: due, **self.due})  # one that is there stays as it is

    def ready(self, now: float) -> dict[str, Due]:
        """What is to be launched now."""
        return {id: d for id, d in self.due.items() if not d.launched and d.at <= now and not self._held(id, d)}

    def _held(self, execution: str, due: Due) -> bool:
        """Whether others of its schedule come first."""
        others = (d for id, d in self.due.items() if id != execution and d.plan == due.plan and d.counts)
        return due.waits and any(other.launched or (other.tick or 0) < (due.tick or 0) for other in others)

    def before(self, execution: str) -> list[str]:
        """Executions of the same schedule that were launched and have not ended, as far as is known."""
        plan = self.due[execution].plan if execution in self.due else ""
        return [id for id, d in self.due.items() if d.plan == plan and d.counts and d.launched and id != execution]

    def launched(self, execution: str) -> Book:
        """It is in the engine. It may have ended by now; then it is not here any more."""
        due = self.due.get(execution)
        if due is None or not due.counts:
            return self.without(execution)
        return replace(self, due={**self.due, execution: replace(due, launched=True)})

    def without(self, execution: str) -> Book:
        """It has ended, or cannot be launched."""
        if execution not in self.due:
            return self
        return replace(self, due={id: due for id, due in self.due.items() if id != execution})

    def wake(self) -> float | None:
        """When a tick comes next, or what is due."""
        ticks = [each.next for each in self.active.values() if each.next is not None and not each.paused]
        return min([*ticks, *(d.at for d in self.due.values() if not d.launched)], default=None)


def execution_id(plan: str, cause: str) -> str:
    """Under which name a trigger launches: the same however often it is worked out, whatever the version."""
    what = hashlib.sha256(f"{plan} {cause}".encode()).hexdigest()[:16]
    head = re.sub(r"[^a-z0-9]+", "-", plan.rpartition("/")[2].lower())[:40].strip("-")
    return f"{head}-{what}" if head else what
