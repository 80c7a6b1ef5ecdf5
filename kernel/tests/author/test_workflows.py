"""What a workflow's body says, and what is said to an author who says it wrongly."""

import re

import pytest

from wingbeat.base.errors import CompileError
from wingbeat.spec.entities import Constant, FailurePolicy, ListBinding, MapBinding, Promise
from wingbeat.spec.plan import Fixed, FromInput, FromNode, ListOf, MapOf, Part


def error_of(project, source, entity="flow"):
    with pytest.raises(CompileError) as caught:
        project.closed(source, entity)
    return caught.value


def line_of(error):
    found = re.search(r"flows_\d+\.py:(\d+)", str(error))
    assert found, f"no file and line in: {error}"
    text = (next(iter(error.findings)), int(found[1]))
    return text[1]


# -- calls


def test_positional_keyword_and_default_arguments(project):
    closure = project.closed("""
        @workflow
        def flow(x: int) -> int:
            return number(number(x), m=number())
    """)
    first, second, third = closure.workflow.nodes
    assert first.inputs == {"n": Promise(output="x")}
    assert second.inputs == {}
    assert third.inputs == {"n": Promise("n0"), "m": Promise("n1")}
    assert closure.workflow.outputs == {"o0": Promise("n2")}
    assert len(closure.workflow.calls) == 1, "the same task is referred to once"


def test_several_outputs_are_unpacked_indexed_and_named(project):
    closure = project.closed("""
        @workflow
        def flow(x: int) -> tuple[int, str, int, float]:
            a, b = both(x)
            p = pair(x)
            return p[0], b, a, p.high
    """)
    assert list(closure.workflow.outputs.values()) == [
        Promise("n1", "low"), Promise("n0", "o1"), Promise("n0", "o0"), Promise("n1", "high"),
    ]  # fmt: skip


def test_a_workflow_may_return_all_outputs_of_a_call(project):
    assert [v.name for v in project.closed("""
        @workflow
        def flow(x: int) -> Pair:
            return pair(x)
    """).workflow.interface.outputs] == ["low", "high"]  # fmt: skip


def test_a_workflow_may_return_nothing(project):
    closure = project.closed("""
        @workflow
        def flow(x: int) -> None:
            nothing(x)
    """)
    assert closure.workflow.outputs == {}
    assert len(closure.workflow.nodes) == 1


def test_lists_and_dictionaries_of_promises(project):
    closure = project.closed("""
        @workflow
        def flow(x: int) -> tuple[int, int]:
            return total([number(x), 7, x]), table({"a": number(x), "b": 3})
    """)
    assert closure.workflow.nodes[1].inputs["ns"] == ListBinding((Promise("n0"), Constant(7), Promise(output="x")))
    assert closure.workflow.nodes[3].inputs["ns"] == MapBinding({"a": Promise("n2"), "b": Constant(3)})


def test_parts_of_a_promise_are_paths(project):
    closure = project.closed("""
        @workflow
        def flow(x: int) -> tuple[int, int]:
            return point(x).x, items(x)[0]
    """)
    assert list(closure.workflow.outputs.values()) == [Promise("n0", "o0", ("x",)), Promise("n1", "o0", (0,))]


def test_after_orders_what_shares_no_data(project):
    closure = project.closed("""
        @workflow
        def flow(x: int) -> None:
            a = nothing(x)
            b = number(x)
            nothing(2).after(a, b)
    """)
    assert closure.workflow.nodes[2].after == ("n0", "n1")


def test_called_directly_a_workflow_is_plain_python(project):
    module = project.load("""
        from wingbeat import task, workflow
        @task
        def double(n: int) -> int: return 2 * n
        @workflow
        def flow(n: int) -> int: return double(double(n))
    """)
    assert module.flow(3) == 12
    assert module.double(n=4) == 8


