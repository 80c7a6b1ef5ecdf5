"""Answers that contradict the one that was given before change nothing; the same answer does no harm."""

import random

import pytest

from wingbeat.compile.flatten import flatten
from wingbeat.machine import event as e
from wingbeat.machine.contradiction import contradiction, repeats
from wingbeat.spec.entities import (
    Constant,
    GateSpec,
    Interface,
    ListBinding,
    MapSpec,
    NodeSpec,
    Promise,
    Variable,
    WorkflowSpec,
)
from wingbeat.spec.literal import Inline, Offloaded
from wingbeat.testing.graphs import INT, MANY, ONE, Graphs
from wingbeat.testing.playbook import Playbook

VALUE = Interface((Variable("value", INT),), ONE.outputs)
GIVEN = Interface((), ONE.outputs)


class Asking(Playbook):
    """The play of gates: `who` takes a value, `ok` approves it; `calls` come before them."""

    def __init__(self, *nodes: NodeSpec, graphs: Graphs | None = None, calls: tuple[str, ...] = ()) -> None:
        graphs = graphs or Graphs(random.Random(1))
        who = NodeSpec("n0", -1, kind=GateSpec("input", "who", GIVEN))
        ok = NodeSpec("n1", -1, {"value": Promise("n0", "o0")}, kind=GateSpec("approve", "ok", VALUE))
        spec = WorkflowSpec("jobs.asking", ONE, calls, (who, ok, *nodes), {"o0": Promise("n1", "o0")})
        super().__init__(flatten(graphs.close(graphs.add(spec))), {"x": 1})
        self.number = 0

    def answer(self, name: str, value: object) -> bool:
        """Whether it counts: it was taken, is kept, or was given before."""
        self.number += 1
        if repeats(self.machine, name, Inline(value)):
            assert self.say(e.Signalled(self.at, name, Inline(value), f"s{self.number}")) == []
            return name not in self.machine.state.signals  # else a gate that is still to come would take it
        self.say(e.Signalled(self.at, name, Inline(value), f"s{self.number}"))
        return f"s{self.number}" in self.machine.state.answered

    def why(self, name: str, value: object) -> str:
        return contradiction(self.machine, name, Inline(value))


@pytest.fixture
def waiting():
    """A gate that holds the execution open."""
    play = Asking(NodeSpec("n2", -1, kind=GateSpec("input", "last", GIVEN)))
    play.launch()
    return play


@pytest.mark.parametrize("restarted", [False, True])
def test_a_value_that_was_taken_stands(waiting, restarted):
    assert waiting.answer("who", 5)
    if restarted:
        waiting.restart()
    assert not waiting.answer("who", 7)
    assert not waiting.answer("n0", 7)
    assert waiting.answer("who", 5)
    assert waiting.why("who", 7) == "'who' was answered already, with int 5."
    assert waiting.why("who", True), "to Python, True is 1"
    assert waiting.node("n0").outputs == {"o0": Inline(5)}


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("granted", [False, True])
def test_an_approval_that_was_taken_stands(waiting, granted, restarted):
    waiting.answer("who", 5)
    assert waiting.answer("ok", granted)
    if restarted:
        waiting.restart()
    assert waiting.why("ok", granted) == ""
    assert waiting.why("ok", not granted) == f"'ok' was answered already, with bool {granted}."


@pytest.mark.parametrize("restarted", [False, True])
def test_an_answer_that_is_kept_stands(waiting, restarted):
    assert waiting.answer("ok", True)
    if restarted:
        waiting.restart()
    assert not waiting.answer("ok", False)
    assert "which is kept until the gate comes" in waiting.why("ok", False)
    assert waiting.answer("ok", True)
    waiting.answer("who", 5)
    assert waiting.node("n1").outputs == {"o0": Inline(5)}


def test_a_signal_that_is_repeated_is_no_contradiction(waiting):
    event = e.Signalled(0.0, "who", Inline(5), "once")
    waiting.say(event)
    said = len(waiting.facts)
    assert waiting.say(event) == []
    assert len(waiting.facts) == said


def test_large_values_are_compared_by_their_content(waiting):
    waiting.say(e.Signalled(0.0, "who", Offloaded("store:/a", 70_000, "sha256:a"), "s"))
    assert contradiction(waiting.machine, "who", Offloaded("store:/b", 70_000, "sha256:a")) == ""
    told = contradiction(waiting.machine, "who", Offloaded("store:/c", 70_000, "sha256:c"))
    assert told == "'who' was answered already, with a value of 70000 bytes."


def test_another_gate_of_the_name_takes_another_answer():
    play = Asking(NodeSpec("n2", -1, kind=GateSpec("input", "who", GIVEN), after=("n1",)))
    play.launch()
    assert play.answer("who", 5)
    assert play.answer("who", 7)  # kept for the second one
    assert not play.answer("who", 8)
    assert play.why("n0", 7), "that one has taken another"
    play.answer("ok", True)
    assert play.node("n2").outputs == {"o0": Inline(7)}
    assert play.phase == "SUCCEEDED"


def test_items_of_a_map_that_are_still_to_come_take_other_answers():
    graphs = Graphs(random.Random(1))
    gate = NodeSpec("n0", -1, {"value": Promise(output="x")}, kind=GateSpec("approve", "item", VALUE))
    flow = graphs.add(WorkflowSpec("jobs.item", ONE, (), (gate,), {"o0": Promise("n0", "o0")}))
    xs = ListBinding((Constant(1), Constant(2)))
    play = Asking(NodeSpec("n2", 0, {"x": xs}, kind=MapSpec(("x",), 1, 2)), graphs=graphs, calls=(flow,))
    play.launch()
    assert play.answer("item", True)
    assert play.answer("item", False)
    assert play.why("item", True) == ""  # either was given
    assert [p for id, p in play.phases().items() if id.startswith("n2.")] == ["SUCCEEDED", "FAILED"]


def test_what_a_body_may_ask_is_not_answered_ahead():
    """Whoever repeats an answer would else let the next round of a body through that nobody has looked at."""
    graphs = Graphs(random.Random(1))
    body = graphs.task(MANY, dynamic=True)
    play = Asking(NodeSpec("n2", 0, {"given": ListBinding(())}), graphs=graphs, calls=(body,))
    play.launch()
    assert play.answer("who", 5)
    assert play.answer("who", 5)
    assert play.machine.state.signals == {}
    assert not play.answer("who", 7)
    assert play.why("who", 7) == "'who' was answered already, with int 5."
