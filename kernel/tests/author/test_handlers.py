"""Failure handlers, and what they are given."""

import pytest

from wingbeat.spec.entities import FailurePolicy
from wingbeat.spec.plan import Fixed, FromInput, Part, ScopeKind
from wingbeat.types import Failure, codec, literal_type

HANDLER = """
    @task
    def tidy(x: float, error: Failure, more: str = "y") -> None: ...
"""


def test_a_handler_is_given_the_inputs_it_shares_and_the_failure(project):
    source = (
        HANDLER
        + """
    @workflow(on_failure=tidy)
    def flow(x: int, other: str = "") -> int:
        return number(x)
    """
    )
    closure = project.closed(source)
    assert closure.workflow.on_failure == 1
    assert closure.entities[closure.workflow.calls[1]].name.endswith(".tidy")
    handler = project.plan(source).handler
    assert [(v.name, v.type) for v in handler.interface.inputs] == [
        ("x", literal_type(int)), ("error", literal_type(Failure)),
    ]  # fmt: skip
    (node,) = handler.nodes
    assert isinstance(node.inputs["x"], Part), "an int becomes the float that it takes"
    assert node.inputs["error"] == FromInput("error")
    assert isinstance(node.inputs["more"], Fixed)


def test_a_handler_may_be_a_workflow_and_what_the_body_calls_too(project):
    plan = project.plan("""
        @workflow
        def clean(x: int) -> None:
            nothing(number(x))
        @workflow(on_failure=clean)
        def first(x: int) -> None:
            clean(x)
        @workflow(on_failure=nothing)
        def second(n: int) -> None:
            nothing(n)
        @workflow
        def flow(x: int) -> None:
            first(x)
            second(x)
    """)
    scopes = [n.kind for n in plan.nodes]
    assert all(isinstance(kind, ScopeKind) for kind in scopes)
    assert [n.id for n in scopes[0].plan.handler.nodes] == ["n0.n0", "n0.n1"]
    assert [n.id for n in scopes[0].plan.nodes] == ["n0.n0", "n0.n1"]
    assert [n.id for n in scopes[1].plan.handler.nodes] == ["n0"]


def test_a_workflow_without_handler_or_policy_of_its_own_is_still_flattened(project):
    plan = project.plan("""
        @workflow
        def inner(x: int) -> int: return number(x)
        @workflow(failure_policy=FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE, on_failure=nothing)
        def flow(x: int) -> int: return inner(x)
    """)
    assert [n.id for n in plan.nodes] == ["n0.n0"]
    assert plan.failure_policy is FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        ("def f(z: int) -> None: ...", "takes 'z' as int, but flows"),
        ("def f(x: str) -> None: ...", "takes 'x' as str, but flows"),
        ("def f(error: str) -> None: ...", "takes 'error' as str, but it is given the failure"),
    ],
)
def test_a_handler_that_takes_something_else_is_refused(project, handler, told):
    from wingbeat import CompileError

    with pytest.raises(CompileError) as caught:
        project.closed(f"""
            @task
            {handler}
            @workflow(on_failure=f)
            def flow(x: int) -> None: ...
        """)  # fmt: skip
    assert told in str(caught.value).replace("flows_", "flows")
    assert "its failure handler" in str(caught.value)


def test_a_handler_is_a_task_or_workflow(said):
    assert "on_failure takes a task or a workflow" in said("""
        @workflow(on_failure=len)  # here
        def flow(x: int) -> None: ...
    """)  # fmt: skip


def test_a_failure_is_a_value_like_others():
    failure = Failure("ValueError", "no", "n1", "USER")
    made = codec(Failure)
    assert made.decode(made.encode(failure, None), None) == failure
    assert made.encode(failure, None) == {"code": "ValueError", "message": "no", "node": "n1", "kind": "USER"}
