"""Limits of executions: how many of a name are under way at once, who waits for a turn, and whose turn it is.

Pure: what it is told and asks for are names. It holds nothing that is not also in the journal: which executions have begun and
not ended, which wait, and in which order they came. So a restart tells it the same again (`adopt`, in the order of the
launches, then `settle`), and what it had asked for and was not done is asked for again.

A slot is free when the end of its holder is durable; whoever comes next begins behind that. So there are never more than the
limit, at no moment of the journal.

Whoever is first in line is waited for. Those that replace others come before those that queue; of these, a priority of one
counts as much as having come `AGEING_S` earlier, so that the order of two never changes while they wait.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import takewhile
from operator import attrgetter
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from wingbeat.base.errors import LimitReached
from wingbeat.engine.pools import AGEING_S, HOLDERS_TOLD
from wingbeat.spec.entities import ConcurrencySpec


class Executions(Protocol):
    """What limits are of, by id."""

    def parent(self, execution: str) -> str:
        """The execution that waits for the end of this one; empty if none does."""

    def ending(self, execution: str) -> bool:
        """Whether it is on its way to its end, so that it need not be stopped."""

    def stuck(self, execution: str) -> bool:
        """Whether it cannot go on, so that its end is not to be waited for."""

    def admit(self, execution: str) -> None:
        """It may begin."""

    def stop(self, execution: str, reason: str) -> None:
        """Have it end."""


class Arrival(Struct, frozen=True):
    """What becomes of an execution that is launched: it begins, waits, or (`skipped` says why) ends at once.

    Attributes:
        since: Since when it waits; to be kept, so that a restart knows it.
    """

    begins: bool
    skipped: str = ""
    since: float = 0.0


class _Waiting(Struct):
    """Whoever waits for a turn. `key`: smaller is first."""

    id: str
    spec: ConcurrencySpec
    number: int
    ancestors: tuple[str, ...]
    key: tuple[bool, float, int]


_key = attrgetter("key")


class _Group:
    """Everything of one name. `holders`: those that have begun, with the number that says when they came. `line`: in order.
    `changed`: the limit that `Limits.change` has said last."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.holders: dict[str, int] = {}
        self.waiting: dict[str, _Waiting] = {}
        self.line: list[_Waiting] = []
        self.changed = 0

    def place(self, id: str) -> int:
        return bisect_left(self.line, self.waiting[id].key, key=_key)


