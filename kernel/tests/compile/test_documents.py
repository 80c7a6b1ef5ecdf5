"""Documents that no author's code gives: what is wrong with them is found before anything runs."""

import pytest
from msgspec.structs import replace

from wingbeat.base.errors import CompileError
from wingbeat.compile.check import check
from wingbeat.compile.flatten import flatten
from wingbeat.spec.codec import spec_digest
from wingbeat.spec.entities import (
    AllOf,
    Arm,
    BranchSpec,
    Case,
    Closure,
    Compare,
    Constant,
    Entry,
    GateSpec,
    Input,
    Interface,
    LaunchPlanSpec,
    ListBinding,
    MapBinding,
    MapSpec,
    NodeSpec,
    OverrideSpec,
    Promise,
    TaskSpec,
    Value,
    Variable,
    WorkflowSpec,
)
from wingbeat.types import ListType, Simple

INT, STR, BOOL = Simple("int"), Simple("str"), Simple("bool")
TASK = TaskSpec("m.f", Interface((Variable("n", INT, default=0),), (Variable("o0", INT),)), Entry("m", "f"))
LISTS = TaskSpec("m.l", Interface((Variable("ns", ListType(INT)),), (Variable("o0", INT),)), Entry("m", "l"))
INNER = WorkflowSpec("m.inner", TASK.interface, (spec_digest(TASK),), (NodeSpec("n0"),), {"o0": Promise("n0")})
PLAN = LaunchPlanSpec("daily", spec_digest(INNER), TASK.interface)
ENTITIES = {spec_digest(e): e for e in (TASK, LISTS, INNER, PLAN)}
CALLS = tuple(ENTITIES)
GREATER = Compare("gt", Input("c0"), Value(1), "number")


def branch(*cases, inputs=(Variable("c0", INT),), outputs=(Variable("o0", INT),)):
    return BranchSpec(Interface(inputs, outputs), cases)


ARMS = (Case(GREATER, {"o0": Promise("n1")}), Case(None, {"o0": Promise("n2")}))
BRANCH = NodeSpec("n0", -1, {"c0": Promise(output="x")}, kind=branch(*ARMS))
ONE, TWO = NodeSpec("n1", arm=Arm("n0", 0)), NodeSpec("n2", arm=Arm("n0", 1))


def workflow(*nodes, **more):
    given = {"outputs": {}, **more}
    interface = Interface((Variable("x", INT), Variable("s", STR), Variable("b", BOOL)), given.pop("given", ()))
    return WorkflowSpec("m.w", interface, CALLS, nodes, **given)


def closure(made, **entities):
    digest = spec_digest(made)
    return Closure(digest, {**ENTITIES, **entities, digest: made})


def found(made, **entities):
    with pytest.raises(CompileError) as caught:
        check(closure(made, **entities))
    return "\n".join(caught.value.findings)


def test_a_branch_as_authors_write_it_is_fine():
    made = closure(workflow(BRANCH, ONE, TWO, NodeSpec("n3", inputs={"n": Promise("n0")})))
    check(made)
    plan = flatten(made)
    assert plan.nodes[0].kind.members == [[1], [2]]
    assert [n.downstream for n in plan.nodes] == [[3], [0], [0], []]


