"""Waits for people, values and time."""

from datetime import timedelta

import pytest

from wingbeat import CompileError, ExecutionFailed, WingbeatError, approve, sleep, wait_for_input
from wingbeat.spec.entities import Constant, GateSpec, Promise
from wingbeat.spec.plan import Fixed, FromNode, GateKind
from wingbeat.testing import answers
from wingbeat.types import RecordType, Simple


def test_gates_are_nodes_that_call_nothing(project):
    closure = project.closed("""
        @workflow
        def flow() -> float:
            threshold = wait_for_input("threshold", float, timeout="1h")
            later = sleep(timedelta(minutes=1), threshold)
            return approve("deploy", later)
    """)
    wait, nap, gate = closure.workflow.nodes
    assert [n.call for n in closure.workflow.nodes] == [-1, -1, -1]
    assert closure.workflow.calls == ()
    assert (wait.kind.gate, wait.kind.name, wait.kind.timeout_s, wait.inputs) == ("input", "threshold", 3600.0, {})
    assert [(v.name, v.type) for v in wait.kind.interface.outputs] == [("o0", Simple("float"))]
    assert (nap.kind.gate, nap.kind.name) == ("sleep", "")
    assert nap.inputs == {"duration": Constant("PT1M"), "value": Promise("n0")}
    assert isinstance(gate.kind, GateSpec)
    assert (gate.kind.gate, gate.inputs) == ("approve", {"value": Promise("n1")})
    assert [v.type for v in gate.kind.interface.inputs] == [Simple("float")]


def test_a_gate_lets_through_what_it_is_given(project):
    plan = project.plan("""
        @workflow
        def flow(x: int, wait: timedelta) -> tuple[str, int, list[int], str]:
            p = approve("point", Point(1))
            ns = approve("list", [number(x), 3])
            return text(p.x), sleep(wait, x), sleep("90s", ns), approve("text", "a")
    """)
    kinds = [n.kind for n in plan.nodes]
    assert isinstance(kinds[0], GateKind)
    assert isinstance(kinds[0].spec.interface.outputs[0].type, RecordType)
    assert plan.nodes[5].inputs["duration"] == Fixed(plan.nodes[5].inputs["duration"].literal)
    assert plan.nodes[5].inputs["duration"].literal.value == "PT1M30S"
    assert plan.nodes[5].inputs["value"] == FromNode(2, "o0")


def test_gates_without_a_value_are_for_orders(project):
    closure = project.closed("""
        @workflow
        def flow() -> None:
            gate = approve("go")
            nap = sleep(1).after(gate)
            nothing().after(nap)
    """)
    gate, nap, last = closure.workflow.nodes
    assert gate.kind.interface.outputs == ()
    assert (nap.after, last.after) == (("n0",), ("n1",))


def test_gates_stand_in_arms(project):
    closure = project.closed("""
        @workflow
        def flow(x: int) -> int:
            return cond(x > 1, lambda: approve("big", x), lambda: x)
    """)
    assert closure.workflow.nodes[1].arm.branch == "n0"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("approve('one', 1)", "waits at flows"),
        ("wait_for_input('one', int)", "for 'one' too"),
        ("approve('', 1)", "The name of a gate is a text, not ''"),
        ("approve(x, 1)", "The name of a gate is a text"),
        ("approve('two', 1, timeout='soon')", "'soon' is not a duration"),
        ("approve('two', 1, timeout=0)", "a timeout is longer than nothing"),
        ("sleep('soon')", "'soon' is not a duration"),
        ("sleep(-1)", "-1 is less than nothing"),
        ("sleep(timedelta(seconds=-1))", "-1 s is less than nothing"),
        ("sleep(float('inf'))", "infinity"),
        ("sleep(x)", "sleep takes 'duration' as timedelta, but input 'x' is int"),
        ("wait_for_input('two', object)", "object"),
        ("approve('two', object())", "object is not supported"),
        ("text(wait_for_input('two', str))", "takes 'n' as int, but n1.o0 is str"),
    ],
)
def test_a_wrong_gate_is_refused_with_its_line(project, call, told):
    with pytest.raises(CompileError) as caught:
        project.closed(f"""
            @workflow
            def flow(x: int) -> None:
                approve('one', x)
                {call}
        """)  # fmt: skip
    assert told in str(caught.value)
    assert "flows_" in str(caught.value)


def test_two_workflows_may_wait_for_the_same_name(project):
    project.closed("""
        @workflow
        def inner() -> int:
            return wait_for_input("n", int)
        @workflow
        def flow() -> int:
            return number(wait_for_input("n", int), inner())
    """)


def test_called_directly_gates_are_open():
    assert approve("deploy", 3) == 3
    assert approve("deploy") is None
    assert sleep("1000h", "x") == "x"
    assert sleep(timedelta(days=9)) is None


def test_called_directly_a_value_comes_from_the_test_only():
    with pytest.raises(WingbeatError, match=r"no value for 'threshold' .*test_gates\.py") as caught:
        wait_for_input("threshold", float)
    assert "answers({'threshold': …})" in str(caught.value)
    with answers({"threshold": 0.5, "deploy": False}):
        assert wait_for_input("threshold", float) == 0.5
        with pytest.raises(ExecutionFailed, match="rejected"):
            approve("deploy", 1)
    with pytest.raises(WingbeatError):
        wait_for_input("threshold", float)