def test_options_arrive_in_the_spec(project):
    closure = project.closed("""
        @workflow(failure_policy=FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE, timeout="1h", name="my.flow")
        def flow(x: int) -> int:
            '''Says what it does.'''
            return number(x)
    """)
    workflow = closure.workflow
    assert (workflow.name, workflow.timeout_s, workflow.doc) == ("my.flow", 3600.0, "Says what it does.")
    assert workflow.failure_policy is FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE


def test_forward_references_are_resolved_when_they_are_there(project):
    closure = project.closed("""
        @task
        def early(n: int) -> "Later": return Later(n)
        @workflow
        def flow(x: int) -> "Later":
            return early(x)
        @dataclass
        class Later:
            n: int
    """)
    assert closure.workflow.interface.outputs[0].type.name.endswith("Later")


# -- sub-workflows and plans


def test_sub_workflows_take_the_place_of_their_calls(project):
    plan = project.plan("""
        @workflow
        def inner(a: int, b: int = 5) -> int:
            return number(number(a, b))
        @workflow
        def flow(x: int) -> str:
            return text(inner(inner(x)))
    """)
    assert [n.id for n in plan.nodes] == ["n0.n0", "n0.n1", "n1.n0", "n1.n1", "n2"]
    assert [n.upstream for n in plan.nodes] == [(), (0,), (1,), (2,), (3,)]
    assert [n.downstream for n in plan.nodes] == [[1], [2], [3], [4], []]
    assert plan.nodes[0].inputs["n"] == FromInput("x")
    assert isinstance(plan.nodes[0].inputs["m"], Fixed)
    assert plan.nodes[2].inputs["n"] == FromNode(1, "o0")


def test_values_are_converted_on_their_way_into_and_out_of_sub_workflows(project):
    plan = project.plan("""
        @workflow
        def inner(v: int | str) -> int | str:
            return v
        @workflow
        def flow(x: int) -> str:
            return wide(inner(number(x)))
    """)
    converted = plan.nodes[1].inputs["v"]
    assert isinstance(converted, Part)
    assert (converted.of, converted.path) == (FromNode(0, "o0"), ())
    assert converted.target is not None


def test_an_int_goes_where_a_float_is_taken(project):
    plan = project.plan("""
        @workflow
        def flow(x: int) -> float:
            return real(number(x))
    """)
    assert isinstance(plan.nodes[1].inputs["v"], Part | FromNode)


def test_parts_and_collections_become_sources(project):
    plan = project.plan("""
        @workflow
        def flow(x: int) -> tuple[int, int]:
            p = point(x)
            return total([p.x, 3]), table({"k": p.x})
    """)
    ns = plan.nodes[1].inputs["ns"]
    assert isinstance(ns, ListOf)
    assert isinstance(ns.items[0], Part)
    assert ns.items[0].path == ("x",)
    assert isinstance(plan.nodes[2].inputs["ns"], MapOf)
    assert plan.nodes[1].upstream == (0,)


def test_an_order_after_a_sub_workflow_waits_for_all_of_it(project):
    plan = project.plan("""
        @workflow
        def inner(n: int) -> None:
            nothing(n)
            nothing(n)
        @workflow
        def flow(x: int) -> None:
            a = inner(x)
            inner(2).after(a)
    """)
    assert [n.upstream for n in plan.nodes] == [(), (), (0, 1), (0, 1)]


def test_workflows_nested_without_end_are_refused(project):
    error = error_of(project, """
        @workflow
        def flow(x: int) -> int:
            return flow(x)
    """)  # fmt: skip
    assert "flow calls itself" in str(error)


def test_a_graph_that_would_explode_is_refused_before_it_is_built(project):
    levels = "\n".join(f"@workflow\ndef w{i + 1}(x: int) -> int:\n    return w{i}(w{i}(x))" for i in range(24))
    error = None
    try:
        project.plan(f"@workflow\ndef w0(x: int) -> int:\n    return number(x)\n{levels}\n", "w24")
    except CompileError as caught:
        error = caught
    assert error is not None
    assert "more than 1000000 nodes" in str(error)


