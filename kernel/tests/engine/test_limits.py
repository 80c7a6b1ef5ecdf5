"""The admission of executions by itself, in random worlds: order, limits, crashes, and children of those that wait."""

import random

import pytest

from wingbeat.base.errors import LimitReached
from wingbeat.engine.limits import Limits
from wingbeat.engine.pools import AGEING_S
from wingbeat.spec.entities import ConcurrencySpec

POLICIES = ("queue", "queue", "queue", "replace", "skip", "fail")


class World:
    """A journal of executions that begin, wait and end, and a kernel that is killed now and then.

    Attributes:
        waiting: Those that have not begun, with their spec and since when; in the order of their launches.

        begun: Those that have, with their limit.

        names, parents: By execution: of its limit, and who waits for it.

        asked: What limits asked for, which is not durable yet.
    """

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.now = 1000.0
        self.limits = Limits(self)
        self.number = 0
        self.launched = []
        self.waiting, self.begun, self.names = {}, {}, {}
        self.parents, self.endings, self.asked, self.bounds = {}, set(), [], {}
        self.limit_of, self.newest, self.refused = {}, {}, 0

    # -- Executions

    def parent(self, execution):
        return self.parents.get(execution, "")

    def ending(self, execution):
        return execution in self.endings

    def stuck(self, execution):
        return False

    def admit(self, execution):
        assert self.line(self.names[execution])[0] == execution, "it is its turn"
        self.asked.append(("admit", execution))

    def stop(self, execution, reason):
        assert execution not in self.endings, "it is on its way already"
        newest = reason.removeprefix("replaced by ")
        assert execution not in self.ancestors(newest), "nobody replaces who waits for it"
        assert newest in self.waiting
        self.asked.append(("stop", execution))
        self.newest[execution] = newest

    # -- what happens

    def arrive(self):
        """Launches are committed behind everything that was asked for before."""
        while self.asked:
            self.deliver()
        rng = self.rng
        self.number += 1
        id, name = f"x{self.number}", rng.choice("AB")
        bound = self.bounds.setdefault(name, rng.choice((1, 1, 2, 3)))
        limit = rng.choice((bound, bound, bound, bound + 1))  # of a newer version
        spec = ConcurrencySpec(name, limit, rng.choice(POLICIES), rng.choice((0, 0, 3)))
        parent = rng.choice(["", *(b for b in self.begun if b not in self.endings)])
        line = self.line(name)
        self.parents[id] = parent
        try:
            arrival = self.limits.arrive(id, spec, parent, self.now)
        except LimitReached as error:
            self.refusal(spec, parent, str(error))
            return
        if arrival.skipped:
            assert spec.on_limit == "skip"
            return
        self.launched.append(id)
        self.names[id], self.limit_of[id] = name, limit
        if arrival.begins:
            self.waiting[id] = (spec, arrival.since)
            assert self.line(name) == [id, *line], "nobody passes those who wait"
            del self.waiting[id]
            self.begin(id)
        else:
            assert all(arrival.since >= self.waiting[other][1] for other in line), "nobody comes before by a clock"
            self.waiting[id] = (spec, arrival.since)
        assert bool(self.limits.told(id)) is not arrival.begins
        self.limits.launched(id)

    def refusal(self, spec, parent, message):
        assert spec.on_limit == "fail" or (parent and "for ever" in message)
        self.refused += 1

    def ancestors(self, id):
        while id := self.parents.get(id, ""):
            yield id

    def begin(self, id):
        self.begun[id] = self.names[id]
        begun = [other for other, name in self.begun.items() if name == self.names[id]]
        assert len(begun) <= max(self.limit_of[other] for other in begun), "never more than the limit"

    def line(self, name):
        """Who waits, in the order in which they come."""
        keys, admitted = [], {i for what, i in self.asked if what == "admit"}
        for number, id in enumerate(self.launched):
            if id in self.waiting and id not in admitted and self.names[id] == name:
                spec, since = self.waiting[id]
                key = (0, 0.0) if spec.on_limit == "replace" else (1, since - spec.priority * AGEING_S)
                keys.append((*key, number, id))
        return [key[-1] for key in sorted(keys)]

    def deliver(self):
        """The engine commits what it was asked for."""
        what, id = self.asked.pop(0)
        if what == "admit" and id in self.waiting:
            del self.waiting[id]
            self.begin(id)
        elif what == "stop":
            self.abort(id)

    def abort(self, id):
        """An execution is to end: at once if it waits, else when what it waits for has ended."""
        if id in self.waiting:
            self.over(id)
        elif id in self.begun:
            self.endings.add(id)
            for child in [c for c, p in self.parents.items() if p == id]:
                self.abort(child)

    def busy(self, id):
        return any(p == id and (c in self.begun or c in self.waiting) for c, p in self.parents.items())

    def over(self, id):
        self.waiting.pop(id, None)
        self.begun.pop(id, None)
        self.endings.discard(id)
        self.limits.ended(id)

    def restart(self):
        """What was asked for and not done is forgotten with the kernel."""
        undone = {id for what, id in self.asked if what == "stop" and self.gives_way(id)}
        self.asked.clear()
        self.limits = Limits(self)
        for id in self.launched:
            if id in self.waiting or id in self.begun:
                self.limits.adopt(id, self.names[id], self.waiting.get(id), self.parents[id])
        self.limits.settle()
        assert undone <= {id for what, id in self.asked if what == "stop"}, "who gives way is asked to again"

    def gives_way(self, id):
        """Whether an execution is under way, and the last one that waits to replace others wants its place."""
        replacing = [w for w, (spec, _) in self.waiting.items() if spec.on_limit == "replace" and w not in self.endings]
        ours = [w for w in replacing if self.names[w] == self.names[id]]
        return (id in self.waiting or id in self.begun) and ours[-1:] == [self.newest[id]]

    def step(self):
        rng = self.rng
        self.now += rng.choice((0.0, 1.0, 30.0, -20.0))
        dice = rng.random()
        free = [id for id in self.begun if not self.busy(id)]
        if dice < 0.4:
            self.arrive()
        elif dice < 0.65 and self.asked:
            self.deliver()
        elif dice < 0.9 and free:
            self.over(rng.choice(free))
        elif dice < 0.95 and (self.begun or self.waiting):
            self.abort(rng.choice([*self.begun, *self.waiting]))
        elif dice > 0.98:
            self.restart()

    def calm(self):
        """Nothing is launched any more; everything ends."""
        for _ in range(10_000):
            if self.asked:
                self.deliver()
                continue
            free = [id for id in self.begun if not self.busy(id)]
            if not free:
                break
            self.over(self.rng.choice(free))
        assert not self.waiting, f"these wait for ever: {self.waiting}, {self.begun}"
        assert not self.begun
        left = self.limits._groups, self.limits._group_of, self.limits._stopped, self.limits._awaiting
        assert not any(left), "nothing is left of what has ended"


