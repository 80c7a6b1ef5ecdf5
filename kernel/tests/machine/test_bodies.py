"""Bodies of dynamic workflows, said as dialogues: what a failed call makes of them."""

import pytest

from wingbeat.base.errors import ErrorKind
from wingbeat.compile.flatten import flatten
from wingbeat.machine import event as e
from wingbeat.machine.attempts import SYSTEM
from wingbeat.spec.entities import RetrySpec
from wingbeat.testing.plans import Job, make_closure, make_plan, replace_task
from wingbeat.testing.playbook import Playbook

TEMPLATES = {
    "one": make_plan({"x": Job()}),
    "two": make_plan({"x": Job(), "y": Job(["x"])}, returns=["y"]),
    "none": make_plan({}),
}


class Body(Playbook):
    """The play of a node `a` that is a body."""

    def __init__(self, retries: int = 0) -> None:
        closure = make_closure({"a": Job(retry=RetrySpec(retries, jitter=0))})
        super().__init__(flatten(replace_task(closure, "jobs.a", dynamic=True)), templates=TEMPLATES)

    def calls(self, turn: int, *calls: tuple[str, str], cancels: tuple[str, ...] = ()) -> list[str]:
        """A turn has ended with these calls, each a key and a template."""
        called = tuple(e.Called(key, template, {}) for key, template in calls)
        return self.say(e.AttemptSuspended(self.at, self.address("a"), turn, called, cancels))

    def again(self, turn: int) -> list[str]:
        """The body raised in a turn, and is run again from its beginning."""
        self.failed("a", turn)
        return self.timer("retry", "a", turn + 1)


# -- failed calls


@pytest.mark.parametrize("kind", ErrorKind)
def test_a_failed_call_that_is_let_through_is_the_users_failure_whoever_failed(kind):
    p = Body(retries=1)
    p.launch()
    p.calls(0, ("f-0", "one"))
    for attempt in range(SYSTEM.count + 1 if kind is ErrorKind.SYSTEM else 1):
        if attempt:
            p.timer("retry", "a.f-0", attempt)
        p.failed("a.f-0", attempt, kind=kind)
    why = {"code": "Killed", "kind": kind, "node": "a.f-0"}
    p.failed("a", 1, **why)
    assert (p.node("a").system_failures, p.node("a").user_failures) == (0, 1)
    assert p.timer("retry", "a", 2) == ["submit a/2"]
    assert p.calls(2, ("f-0", "one")) == [
        "submit a.f-0~1/0"
    ]  # the body was not lost: it fails with this call, or without it
    p.failed("a.f-0~1", retryable=False)
    assert p.failed("a", 3, **why) == ["finish"]
    error = p.machine.state.error
    assert error is not None
    assert (error.code, error.kind, error.node) == ("Killed", kind, "a.f-0")


def test_a_lost_turn_is_the_systems_failure_and_what_it_called_goes_on():
    p = Body()
    p.launch()
    p.calls(0, ("f-0", "one"), ("g-0", "one"))
    p.failed("a.f-0")
    p.lost("a", 1)
    assert (p.node("a").system_failures, p.node("a").user_failures) == (1, 0)
    assert p.phases()["a.g-0"] == "QUEUED"
