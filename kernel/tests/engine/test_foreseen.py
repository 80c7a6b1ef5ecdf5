"""What the plan of a recovery says of what bodies had called, without any process; and that it agrees with what is taken over."""

import msgspec
import pytest

from wingbeat.compile.flatten import flatten
from wingbeat.contracts.engine import LaunchRequest
from wingbeat.engine import difference
from wingbeat.engine import foreseen as module
from wingbeat.engine.foreseen import foreseen
from wingbeat.engine.reuse import reusable
from wingbeat.machine import bodies
from wingbeat.machine import event as e
from wingbeat.machine.graph import Graph, first_id
from wingbeat.machine.state import initial
from wingbeat.machine.step import Machine
from wingbeat.spec.codec import mention, spec_digest
from wingbeat.spec.entities import Interface, MapSpec, Promise, RetrySpec, TaskSpec, Variable
from wingbeat.spec.literal import Inline
from wingbeat.spec.mention import Mention
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.plans import Job, make_closure, replace_task
from wingbeat.types import ListType

ONE = make_closure({"x": Job()})
TWO = make_closure({"x": Job(), "y": Job(["x"])}, returns=["y"])
BODY = replace_task(ONE, "jobs.x", dynamic=True, body="own", code="own and others")
CLOSURE = replace_task(make_closure({"a": Job(retry=RetrySpec(9, jitter=0))}), "jobs.a", dynamic=True, body="own")
TEMPLATES = {closure.root: flatten(closure) for closure in (ONE, TWO, BODY)}


class Run:
    """An execution of `CLOSURE`, whose node `a` is a body."""

    def __init__(self):
        plan = flatten(CLOSURE)
        self.machine = Machine(Graph(plan, TEMPLATES), {}, initial(plan))
        self.machine.step(e.Launched(0.0, 1, {}, ""))

    def at(self, name):
        found = self.machine.graph.find(name)
        assert found is not None
        return found

    def calls(self, body, turn, *calls):
        called = tuple(e.Called(key, closure.root, {}) for key, closure in calls)
        self.machine.step(e.AttemptSuspended(0.0, self.at(body), turn, called, ()))

    def succeeded(self, *names):
        for name in names:
            self.machine.step(e.AttemptSucceeded(0.0, self.at(name), 0, {"o0": Inline(1)}))

    def failed(self, *names, attempt=0):
        for name in names:
            self.machine.step(e.AttemptFailed(0.0, self.at(name), attempt, ErrorInfo("ValueError", "no")))

    def plan(self, closure=CLOSURE):
        return foreseen(LaunchRequest(closure, {}, recover="old"), self.machine, CLOSURE)

    def lines(self, closure=CLOSURE):
        return {line.node: f"{line.decision.value} {line.reason}" for line in self.plan(closure).nodes}

    def later(self):
        return set(reusable("old", self.machine, flatten(CLOSURE), {}).later)


def task_of(closure, name):
    return next(each for each in closure.entities.values() if isinstance(each, TaskSpec) and each.name == name)


def naming(*tasks, **changes):
    """Another version, whose body names these tasks."""
    return replace_task(CLOSURE, "jobs.a", doc="another", mentions=tuple(map(mention, tasks)), **changes)


X = task_of(ONE, "jobs.x")
AGAIN = "kept if the body calls it again with the same"


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (X, f"OPEN {AGAIN} inputs"),
        (None, f"OPEN {AGAIN} task and inputs"),
        (task_of(replace_task(ONE, "jobs.x", code="other"), "jobs.x"), "RUNS the code of jobs.x changed"),
        (task_of(replace_task(ONE, "jobs.x", variables={"A": "1"}), "jobs.x"), f"OPEN {AGAIN} variables and inputs"),
    ],
)
def test_a_call_is_compared_with_the_task_of_its_name(new, said):
    run = Run()
    run.calls("a", 0, ("f-0", ONE))
    run.succeeded("a.f-0")
    lines = run.lines(naming(*([new] if new else [])))
    assert lines["a.f-0"] == said
    assert run.lines()["a.f-0"] == f"OPEN {AGAIN} inputs"  # the very same version


def test_every_part_of_a_mention_is_compared():
    assert {*difference._PARTS, "name", "body"} == set(Mention.__struct_fields__)


def test_of_two_tasks_of_one_name_either_may_be_the_one():
    run = Run()
    run.calls("a", 0, ("f-0", ONE))
    run.succeeded("a.f-0")
    other = task_of(replace_task(ONE, "jobs.x", code="other"), "jobs.x")
    assert run.lines(naming(other, X))["a.f-0"] == f"OPEN {AGAIN} inputs"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"code": "other"}, ""),  # a called task's, which its own line tells
        ({"code": "other", "body": "other"}, "the code of its body changed; "),
        ({"code": "other", "body": ""}, "the code of jobs.a, or of what it calls, changed; "),
        ({"variables": {"A": "1"}}, "the variables of jobs.a changed; "),
    ],
)
def test_what_changed_of_a_body_is_its_own(changes, said):
    run = Run()
    run.calls("a", 0, ("f-0", ONE))
    assert run.lines(naming(X, **changes))["a"] == f"OPEN {said}its body runs again; 0 of 1 calls may be kept"