OTHER = Promise("n3")
WRONG = {
    "used from outside": ((BRANCH, ONE, TWO, NodeSpec("n3", inputs={"n": Promise("n1")})), "inside an arm of the branch n0"),
    "used in a list": (
        (BRANCH, ONE, TWO, NodeSpec("n3", 1, {"ns": ListBinding((Promise("n1"),))})), "inside an arm of the branch n0",
    ),
    "used by another arm": ((BRANCH, ONE, replace(TWO, inputs={"n": Promise("n1")})), "inside an arm of the branch n0"),
    "ordered from outside": ((BRANCH, ONE, TWO, NodeSpec("n3", after=("n1",))), "inside an arm of the branch n0"),
    "its own branch": ((BRANCH, replace(ONE, inputs={"n": Promise("n0")}), TWO), "is the branch that it is inside of"),
    "after its own branch": ((BRANCH, replace(ONE, after=("n0",)), TWO), "is the branch that it is inside of"),
    "given by another arm": (
        (replace(BRANCH, kind=branch(Case(GREATER, {"o0": Promise("n2")}), ARMS[1])), ONE, TWO), "n2 is not inside that arm",
    ),
    "given by a later node": (
        (replace(BRANCH, kind=branch(Case(GREATER, {"o0": OTHER}), ARMS[1])), ONE, TWO, NodeSpec("n3")),
        "n3 is not inside that arm",
    ),
    "given by the branch": (
        (replace(BRANCH, kind=branch(Case(GREATER, {"o0": Promise("n0")}), ARMS[1])), ONE, TWO), "is the branch that it is inside",
    ),
    "given another type": (
        (replace(BRANCH, kind=branch(Case(GREATER, {"o0": Promise(output="s")}), ARMS[1])), ONE, TWO),
        "arm 1 of the branch has to give int, but input 's' is str",
    ),
    "gives nothing": ((replace(BRANCH, kind=branch(Case(GREATER), ARMS[1])), ONE, TWO), "arm 1 of the branch gives no 'o0'"),
    "no default": ((replace(BRANCH, kind=branch(ARMS[0])), ONE), "has no arm for when no condition holds"),
    "no branch": ((NodeSpec("n0", arm=Arm("n9", 0)),), "belongs to an arm of 'n9', which is no earlier branch"),
    "branch comes later": ((replace(ONE, id="n1"), BRANCH), "which is no earlier branch"),
    "no such arm": ((BRANCH, ONE, TWO, NodeSpec("n3", arm=Arm("n0", 2))), "belongs to arm 2 of 'n0', which has none"),
}  # fmt: skip