class Limits:
    """Decides who begins. Every call is one step: nothing happens meanwhile."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._groups: dict[str, _Group] = {}
        self._group_of: dict[str, _Group] = {}
        self._stopped: dict[str, str] = {}
        self._awaiting: Counter[str] = Counter()  # by execution, how many of those below it wait for a turn
        self._count, self._latest = 0, 0.0

    def arrive(self, id: str, spec: ConcurrencySpec, parent: str, now: float) -> Arrival:
        """An execution is launched.

        Raises:
            LimitReached: It cannot begin, and its limit says that this is an error; or it would wait for ever, for an
                execution that waits for it.
        """
        group = self._groups.setdefault(spec.name, _Group(spec.name))
        if not group.waiting and len(group.holders) < spec.limit:
            self._hold(group, id)
            return Arrival(begins=True)
        if spec.on_limit == "skip":
            return Arrival(begins=False, skipped=f"skipped: {self._why(group, spec.limit, len(group.line))}")
        if spec.on_limit == "fail":
            raise LimitReached(
                f"Execution {id!r} was not launched: {self._why(group, spec.limit, len(group.line))}.",
                hint="Launch it when there is room; with on_limit='queue' it would wait for its turn.",
            )
        self._line_up(group, id, spec, parent, now)
        place = group.place(id)
        if (obstacle := self._obstacle(group, group.waiting[id])) is not None:
            self._leave(id)
            raise LimitReached(
                f"Execution {id!r} would wait for ever: {self._why(group, spec.limit, place)}, and {obstacle} waits for its end.",
                hint="Give what is called another limit than what calls it, or a higher one.",
            )
        return Arrival(begins=id in self._let_go(group), since=self._latest)

    def launched(self, id: str) -> None:
        """What is asked for from now on becomes durable behind the launch: who is to give way gives way."""
        if (group := self._group_of.get(id)) is not None:
            self._replace(group)

    def adopt(self, id: str, name: str, waits: tuple[ConcurrencySpec, float] | None, parent: str) -> None:
        """An execution was there before a restart: it has begun, or waits under a limit since some time.

        One that could not be read at first is adopted again when it can; what was asked of it then is asked again.
        """
        known = self._group_of.get(id)
        if known is not None and waits is None and id in known.holders:
            self._stopped.pop(id, None)
            return
        if known is not None:
            self._leave(id)
        group = self._groups.setdefault(name, _Group(name))
        if waits is None:
            self._hold(group, id)
        else:
            self._line_up(group, id, waits[0], parent, waits[1])

    def settle(self) -> None:
        """All that were there are adopted: go on."""
        for group in list(self._groups.values()):
            self._replace(group)
            self._go_on(group)

    def change(self, name: str, limit: int) -> None:
        """A limit is another one now, also for those that wait."""
        group = self._groups.get(name)
        if group is not None and group.changed != limit:
            group.changed = limit
            for waiting in group.line:
                waiting.spec = replace(waiting.spec, limit=limit)
            self._go_on(group)

    def waited_for(self) -> dict[str, int]:
        """Limits in whose lines somebody waits: that of who is first, by name."""
        return {group.name: group.line[0].spec.limit for group in self._groups.values() if group.line}

    def ended(self, id: str) -> None:
        """The end of an execution is durable."""
        group = self._group_of.get(id)
        if group is not None:
            self._leave(id)
            self._go_on(group)

    def told(self, id: str) -> str:
        """For what an execution waits; empty if it does not."""
        group = self._group_of.get(id)
        if group is None or id not in group.waiting:
            return ""
        return f"waiting for its turn: {self._why(group, group.waiting[id].spec.limit, group.place(id))}"

    # -- who is where

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _hold(self, group: _Group, id: str) -> None:
        group.holders[id] = self._next()
        self._group_of[id] = group

    def _line_up(self, group: _Group, id: str, spec: ConcurrencySpec, parent: str, since: float) -> None:
        number = self._next()
        self._latest = max(self._latest, since)  # a clock that is set back puts nobody before those who are there
        came = 0.0 if spec.on_limit == "replace" else self._latest - spec.priority * AGEING_S
        waiting = _Waiting(id, spec, number, tuple(self._ancestors(parent)), (spec.on_limit != "replace", came, number))
        group.waiting[id] = waiting
        insort(group.line, waiting, key=_key)
        self._group_of[id] = group
        self._awaiting.update(waiting.ancestors)

    def _unline(self, group: _Group, id: str) -> None:
        del group.line[group.place(id)]
        for ancestor in group.waiting.pop(id).ancestors:
            self._awaiting[ancestor] -= 1
            if not self._awaiting[ancestor]:
                del self._awaiting[ancestor]

    def _leave(self, id: str) -> None:
        group = self._group_of.pop(id)
        self._stopped.pop(id, None)
        if group.holders.pop(id, None) is None:
            self._unline(group, id)
        if not group.holders and not group.waiting:
            del self._groups[group.name]

    def _ancestors(self, parent: str) -> Iterator[str]:
        while parent:
            yield parent
            parent = self._executions.parent(parent)

    # -- whose turn it is

    def _go_on(self, group: _Group) -> None:
        for id in self._let_go(group):
            self._executions.admit(id)

    def _let_go(self, group: _Group) -> list[str]:
        """Give free slots to those whose turn it is."""
        gone = []
        while group.line and len(group.holders) < group.line[0].spec.limit:
            first = group.line[0]
            self._unline(group, first.id)
            group.holders[first.id] = first.number
            gone.append(first.id)
        return gone

    def _replace(self, group: _Group) -> None:
        """Stop those in whose place others wait to begin."""
        for id, reason in self._replaced(group):
            self._stopped[id] = reason
            self._executions.stop(id, reason)

    def _replaced(self, group: _Group) -> list[tuple[str, str]]:
        """Of those that go on, and those that wait to replace others: the oldest, as far as the newest needs room."""
        replacing = {w.id: w for w in takewhile(_replaces, group.line) if not self._ends(w.id)}
        if not replacing:
            return []
        newest = max(replacing.values(), key=lambda w: w.number)
        numbers = {id: number for id, number in group.holders.items() if not self._ends(id)}
        numbers |= {id: w.number for id, w in replacing.items()}
        oldest = sorted(numbers, key=numbers.__getitem__)
        return [(id, f"replaced by {newest.id}") for id in oldest[: max(len(oldest) - newest.spec.limit, 0)]]

    def _ends(self, id: str) -> bool:
        return id in self._stopped or self._executions.ending(id)

    # -- who would wait for itself

    def _obstacle(self, group: _Group, newcomer: _Waiting) -> str | None:
        """Who waits for a newcomer and is in its way; None if its turn comes in the end."""
        ancestors = newcomer.ancestors
        for id, _ in self._replaced(group):
            if id in ancestors:
                return id
        waited_for = any(self._awaiting[id] and not self._ends(id) for id in group.holders)
        if not ancestors or not waited_for or self._turn_comes(newcomer):
            return None
        return next((a for a in ancestors if a in group.holders), ancestors[0])

    def _turn_comes(self, newcomer: _Waiting) -> bool:
        """Whether enough of those end that are in its way: who waits for none that wait, or only for those whose turn comes."""
        comes: set[str] = set()
        while newcomer.id not in comes:
            groups = self._groups.values()
            blocked = {a for group in groups for w in group.line if w.id not in comes for a in w.ancestors}
            more = {w.id for group in groups for w in self._coming(group, blocked)} - comes
            if not more:
                return False
            comes |= more
        return True

    def _coming(self, group: _Group, blocked: set[str]) -> Iterator[_Waiting]:
        """Whose turn comes when all have ended that are not blocked; behind one whose turn does not come, nobody's does."""
        staying = sum(id in blocked and not self._ends(id) for id in group.holders)
        return takewhile(lambda w: staying < w.spec.limit, group.line)

    # -- in words

    def _why(self, group: _Group, limit: int, before: int) -> str:
        """Who has the slots, and who comes before: so many of the line."""
        verb, holders = "is" if len(group.holders) == 1 else "are", [self._holder(id) for id in group.holders]
        text = f"{len(holders)} of {limit} of limit {group.name!r} {verb} held by {_named(holders)}"
        if before:
            ahead = [w.id for w in group.line[: min(before, HOLDERS_TOLD + 1)]]
            text += f"; {before} {'is' if before == 1 else 'are'} before it: {_named(ahead)}"
        return text

    def _holder(self, id: str) -> str:
        if self._executions.stuck(id):
            return f"{id} (which cannot go on)"
        return f"{id} (ending: {self._stopped[id]})" if id in self._stopped else id


def _replaces(waiting: _Waiting) -> bool:
    return waiting.spec.on_limit == "replace"


def _named(ids: Sequence[str]) -> str:
    return ", ".join(ids[:HOLDERS_TOLD]) + (", …" if len(ids) > HOLDERS_TOLD else "")
