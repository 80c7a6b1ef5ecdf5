"""Options of one call."""

import pytest

from wingbeat import Retry, Timeout
from wingbeat.author.closing import close
from wingbeat.compile.check import check
from wingbeat.compile.flatten import flatten
from wingbeat.spec.entities import CacheSpec, OverrideSpec, ResourceSpec, RetrySpec, TimeoutSpec


def override_of(project, options):
    closure = project.closed(f"""
        @task(cache=True, retries=1)
        def work(n: int) -> int: return n
        @workflow
        def flow(x: int) -> int:
            return work.override({options})(work(x))
    """)  # fmt: skip
    first, second = closure.workflow.nodes
    assert first.override is None
    assert first.call == second.call, "it is the same task"
    return second.override


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("retries=3", OverrideSpec(retry=RetrySpec(3))),
        ("retries=0", OverrideSpec(retry=RetrySpec(0))),
        ("retries=Retry(2, delay=1)", OverrideSpec(retry=Retry(2, delay=1).spec())),
        ("timeout='1m'", OverrideSpec(timeout=TimeoutSpec(60.0))),
        ("timeout=Timeout(total=5)", OverrideSpec(timeout=Timeout(total=5).spec())),
        ("resources=Resources(cpu=2)", OverrideSpec(resources=ResourceSpec(2.0))),
        ("cache=False", OverrideSpec(uncached=True)),
        ("cache='v2'", OverrideSpec(cache=CacheSpec("v2"))),
        ("executor='other', variables={'A': '1'}", OverrideSpec(executor="other", variables={"A": "1"})),
        ("name='Final training'", OverrideSpec(name="Final training")),
    ],
)
def test_options_arrive_in_the_spec(project, options, expected):
    assert override_of(project, options) == expected


def test_a_cache_that_is_turned_on_takes_its_version_from_the_code(project):
    made = override_of(project, "cache=Cache(ignore=('n',))")
    assert made.cache.derived
    assert made.cache.version.startswith("sha256:")


def test_the_plan_has_a_task_for_each_set_of_options(project):
    plan = project.plan("""
        @workflow
        def flow(x: int) -> int:
            often = number.override(retries=5, name="often")
            return number(often(often.override(cache="v1")(x)))
    """)
    tasks = [plan.tasks[n.task] for n in plan.nodes]
    assert [t.retry.count for t in tasks] == [5, 5, 0]
    assert [t.cache is not None for t in tasks] == [True, False, False]
    assert len(plan.tasks) == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("retries=-1", "out of range"), ("timeout='soon'", "is not a duration"), ("retries=x", "got a promise"),
        ("resources=Resources(cpu=0)", "out of range"), ("cache=x", "got a promise"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_refused_with_its_line(said, options, told):
    assert told in said(f"""
        @workflow
        def flow(x: int) -> int:
            return number.override({options})(x)  # here
    """)  # fmt: skip


def test_called_directly_it_is_the_plain_function(project):
    module = project.load("""
        from wingbeat import task
        @task
        def double(n: int) -> int: return 2 * n
    """)
    assert module.double.override(retries=3)(n=4) == 8


def test_a_task_with_options_is_closed_to_a_workflow_of_one_node(project):
    module = project.load("""
        from wingbeat import task
        @task
        def double(n: int) -> int: return 2 * n
    """)
    closure, locations = close(module.double.override(retries=3), None)
    check(closure, locations)
    assert closure.workflow.nodes[0].override == OverrideSpec(retry=RetrySpec(3))
    assert flatten(closure).tasks[0].retry.count == 3