# -- what promises refuse


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("if number(x): pass", "'if', 'while'"),
        ("while number(x): pass", "'if', 'while'"),
        ("not number(x)", "'not'"),
        ("number(x) and 1", "'and'"),
        ("if nothing(x): pass", "'if', 'while'"),
        ("for _ in items(x): pass", "a loop over a promise"),
        ("list(items(x))", "a loop over a promise"),
        ("number(x) + 1", "arithmetic"),
        ("1 + number(x)", "arithmetic"),
        ("number(x) - 1", "arithmetic"),
        ("number(x) // 2", "arithmetic"),
        ("2 ** number(x)", "arithmetic"),
        ("number(x) % 2", "arithmetic"),
        ("-number(x)", "arithmetic"),
        ("abs(number(x))", "arithmetic"),
        ("number(x) ^ 1", "arithmetic"),
        ("if number(x) > 3: pass", "'if', 'while'"),
        ("while 1 < number(x) < 3: pass", "'if', 'while'"),
        ("(number(x) > 3) == True", "condition cannot be compared"),
        ("divmod(number(x), 2)", "arithmetic"),
        ("3 in items(x)", "'in' a promise"),
        ("len(items(x))", "len()"),
        ("f'{number(x)}'", "a promise in a text"),
        ("number(x).foo(a=1)", "a call of a promise"),
        ("number(x).with_overrides(retries=2)", "Options stand before the call"),
        ("str(number(x))", "a promise in a text"),
        ("'%s' % number(x)", "a promise"),
        ("int(number(x))", "int(), float()"),
        ("float(number(x))", "int(), float()"),
        ("range(number(x))", "int(), float()"),
        ("round(number(x))", "arithmetic"),
        ("items(x)[number(x)]", "the index"),
        ("items(x)[1:2]", "a slice of a promise"),
        ("point(x).y = 3", "a promise"),
        ("items(x)[0] = 3", "a promise"),
        ("number(x)()", "a promise"),
        ("with number(x): pass", "a promise"),
    ],
)
def test_a_promise_refuses_what_needs_its_value_and_names_the_line(project, statement, said):
    error = error_of(project, f"""
        @workflow
        def flow(x: int) -> int:
            n = number(x)
            {statement}
            return n
    """)  # fmt: skip
    assert said in str(error)
    assert statement in str(error), "the line itself is shown"
    assert "task" in error.hint or "condition" in error.hint
    source = (project.folder / f"{re.search(r'flows_[0-9]+', str(error))[0]}.py").read_text().splitlines()
    assert source[line_of(error) - 1].strip() == statement


# -- wrong calls


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("number(1, 2, 3)", "takes 2 arguments, and got 3"),
        ("text()", "needs 'n'"),
        ("text(1, n=2)", "got 'n' twice"),
        ("text(1, k=2)", "has no argument 'k'"),
        ("text('three')", "got 'n' of another type"),
        ("text(text(1))", "takes 'n' as int, but n0.o0 of MODULE.text is str"),
        ("text(both(1))", "from a call that gives several outputs"),
        ("text(nothing())", "from a call that gives no output"),
        ("total([text(1)])", "takes 'ns' as list[int], but n0.o0 of MODULE.text is str"),
        ("total(text(1))", "but n0.o0 of MODULE.text is str"),
        ("total((number(1), {'a': number(1)}))", "promises inside"),
        ("text(point(1).z)", "'z'"),
        ("text(number(1).z)", "'z'"),
        ("text(items(1)['a'])", "'a'"),
        ("nothing().after(3)", "3 is no call of this workflow"),
    ],
)
def test_a_wrong_call_is_refused_with_file_line_and_types(project, call, said):
    error = error_of(project, f"""
        @workflow
        def flow() -> None:
            {call}
    """)  # fmt: skip
    assert said in re.sub(r"flows_\d+\.text", "MODULE.text", str(error))
    source = (project.folder / f"{re.search(r'flows_[0-9]+', str(error))[0]}.py").read_text().splitlines()
    assert source[line_of(error) - 1].strip() == call


