"""Launch plans: a workflow with inputs given beforehand, as an execution of its own."""

import msgspec
import pytest

from wingbeat import CompileError
from wingbeat.author.closing import close
from wingbeat.compile.check import check
from wingbeat.compile.flatten import flatten
from wingbeat.spec.artifacts import KeySpec, NewestSpec
from wingbeat.spec.codec import canonical, check_closure, read_entity
from wingbeat.spec.entities import FailurePolicy, LaunchPlanSpec, NotifySpec, PoolSpec, Promise, WorkflowSpec
from wingbeat.spec.plan import ChildKind

PLAN = """
    @workflow
    def inner(n: int, m: int = 2, k: int = 3) -> int:
        return number(number(n, m), k)
    daily = LaunchPlan(inner, name="daily", inputs={"m": 20}, fixed={"k": 30}, labels={"team": "eta"}, doc="Each day.")
"""


def test_a_call_of_a_launch_plan_is_a_child_execution(project):
    closure = project.closed(PLAN + """
    @workflow
    def flow(x: int) -> int:
        return daily(daily(x), m=5)
    """)  # fmt: skip
    (digest,) = closure.workflow.calls
    spec = closure.entities[digest]
    assert isinstance(spec, LaunchPlanSpec)
    assert (spec.name, spec.fixed, spec.labels, spec.doc) == ("daily", {"k": 30}, {"team": "eta"}, "Each day.")
    assert [(v.name, v.required, v.default) for v in spec.interface.inputs][1:] == [("m", False, 20)]
    assert isinstance(closure.entities[spec.workflow], WorkflowSpec)
    check_closure(closure)
    first, second = flatten(closure).nodes
    assert isinstance(first.kind, ChildKind)
    assert (first.task, first.kind.launchplan, first.kind.digest) == (-1, spec, digest)
    assert first.inputs["m"].literal.value == 20
    assert second.upstream == (0,)


def test_a_launch_plan_is_closed_to_a_workflow_of_one_node(project):
    module = project.load("""
        from wingbeat import LaunchPlan, task, workflow
        @task
        def number(n: int, m: int = 2) -> int: return n
        @workflow
        def inner(n: int, m: int) -> int: return number(n, m)
        @workflow
        async def later(n: int) -> int: return n
        daily = LaunchPlan(inner, inputs={"m": 1})
        nightly = LaunchPlan(later, fixed={"n": 1})
        plain = LaunchPlan(number, name="plain")
    """)
    for plan in (module.daily, module.nightly, module.plain):
        closure, locations = close(plan, None)
        check(closure, locations)
        assert isinstance(flatten(closure).nodes[0].kind, ChildKind)
        names = [v.name for v in closure.workflow.interface.inputs]
        assert names == list(plan.signature.inputs)
        assert closure.workflow.nodes[0].inputs == {n: Promise(output=n) for n in names}


def test_it_says_how_its_executions_run_and_who_is_told(project):
    module = project.load("""
        from datetime import timedelta
        from wingbeat import FailurePolicy, LaunchPlan, Notify, Pool, task, workflow
        @task
        def number(n: int) -> int: return n
        @workflow
        def inner(n: int) -> int: return number(n)
        plan = LaunchPlan(
            inner, pool="gpu", priority=5, failure_policy=FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE, retention_days=30,
            notifications=[
                Notify("ops"), Notify("team", on=["SUCCEEDED", "ABORTED", "SUCCEEDED"]),
                Notify("oncall", after=timedelta(hours=2)), Notify("all", on="RUNNING", after="1m"),
            ],
        )
        plain = LaunchPlan(inner, pool=Pool("gpu", 2, 1))
    """)
    closure, _ = close(module.inner, None)
    spec = module.plan.spec(None, closure.root, closure.workflow.interface)
    assert (spec.pool, spec.priority, spec.retention_days) == (PoolSpec("gpu"), 5, 30)
    assert spec.failure_policy is FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
    assert spec.notifications == (
        NotifySpec("ops", ("FAILED", "TIMED_OUT")), NotifySpec("team", ("SUCCEEDED", "ABORTED")),
        NotifySpec("oncall", (), 7200.0), NotifySpec("all", ("RUNNING",), 60.0),
    )  # fmt: skip
    assert read_entity(canonical(spec)) == spec
    assert module.plain.spec(None, closure.root, closure.workflow.interface).pool == PoolSpec("gpu", 2, 1)


@pytest.mark.parametrize(
    "wrong",
    [b'"to":"Ops"', b'"to":"a/b"', b'"to":""', b'"to":"ops\\n"', b'"to":"ops","after_s":0', b'"to":"ops","on":["X"]'],
)
def test_a_spec_from_elsewhere_names_a_channel(wrong):
    plan = b'{"entity":"launchplan","name":"p","workflow":"w","interface":{},"notifications":[{' + wrong + b"}]}"
    with pytest.raises(msgspec.ValidationError):
        read_entity(plan)