@pytest.mark.parametrize("part", range(4))
def test_in_random_worlds_nobody_is_one_too_many_passes_others_or_waits_for_ever(part):
    refused = 0
    for seed in range(part * 200, part * 200 + 200):
        world = World(seed)
        for _ in range(120):
            world.step()
        world.calm()
        refused += world.refused
    assert refused


class Names:
    """Executions by what their names say: nothing ends, and parents are given."""

    def __init__(self, **parents):
        self.parents, self.said = parents, []

    def parent(self, execution):
        return self.parents.get(execution, "")

    def ending(self, execution):
        return False

    def stuck(self, execution):
        return False

    def admit(self, execution):
        self.said.append(f"admit {execution}")

    def stop(self, execution, reason):
        self.said.append(f"stop {execution}: {reason}")


def test_a_priority_of_one_counts_as_much_as_a_minute():
    names = Names()
    limits = Limits(names)
    limits.arrive("runs", ConcurrencySpec("A"), "", 0.0)
    limits.arrive("early", ConcurrencySpec("A"), "", 0.0)
    limits.arrive("late", ConcurrencySpec("A", priority=1), "", 61.0)
    limits.arrive("important", ConcurrencySpec("A", priority=2), "", 62.0)
    for id in ("runs", "important", "early", "late"):
        limits.ended(id)
    assert names.said == ["admit important", "admit early", "admit late"]


def test_a_child_that_would_wait_for_its_parent_is_refused():
    limits = Limits(Names(child="parent"))
    limits.arrive("parent", ConcurrencySpec("A"), "", 0.0)
    with pytest.raises(
        LimitReached, match="'child' would wait for ever: .*held by parent, and parent waits for its end"
    ):
        limits.arrive("child", ConcurrencySpec("A"), "parent", 0.0)
    with pytest.raises(LimitReached, match="would wait for ever"):
        limits.arrive("child", ConcurrencySpec("A", on_limit="replace"), "parent", 0.0)
    assert limits.arrive("child", ConcurrencySpec("B"), "parent", 0.0).begins


