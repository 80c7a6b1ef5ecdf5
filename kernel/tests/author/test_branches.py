"""`cond` and `case`: conditions and arms as they are recorded, what they refuse, and plain Python."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wingbeat import CompileError, case, cond
from wingbeat.author.compose import Composer
from wingbeat.author.condition import Conditions
from wingbeat.author.source import location_of
from wingbeat.compile.flatten import flatten
from wingbeat.spec.codec import canonical, read_closure
from wingbeat.spec.conditions import evaluate
from wingbeat.spec.entities import (
    AllOf,
    AnyOf,
    Arm,
    BranchSpec,
    Compare,
    Constant,
    Input,
    ListBinding,
    Not,
    Promise,
    Value,
)
from wingbeat.types import Simple, codec, literal_type


def branch_of(closure, index=0):
    kind = closure.workflow.nodes[index].kind
    assert isinstance(kind, BranchSpec)
    return kind


# -- what is recorded


def test_a_branch_stands_before_the_nodes_of_its_arms(project):
    closure = project.closed("""
        @workflow
        def flow(x: int) -> str:
            size = cond(x > 10, lambda: text(number(x)), lambda: text(0))
            return wide(size)
    """)
    branch, big, as_text, small, after = closure.workflow.nodes
    assert (branch.call, branch.inputs) == (-1, {"c0": Promise(output="x")})
    assert [n.arm for n in (big, as_text, small, after)] == [Arm("n0", 0), Arm("n0", 0), Arm("n0", 1), None]
    one, other = branch_of(closure).cases
    assert one.when == Compare("gt", Input("c0"), Value(10), "number")
    assert (one.outputs, other.when, other.outputs) == ({"o0": Promise("n2")}, None, {"o0": Promise("n3")})
    assert after.inputs == {"v": Promise("n0")}
    interface = branch_of(closure).interface
    assert [(v.name, v.type) for v in interface.inputs] == [("c0", Simple("int"))]
    assert [(v.name, v.type) for v in interface.outputs] == [("o0", Simple("str"))]


def test_conditions_are_combined_and_an_operand_is_one_input(project):
    closure = project.closed("""
        @workflow
        def flow(x: float, flag: bool) -> int:
            p = point(1)
            return case(
                [((x >= 0.5) & (x < p.y) | ~flag, lambda: number(1)), (flag, lambda: number(2)), (3 < p.x, lambda: 3)],
                default=lambda: 4,
            )
    """)
    branch = closure.workflow.nodes[1]
    assert branch.inputs == {
        "c0": Promise(output="x"), "c1": Promise("n0", "o0", ("y",)), "c2": Promise(output="flag"),
        "c3": Promise("n0", "o0", ("x",)),
    }  # fmt: skip
    first, second, third, default = branch_of(closure, 1).cases
    assert first.when == AnyOf((
        AllOf((
            Compare("ge", Input("c0"), Value(0.5), "number"), Compare("lt", Input("c0"), Input("c1"), "number"),
        )),
        Not(Input("c2")),
    ))  # fmt: skip
    assert second.when == Input("c2")
    assert third.when == Compare("gt", Input("c3"), Value(3), "number")
    assert (third.outputs, default.outputs) == ({"o0": Constant(3)}, {"o0": Constant(4)})


def test_a_condition_known_beforehand_is_recorded_too(project):
    closure = project.closed("""
        FAST = False
        @workflow
        def flow(x: int) -> int:
            return cond(FAST, lambda: number(x), lambda: number(2))
    """)
    when = branch_of(closure).cases[0].when
    assert not evaluate(when, {})
    assert len(closure.workflow.nodes) == 3


@pytest.mark.parametrize(
    ("hint", "constant", "wire"),
    [
        ("str", "'a'", "a"), ("Colour", "Colour.RED", "RED"), ("timedelta", "timedelta(hours=1)", "PT1H"),
        ("Optional[int]", "None", None), ("Optional[int]", "3", 3), ("float", "3", 3), ("int", "10**20", str(10**20)),
    ],
)  # fmt: skip
def test_constants_are_compared_in_wire_form(project, hint, constant, wire):
    closure = project.closed(f"""
        class Colour(enum.Enum):
            RED = 1
            BLUE = 2
        @workflow
        def flow(x: {hint}) -> int:
            return cond(x == {constant}, lambda: 1, lambda: 2)
    """)  # fmt: skip
    when = branch_of(closure).cases[0].when
    assert when.right == Value(wire)
    assert type(when.right.value) is type(wire)
    assert evaluate(when, {"c0": wire})


def test_a_hash_for_caching_is_no_part_of_what_is_compared(project):
    closure = project.closed("""
        from typing import Annotated
        from wingbeat import HashWith
        @workflow
        def flow(x: Annotated[int, HashWith(str)]) -> int:
            return cond(x > 1, lambda: 1, lambda: 2)
    """)
    assert branch_of(closure).interface.inputs[0].type == Simple("int")
    assert flatten(closure).nodes[0].inputs["c0"].target == Simple("int")


def test_branches_nest_and_inner_arms_know_only_their_own_branch(project):
    plan = project.plan("""
        @workflow
        def inner(n: int) -> int:
            return cond(n > 5, lambda: number(5), lambda: number(6))
        @workflow
        def flow(x: int, y: int) -> int:
            return number(cond(
                x > 1,
                lambda: cond(y > 1, lambda: number(1), lambda: number(2)),
                lambda: inner(number(3)),
            ))
    """)
    assert [n.id for n in plan.nodes] == ["n0", "n1", "n2", "n3", "n4", "n5.n0", "n5.n1", "n5.n2", "n6"]
    assert [n.arm for n in plan.nodes] == [
        None, (0, 0), (1, 0), (1, 1), (0, 1), (0, 1), (5, 0), (5, 1), None,
    ]  # fmt: skip
    outer, nested = plan.nodes[0].kind, plan.nodes[1].kind
    assert outer.members == [[1], [4, 5]]
    assert outer.inside == [[1, 2, 3], [4, 5, 6, 7]], "arms within arms are inside too"
    assert nested.inside == [[2], [3]]
    assert plan.nodes[8].upstream == (0,)


def test_what_an_arm_gives_from_outside_is_awaited(project):
    plan = project.plan("""
        @workflow
        def flow(x: int) -> int:
            before = number(x)
            return cond(x > 1, lambda: before, lambda: number(2))
    """)
    assert plan.nodes[1].upstream == (0,)
    assert plan.nodes[0].downstream == [1]


def test_arms_give_tuples_named_tuples_lists_and_nothing(project):
    closure = project.closed("""
        @workflow
        def flow(x: int) -> tuple[int, float, int, list[int]]:
            p = cond(x > 1, lambda: pair(x), lambda: Pair(1, 2.0))
            a, ns = cond(x > 1, lambda: (number(1), [number(2), 3]), lambda: (4, []))
            cond(x > 1, lambda: nothing(), lambda: None)
            return p.low, p.high, a, ns
    """)
    named, several, nothing = (closure.workflow.nodes[i] for i in (0, 2, 5))
    assert named.kind.cases[1].outputs == {"low": Constant(1), "high": Constant(2.0)}
    assert several.kind.cases[0].outputs["o1"] == ListBinding((Promise("n4"), Constant(3)))
    assert several.kind.cases[1].outputs == {"o0": Constant(4), "o1": Constant([])}
    assert nothing.kind.interface.outputs == ()


@pytest.mark.parametrize(
    ("then", "otherwise", "hint"),
    [
        ("number(1)", "real(1.0)", "float"), ("3", "real(1.0)", "float"), ("number(1)", "None", "Optional[int]"),
        ("nothing()", "text(1)", "Optional[str]"), ("[]", "items(1)", "list[int]"), ("Point(1)", "point(1)", "Point"),
        ("point(1).x", "items(1)[0]", "int"), ("None", "wide(1)", "Optional[str]"),
        ("[]", "['a']", "list[str]"), ("{'a': number(1)}", "{'b': 2}", "dict[str, int]"),
    ],
)  # fmt: skip
def test_the_arms_may_give_what_fits_one_type(project, then, otherwise, hint):
    module = f"""
        @workflow
        def flow() -> {hint}:
            return cond(yes(1), lambda: {then}, lambda: {otherwise})
    """
    closure = project.closed(module)
    project.plan(module)
    assert branch_of(closure, 1).interface.outputs[0].type == closure.workflow.interface.outputs[0].type


def test_an_order_after_a_branch_and_of_a_branch(project):
    closure = project.closed("""
        @workflow
        def flow(x: int) -> None:
            a = nothing()
            b = cond(x > 1, lambda: nothing(1), lambda: nothing(2)).after(a)
            nothing(3).after(b)
    """)
    assert closure.workflow.nodes[1].after == ("n0",)
    assert closure.workflow.nodes[4].after == ("n1",)


# -- what is refused


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("if number(x) > 3: pass", "cond(number(x) > 3, lambda: …, lambda: …)"),
        ("if x > 3 and not yes(x): pass", "cond((x > 3) & (~yes(x)), lambda: …"),
        ("if 1 < x <= 3 or yes(x): pass", "cond(((1 < x) & (x <= 3)) | yes(x), lambda: …"),
        ("y = 1 if x == 3 else 2", "cond(x == 3, lambda: 1, lambda: 2)"),
        ("y = not yes(x)", "cond(~yes(x), lambda: True, lambda: False)"),
        ("y = yes(x) and yes(x)", "cond(yes(x) & yes(x), lambda: True, lambda: False)"),
        ("y = 0 < x < 9", "cond((0 < x) & (x < 9), lambda: True, lambda: False)"),
        ("while x > 3: pass", "How often a loop runs is known beforehand"),
        ("assert x > 1", "Let the task that takes the value look at it, and raise"),
        ("bool(x > 1)", "Let a task do what needs the value"),
    ],
)
def test_an_if_on_a_promise_shows_both_ways_out(said, statement, told):
    error = said(f"""
        @workflow
        def flow(x: int) -> None:
            {statement}  # here
    """)  # fmt: skip
    assert "'if', 'while', 'and', 'or' or 'not'" in error
    assert statement in error
    assert told in error
    assert "async def" in error


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("x", "has to be a bool, but <promise of input.x> is int"),
        ("items(x) == [1]", "list[int] cannot be compared by '=='"),
        ("x > 'a'", "int and str cannot be compared by '>'"),
        ("yes(x) > yes(x)", "bool has no order"),
        ("x == len", "cannot be compared"),
        ("x == nothing()", "no value that can be compared"),
        ("'yes'", "'yes' is no condition"),
        ("point(x).z == 1", "has no field 'z'"),
        ("x > 1 & x", "Put each comparison into parentheses"),
        ("(x > 1) & 2", "2 is no condition"),
    ],
)  # fmt: skip
def test_a_wrong_condition_is_refused_with_its_line(said, condition, told):
    assert told in said(f"""
        @workflow
        def flow(x: int) -> int:
            return cond({condition}, lambda: 1, lambda: 2)  # here
    """)  # fmt: skip


@pytest.mark.parametrize(
    ("arms", "told"),
    [
        ("number(1), number(2)", "An arm is a function without arguments"),
        ("1, 2", "An arm is a function without arguments, not 1"),
        ("x > 1, lambda: 2", "An arm is a function without arguments"),
        ("lambda: number(1), lambda: text(1)", "different types: int and str"),
        ("lambda: 1, lambda: 'a'", "different types: int and str"),
        ("lambda: (1, 2), lambda: 1", "arm 1 gives 2 values, the last arm gives one value"),
        ("lambda: (1, 'a'), lambda: ('b', 2)", "different types as 'o0': int and str"),
        ("lambda: both(1), lambda: nothing()", "The last arm gives nothing, the others 2 values"),
        ("lambda: object(), lambda: 1", "object is not supported"),
        ("lambda: point(1).z, lambda: 1", "has no field 'z'"),
        ("lambda: number(1) > 1, lambda: 1", "a condition is no value"),
    ],
)
def test_wrong_arms_are_refused_with_their_line(said, arms, told):
    assert told in said(f"""
        @workflow
        def flow(x: int) -> None:
            cond(x > 1, {arms})  # here
    """)  # fmt: skip


@pytest.mark.parametrize(
    "use",
    ["number(kept[0])", "nothing().after(kept[0])", "cond(kept[0] > 1, lambda: 1, lambda: 2)", "total([kept[0], 1])"],
)
def test_what_is_inside_an_arm_is_not_for_others(project, use):
    with pytest.raises(CompileError) as caught:
        project.closed(f"""
            kept = []
            def keep(x):
                kept[:] = [number(x)]
                return kept[0]
            @workflow
            def flow(x: int) -> None:
                cond(x > 1, lambda: keep(x), lambda: 0)
                {use}
        """)  # fmt: skip
    error = str(caught.value)
    assert "inside an arm of the branch at" in error
    assert f"): {use}" in error, "the line that uses it"
    assert "use what 'cond' or 'case' gives" in error


def test_what_is_inside_the_same_arm_or_an_outer_one_may_be_used(project):
    project.plan("""
        def arm(x):
            a = number(x)
            return cond(a > 1, lambda: number(a), lambda: a)
        @workflow
        def flow(x: int) -> int:
            return cond(x > 1, lambda: arm(x), lambda: 0)
    """)


# -- the same as plain Python

EXPRESSIONS = st.recursive(
    st.builds(
        "({} {} {})".format,
        st.sampled_from(["x", "y", "n"]), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(["x", "y", "n", "0", "1.5", "3"]),
    ) | st.just("flag"),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from("&|"), inner) | st.builds("(~{})".format, inner),
)  # fmt: skip
TYPES = {"x": float, "y": float, "n": int, "flag": bool}


@given(
    EXPRESSIONS,
    st.fixed_dictionaries({
        "x": st.floats(), "y": st.sampled_from([0.0, 1.5, 3.0]), "n": st.integers(-2, 4), "flag": st.booleans(),
    }),
)  # fmt: skip
def test_a_recorded_condition_decides_as_python_does(text, values):
    composer = Composer("flow", None, {name: literal_type(hint) for name, hint in TYPES.items()})
    recorded = eval(text, {name: composer.input(name) for name in TYPES})  # made above
    conditions = Conditions(composer)
    condition = conditions.spec(recorded, location_of(len))
    wires = {
        name: codec(TYPES[operand.promise._output]).encode(values[operand.promise._output], None)
        for name, operand in conditions.inputs.items()
    }
    plain = text.replace("~", "not ").replace("&", "and").replace("|", "or")
    assert evaluate(condition, wires) is bool(eval(plain, dict(values)))  # as above


def test_a_long_condition_is_not_a_deep_one(project):
    closure = project.closed("""
        @workflow
        def flow(x: int) -> int:
            condition = x == 0
            for i in range(1, 200):
                condition = condition | (x == i)
            return cond(condition, lambda: 1, lambda: 2)
    """)
    assert len(branch_of(closure).cases[0].when.conditions) == 200
    assert read_closure(canonical(closure)) == closure


def test_outside_of_workflows_only_the_arm_taken_is_called():
    called = []

    def arm(name):
        return lambda: called.append(name) or name

    assert cond(3 > 2, arm("a"), arm("b")) == "a"  # noqa: PLR0133  # as an author's values may be
    assert cond(None, arm("a"), arm("c")) == "c"
    assert case([(False, arm("d")), (True, arm("e")), (True, arm("f"))], default=arm("g")) == "e"
    assert case([], default=arm("h")) == "h"
    assert called == ["a", "c", "e", "h"]


def test_a_condition_that_was_not_awaited_is_refused():
    async def even():
        return True

    with pytest.raises(CompileError, match=r"has not been awaited .*test_branches\.py"):
        cond(even(), lambda: 1, lambda: 2)


def test_a_case_is_a_pair(said):
    assert "A case is a condition and an arm" in said("""
        @workflow
        def flow(x: int) -> int:
            return case([x > 1, lambda: 1], default=lambda: 2)  # here
    """)  # fmt: skip


def test_a_condition_is_no_value(said):
    assert "number got 'n', but a condition is no value" in said("""
        @workflow
        def flow(x: int) -> int:
            return number(x > 1)  # here
    """)  # fmt: skip