def test_called_directly_it_is_the_plain_function_with_these_inputs(project):
    module = project.load("""
        from wingbeat import LaunchPlan, task, workflow
        @task
        def join(a: int, b: int, c: int) -> tuple[int, int, int]: return a, b, c
        @workflow
        def flow(a: int, b: int = 2, c: int = 3) -> tuple[int, int, int]: return join(a, b, c)
        plan = LaunchPlan(flow, inputs={"a": 10}, fixed={"b": 20})
    """)
    assert module.plan() == (10, 20, 3)
    assert module.plan(1) == (1, 20, 3)
    assert module.plan(1, 4) == (1, 20, 4)
    assert module.plan.name == module.flow.name
    with pytest.raises(TypeError, match="takes a, c"):
        module.plan(b=1)


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ("LaunchPlan(inner, inputs={'z': 1})", "has no input 'z'"),
        ("LaunchPlan(inner, fixed={'z': 1})", "has no input 'z'"),
        ("LaunchPlan(inner, inputs={'n': 1}, fixed={'n': 1})", "'n' is among the inputs and fixed"),
        ("LaunchPlan(inner, fixed={'n': 'x'})", "gives 'n' of another type"),
        ("LaunchPlan(inner, inputs={'n': 'x'})", "gives 'n' of another type"),
        ("LaunchPlan(len)", "takes a workflow"),
        ("LaunchPlan(inner, pool=Pool('gpu', 0))", "pool="),
        ("LaunchPlan(inner, priority='high')", "priority='high' is no number"),
        ("LaunchPlan(inner, failure_policy='never')", "failure_policy='never' is none"),
        ("LaunchPlan(number, failure_policy=FailurePolicy.FAIL_IMMEDIATELY)", "is no static workflow"),
        ("LaunchPlan(inner, retention_days=0)", "retention_days=0 is out of range"),
        ("LaunchPlan(inner, notifications=[Notify('Ops')])", "'Ops' cannot name a channel"),
        ("LaunchPlan(inner, notifications=[Notify('https://a.b/c')])", "cannot name a channel"),
        ("LaunchPlan(inner, notifications=[Notify('ops', on=['DONE'])])", "'DONE' is not a valid ExecutionPhase"),
        ("LaunchPlan(inner, notifications=[Notify('ops', on=[])])", "tells of nothing"),
        ("LaunchPlan(inner, notifications=[Notify('ops', after='soon')])", "'soon' is not a duration"),
        ("LaunchPlan(inner, notifications=[Notify('ops', after=0)])", "after=0 is out of range"),
        ("LaunchPlan(inner, notifications=Notify('ops'))", "are none"),
        ("LaunchPlan(inner, labels={'wingbeat/by': 'user:boss'})", "The label 'wingbeat/by' is ours"),
        ("LaunchPlan(inner, labels={'project': 'maps'})", "The label 'project' is ours"),
        ("LaunchPlan(inner, labels={'': 'x'})", "A label has to have a name"),
        ("LaunchPlan(inner, labels={'team': 1})", "labels have 1, which is no text"),
        ("LaunchPlan(inner, notifications=[Notify('ops')] * 21)", "more than 20 notifications"),
    ],
)
def test_a_wrong_launch_plan_is_refused_with_its_line(said, plan, told):
    assert told in said(PLAN + f"""
    wrong = {plan}  # here
    @workflow
    def flow(x: int) -> int:
        return wrong()
    """)  # fmt: skip


@pytest.mark.parametrize(("call", "told"), [("daily(1, k=2)", "no argument 'k'"), ("daily()", "needs 'n'")])
def test_a_wrong_call_of_a_launch_plan_is_refused_with_its_line(said, call, told):
    assert told in said(PLAN + f"""
    @workflow
    def flow(x: int) -> int:
        return {call}  # here
    """)  # fmt: skip


def test_a_workflow_that_launches_itself_is_refused(project):
    with pytest.raises(CompileError, match="calls itself"):
        project.closed("""
            again = []
            @workflow
            def flow(x: int) -> int:
                return again[0](x)
            again.append(LaunchPlan(flow))
        """)


BOUND = """
    from datetime import datetime
    from wingbeat import Inputs, LaunchPlan, Newest, task, workflow
    @task
    def f(at: datetime, city: str, n: int, x: float) -> int: return n
    @workflow
    def flow(at: datetime, city: str, n: int, x: float = 1.0) -> int: return f(at, city, n, x)
    plan = LaunchPlan(flow, name="plan", inputs={"n": Newest("maps/production/roads", partitions=KEYS)})
"""


def test_a_key_of_the_newest_may_be_that_of_an_input(project):
    keys = '{"city": Inputs.city, "day": Inputs["at"].date, "kind": "all"}'
    spec = close(project.load(BOUND.replace("KEYS", keys)).plan, None)[0].entities.values()
    (plan,) = [each for each in spec if isinstance(each, LaunchPlanSpec)]
    assert plan.newest == {
        "n": NewestSpec(
            "maps/production/roads", {"kind": "all"}, {"city": KeySpec("city"), "day": KeySpec("at", date=True)}
        )
    }


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ('{"city": Inputs.town}', "has no such input"),
        ('{"city": Inputs.n}', "looked for itself"),
        ('{"city": Inputs.x}', "is no key"),
        ('{"city": Inputs.city.date}', "has no date"),
        ('{"city": 7}', "is a text, or an input"),
    ],
)
def test_what_can_be_no_key_is_told_with_the_line(project, keys, why):
    with pytest.raises(CompileError, match=why):
        close(project.load(BOUND.replace("KEYS", keys)).plan, None)