def test_a_body_that_had_not_begun_or_was_something_else_says_so():
    run = Run()
    static = replace_task(CLOSURE, "jobs.a", dynamic=False, code="other")
    assert run.lines(static)["a"] == "RUNS it was something else before"
    plan = flatten(CLOSURE)
    run.machine = Machine(Graph(plan, TEMPLATES), {}, initial(plan))
    assert run.lines() == {"a": "RUNS it had not run"}


def test_what_was_called_again_is_one_call_and_is_taken_over_by_its_first_name():
    run = Run()
    run.calls("a", 0, ("f-0", ONE), ("g-0", TWO), ("h-0", BODY))
    run.calls("a.h-0", 0, ("f-0", ONE))
    run.succeeded("a.f-0", "a.g-0.x")
    run.failed("a.g-0.y", "a.h-0.f-0")
    run.failed("a.h-0", attempt=1)
    run.failed("a", attempt=1)
    run.machine.step(e.TimerFired(0.0, "retry", run.at("a"), 2))
    run.calls("a", 2, ("g-0", TWO), ("h-0", BODY))
    run.calls("a.h-0~1", 0, ("f-0", ONE))
    run.succeeded("a.h-0~1.f-0")
    run.failed("a.g-0~1.x")
    lines = run.lines()
    assert lines == {
        "a": "OPEN its body runs again; 3 of 4 calls may be kept",
        "a.f-0": f"OPEN {AGAIN} inputs",
        "a.g-0.x": f"OPEN {AGAIN} inputs",
        "a.g-0.y": "RUNS it had not run",
        "a.h-0": "OPEN its body runs again; 1 of 1 calls may be kept",
        "a.h-0.f-0": f"OPEN {AGAIN} inputs",
    }
    kept = {name for name, said in lines.items() if AGAIN in said}
    assert kept == {first_id(name) for name in run.later()}
    assert kept <= run.later()


def test_a_hundred_thousand_calls_are_counted_and_a_thousand_are_listed():
    run = Run()
    count = 100_000
    run.calls("a", 0, *((f"f-{i}", ONE) for i in range(count)))
    run.succeeded(*(f"a.f-{i}" for i in range(0, count, 2)))
    plan = run.plan(naming(X))
    assert plan.nodes[0].reason == f"its body runs again; {count // 2} of {count} calls may be kept"
    assert len(plan.nodes) == 1 + module.OPENED_MAX
    assert plan.more == count - module.OPENED_MAX


def test_bodies_that_call_bodies_may_have_been_nested_deeply(monkeypatch):
    """In executions of before there was a limit."""
    monkeypatch.setattr(bodies, "DEPTH_MAX", 2000)
    run = Run()
    path = "a"
    for _ in range(1500):
        run.calls(path, 0, ("h-0", BODY))
        path += ".h-0"
    run.calls(path, 0, ("f-0", ONE))
    run.succeeded(f"{path}.f-0")
    plan = run.plan(naming(X, task_of(BODY, "jobs.x")))
    assert {line.reason for line in plan.nodes} == {"its body runs again; 1 of 1 calls may be kept"}
    assert (len(plan.nodes), plan.more) == (1001, 501)


def test_the_bodies_of_items_are_counted_only():
    mapped = map_over(CLOSURE)
    plan = flatten(mapped)
    machine = Machine(Graph(plan, TEMPLATES), {"given": Inline([[1], [2], [3]])}, initial(plan))
    machine.step(e.Launched(0.0, 1, {}, ""))
    run = Run()
    run.machine = machine
    for item in range(2):
        run.calls(f"a.{item}", 0, ("f-0", ONE), ("h-0", BODY))
        run.calls(f"a.{item}.h-0", 0, ("f-0", ONE))
        run.succeeded(f"a.{item}.f-0")
    request = LaunchRequest(mapped, {"given": Inline([[1], [2], [3]])}, recover="old")
    (line,) = foreseen(request, machine, mapped).nodes
    assert (line.decision, line.items) == ("OPEN", None)
    assert line.reason == "the bodies of its 3 items run again; 2 of 4 calls may be kept"


def map_over(closure):
    """The closure as a map over its only task."""
    task = task_of(closure, "jobs.a")
    (given,) = task.interface.inputs
    interface = Interface((Variable("given", ListType(given.type)),), ())
    node = msgspec.structs.replace(
        closure.workflow.nodes[0], kind=MapSpec(("given",)), inputs={"given": Promise(output="given")}
    )
    workflow = msgspec.structs.replace(closure.workflow, nodes=(node,), interface=interface, outputs={})
    root = spec_digest(workflow)
    return msgspec.structs.replace(closure, root=root, entities={spec_digest(task): task, root: workflow})