@pytest.mark.parametrize(("nodes", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_branch_is_found(nodes, told):
    assert told in found(workflow(*nodes))


def test_what_a_workflow_gives_may_not_come_from_an_arm():
    made = workflow(BRANCH, ONE, TWO, given=(Variable("o0", INT),), outputs={"o0": Promise("n1")})
    assert "m.w returns 'o0' as int; but n1 is inside an arm" in found(made)


CONDITIONS = {
    "a number alone": (Input("c0"), "a condition has to be a bool, but is int"),
    "unknown alone": (Input("z"), "a condition has to be a bool, but is nothing"),
    "unknown": (Compare("eq", Input("z"), Value(1), "number"), "compares an input that the branch does not have"),
    "read wrongly": (Compare("eq", Input("c0"), Value(1)), "compares int by 'plain', which is compared by 'number'"),
    "two kinds": (Compare("eq", Input("c0"), Input("c1"), "number"), "int and str cannot be compared"),
    "no order": (AllOf((Compare("lt", Input("c2"), Input("c2"), "number"),)), "bool has no order"),
}


@pytest.mark.parametrize(("condition", "told"), CONDITIONS.values(), ids=CONDITIONS)
def test_a_wrong_condition_is_found(condition, told):
    inputs = (Variable("c0", INT), Variable("c1", STR), Variable("c2", BOOL))
    kind = branch(Case(condition, {"o0": Constant(1)}), Case(None, {"o0": Constant(2)}), inputs=inputs)
    bound = {"c0": Promise(output="x"), "c1": Promise(output="s"), "c2": Promise(output="b")}
    assert told in found(workflow(NodeSpec("n0", -1, bound, kind=kind)))


def gate(kind, name="g", inputs=(), outputs=(), timeout=None):
    interface = Interface(
        tuple(Variable(n, t) for n, t in inputs), tuple(Variable(f"o{i}", t) for i, t in enumerate(outputs))
    )
    bound = {n: Constant("PT1S") if n == "duration" else Promise(output="x") for n, _ in inputs}
    return NodeSpec("n0", -1, bound, kind=GateSpec(kind, name, interface, timeout))


GATES = {
    "two of a name": (
        gate("input", outputs=[INT]),
        replace(gate("input", outputs=[INT]), id="n1"),
        "has two gates 'g'",
    ),
    "no name": (gate("input", name="", outputs=[INT]), "a gate has no name"),
    "no time": (gate("input", outputs=[INT], timeout=0), "a timeout is longer than nothing"),
    "another value": (gate("approve", inputs=[("value", INT)], outputs=[STR]), "gives something else than its value"),
    "no output": (gate("input"), "has 0 outputs"),
    "an output too many": (gate("approve", outputs=[INT]), "has 1 output"),
    "another input": (gate("approve", inputs=[("x", INT)]), "has the inputs x"),
    "no duration": (gate("sleep", name=""), "sleep takes its duration as timedelta"),
}


@pytest.mark.parametrize("case", GATES.values(), ids=GATES)
def test_a_wrong_gate_is_found(case):
    *nodes, told = case
    assert told in found(workflow(*nodes))


NODES = {
    "map over nothing": (NodeSpec("n0", kind=MapSpec(())), "the map over m.f is given no list"),
    "map over what is not there": (NodeSpec("n0", kind=MapSpec(("z",))), "there is no input 'z' to map over"),
    "map without a list": (NodeSpec("n0", kind=MapSpec(("n",))), "the map over m.f needs 'n'"),
    "no concurrency": (
        NodeSpec("n0", inputs={"n": Constant([])}, kind=MapSpec(("n",), concurrency=0)),
        "concurrency is at least 1",
    ),
    "a ratio over all": (
        NodeSpec("n0", inputs={"n": Constant([])}, kind=MapSpec(("n",), min_success_ratio=2)),
        "between 0 and 1",
    ),
    "override of a workflow": (NodeSpec("n0", 2, override=OverrideSpec(executor="x")), "m.inner is no task"),
    "override of a gate": (replace(gate("input", outputs=[INT]), override=OverrideSpec()), "is no task"),
    "calls nothing": (NodeSpec("n0", -1), "node n0 calls nothing"),
    "map of a dictionary": (
        NodeSpec("n0", inputs={"n": MapBinding({})}, kind=MapSpec(("n",))),
        "a dictionary is bound",
    ),
}


@pytest.mark.parametrize(("node", "told"), NODES.values(), ids=NODES)
def test_a_wrong_node_is_found(node, told):
    assert told in found(workflow(node))


PLANS = {
    "launches a task": (replace(PLAN, workflow=CALLS[0]), "launches no workflow"),
    "gives what is not there": (replace(PLAN, fixed={"z": 1}), "gives 'z', which m.inner does not have"),
    "gives twice": (replace(PLAN, fixed={"n": 1}), "gives 'n' twice"),
    "gives another type": (
        replace(PLAN, interface=Interface((Variable("n", STR),), TASK.interface.outputs)), "gives 'n' another type",
    ),
    "other outputs": (replace(PLAN, interface=Interface(TASK.interface.inputs)), "has other outputs"),
}  # fmt: skip


@pytest.mark.parametrize(("plan", "told"), PLANS.values(), ids=PLANS)
def test_a_wrong_launch_plan_is_found(plan, told):
    assert told in found(workflow(), **{spec_digest(plan): plan})


def test_a_launch_plan_that_leaves_something_out_is_found():
    needy = replace(INNER, interface=Interface((Variable("n", INT),), TASK.interface.outputs))
    plan = LaunchPlanSpec("daily", spec_digest(needy), Interface((), TASK.interface.outputs))
    told = "leaves out 'n', which m.inner needs"
    assert told in found(workflow(), **{spec_digest(needy): needy, spec_digest(plan): plan})


@pytest.mark.parametrize(
    ("index", "told"), [(7, "on_failure names nothing"), (1, "takes 'ns' as list[int], but m.w has no such input"),
                        (3, "neither a task nor a workflow")],
)  # fmt: skip
def test_a_wrong_failure_handler_is_found(index, told):
    assert told in found(workflow(on_failure=index))