def test_a_child_may_wait_as_long_as_somebody_ends_without_it():
    limits = Limits(Names())
    for id in ("one", "two"):
        limits.arrive(id, ConcurrencySpec("A", 2), "", 0.0)
    assert not limits.arrive("child of one", ConcurrencySpec("A", 2), "one", 0.0).begins
    with pytest.raises(LimitReached, match="for ever"):
        limits.arrive("child of two", ConcurrencySpec("A", 2), "two", 0.0)


def test_it_does_not_help_a_child_that_some_end_if_its_own_limit_is_lower():
    limits = Limits(Names())
    for id in ("one", "two"):
        limits.arrive(id, ConcurrencySpec("A", 2), "", 0.0)
    with pytest.raises(LimitReached, match="for ever"):
        limits.arrive("child of one", ConcurrencySpec("A", 1), "one", 0.0)


def test_a_circle_over_two_limits_is_found():
    limits = Limits(Names())
    limits.arrive("one", ConcurrencySpec("A"), "", 0.0)
    limits.arrive("two", ConcurrencySpec("B"), "", 0.0)
    assert not limits.arrive("child of one", ConcurrencySpec("B"), "one", 0.0).begins
    with pytest.raises(LimitReached, match="for ever"):
        limits.arrive("child of two", ConcurrencySpec("A"), "two", 0.0)


def test_a_higher_limit_of_a_newer_version_passes_nobody():
    names = Names()
    limits = Limits(names)
    limits.arrive("runs", ConcurrencySpec("A", 1), "", 0.0)
    limits.arrive("old", ConcurrencySpec("A", 1), "", 0.0)
    assert not limits.arrive("new", ConcurrencySpec("A", 5), "", 0.0).begins
    limits.ended("runs")
    assert names.said == ["admit old", "admit new"]


def test_nobody_replaces_its_own_parent_while_another_one_runs():
    limits = Limits(Names())
    for id in ("parent", "other"):
        limits.arrive(id, ConcurrencySpec("A", 2), "", 0.0)
    with pytest.raises(LimitReached, match="and parent waits for its end"):
        limits.arrive("child", ConcurrencySpec("A", 2, "replace"), "parent", 0.0)


def test_who_came_later_is_not_replaced_and_not_who_replaces():
    names = Names()
    limits = Limits(names)
    limits.arrive("one", ConcurrencySpec("A"), "", 0.0)
    limits.arrive("two", ConcurrencySpec("A", 1, "replace"), "", 0.0)
    limits.launched("two")
    limits.arrive("three", ConcurrencySpec("A", 5, "replace"), "", 0.0)
    limits.launched("three")
    limits.arrive("four", ConcurrencySpec("A", 5), "", 0.0)
    assert names.said == ["stop one: replaced by two"]
    limits.ended("one")
    assert names.said[1:] == ["admit two", "admit three", "admit four"]


def test_a_lower_limit_replaces_as_many_as_are_too_many():
    names = Names()
    limits = Limits(names)
    for id in ("one", "two", "three"):
        limits.arrive(id, ConcurrencySpec("A", 3), "", 0.0)
    limits.arrive("new", ConcurrencySpec("A", 2, "replace"), "", 0.0)
    limits.launched("new")
    assert names.said == ["stop one: replaced by new", "stop two: replaced by new"]
    limits.ended("one")
    assert names.said[2:] == []
    limits.ended("two")
    assert names.said[2:] == ["admit new"]


def test_only_as_many_as_needed_are_replaced_the_oldest_first():
    names = Names()
    limits = Limits(names)
    for id in ("one", "two"):
        limits.arrive(id, ConcurrencySpec("A", 2, "replace"), "", 0.0)
        limits.launched(id)
    limits.arrive("three", ConcurrencySpec("A", 2, "replace"), "", 0.0)
    limits.launched("three")
    limits.arrive("four", ConcurrencySpec("A", 2, "replace"), "", 0.0)
    limits.launched("four")
    assert names.said == ["stop one: replaced by three", "stop two: replaced by four"]
    limits.ended("one")
    limits.ended("two")
    assert names.said[2:] == ["admit three", "admit four"]