def test_every_finding_is_told_at_once(project):
    error = error_of(project, """
        @workflow
        def flow(x: int) -> int:
            a = text(text(x))
            return text(a)
    """)  # fmt: skip
    assert len(error.findings) == 3


def test_a_promise_of_another_workflow_is_refused(project):
    error = error_of(project, """
        kept = []
        @workflow
        def inner(x: int) -> int:
            kept.append(number(x))
            return kept[0]
        @workflow
        def flow(x: int) -> int:
            inner(x)
            inner.compose(None)
            return number(kept[0])
    """)  # fmt: skip
    assert "from another workflow's body" in str(error)


@pytest.mark.parametrize(
    ("returned", "annotation", "said"),
    [
        ("1, 2", "int", ""),
        ("number(x)", "tuple[int, int]", "declared to return 2 values"),
        ("number(x), number(x), number(x)", "tuple[int, int]", "2 values but returned 3 values"),
        ("text(x)", "int", "returns 'o0' as int, but n0.o0 of MODULE.text is str"),
        ("None", "int", "returns 'o0'"),
        ("3", "None", "declared to return None but returned int"),
    ],
)
def test_what_a_workflow_returns_must_be_what_it_says(project, returned, annotation, said):
    error = error_of(project, f"""
        @workflow
        def flow(x: int) -> {annotation}:
            return {returned}
    """)  # fmt: skip
    assert said in re.sub(r"flows_\d+\.text", "MODULE.text", str(error))
    assert line_of(error)


# -- wrong definitions


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ("def f(n) -> int: ...", "argument 'n' has no type"),
        ("def f(n: int): ...", "has no return annotation"),
        ("def f(*n: int) -> int: ...", "takes *n"),
        ("def f(**n: int) -> int: ...", "takes **n"),
        ("def f(n: int, /) -> int: ...", "takes n"),
        ("def f(n: int = 'x') -> int: ...", "'n' has a default of another type"),
        ("def f(n: 'Missing') -> int: ...", "annotation that cannot be resolved"),
        ("def f(n: object) -> int: ...", "argument 'n'"),
        ("def f(n: int) -> object: ...", "output 'o0'"),
    ],
)
def test_a_wrong_definition_is_refused_with_file_and_line(project, definition, said):
    error = error_of(project, f"@task\n{definition}\n", "f")
    assert said in str(error)
    assert line_of(error)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("cache=Cache(ignore=('k',))", "names 'k', which is no input"),
        ("retries=-1", "out of range"),
        ("retries=Retry(1, jitter=2)", "out of range"),
        ("timeout=0", "out of range"),
        ("timeout=Timeout(total=-1)", "out of range"),
        ("resources=Resources(cpu=0)", "out of range"),
        ("timeout='soon'", "is not a duration"),
        ("resources=Resources(mem='a lot')", "is not a size"),
        ("isolation='magic'", "magic"),
        ("retry=3", "no option 'retry'"),
        ("variables={'A=B': 'x'}", "cannot be an environment variable"),
        ("variables={'': 'x'}", "cannot be an environment variable"),
        ("variables={'A': 'x\\0'}", "cannot be an environment variable"),
        ("variables={'A': 1}", "cannot be an environment variable"),
    ],
)
def test_a_wrong_option_is_refused_with_file_and_line(project, options, said):
    error = error_of(project, f"@task({options})\ndef f(n: int) -> int: ...\n", "f")
    assert said in str(error)
    assert line_of(error)


def test_a_task_inside_a_function_is_refused(project):
    error = error_of(project, """
        def make():
            @task
            def inner(n: int) -> int: return n
            return inner
        hidden = make()
        @workflow
        def flow(x: int) -> int:
            return hidden(x)
    """)  # fmt: skip
    assert "defined inside a function" in str(error)
    assert line_of(error)


def test_the_fix_of_a_missing_type_is_shown(project):
    assert error_of(project, "@task\ndef f(n) -> int: ...\n", "f").hint == "Write 'n: TYPE'."
