"""What authors get wrong, and what they are told: once, with their line, in their words."""

import re

import pytest

from wingbeat import CompileError

BODIES = {
    "cond(x > 1, lambda: number(x))": "cond() needs 'otherwise'",
    "cond(x > 1)": "cond() needs 'then' and 'otherwise'",
    "cond(x > 1, lambda: number(x), else_=lambda: 1)": "cond() has no argument 'else_'",
    "cond(x > 1, lambda n: number(n), lambda: number(x))": "An arm is a function without arguments",
    "cond(x > 1, text, text)": ".text needs 'n'",
    "cond(opt(x) > 3, lambda: 1, lambda: 2)": "int | None has no order, as it may be None",
    "case([(x > 1, lambda: number(x))])": "case() needs 'default'",
    "case({x > 1: lambda: number(x)}, default=lambda: 1)": "A condition cannot be in a set, or be a key",
    "number.override(retry=1)(x)": "override() has no argument 'retry'",
    "number.override(retries=2).override(retry=1)(x)": "override() has no argument 'retry'",
    "number.override(3)(x)": "override() takes 1 positional argument but 2 were given",
    "number.override(retries=-1)(x)": "Retry.count=-1 is out of range",
    "number.override(retries=lambda inputs: inputs.n + [1])(x)": "A formula cannot hold [1]",
    "number.override(resources=lambda foo: Resources(mem='1Gi'))(x)": "the function takes 'foo', which is not known",
    "number.override(resources=lambda attempt: Resources(mem='1Gi' if attempt > 1 else '2Gi'))(x)": "'if', 'and', 'or' or 'not'",
    "number.override(resources=lambda inputs: inputs.n)(x)": "inputs.n is not a Resources(cpu=…, mem=…)",
    "number.override(resources=lambda inputs: Resources(mem=int(inputs.n)))(x)": "fails with TypeError",
    "number.override(variables={'A': 1})(x)": "cannot be an environment variable",
    "number.override(variables=['A'])(x)": "variables=['A'] is no dictionary",
    "number.override(cache=3)(x)": "cache is True, False, a version or a Cache, not 3",
    "number.override(executor=3)(x)": "executor is a text, not 3",
    "number.override(retries=3)": "is not called",
    "map_task(lambda n: n)(xs)": "not a lambda",
    "map_task(len)(xs)": "not the function len",
    "map_task(number, xs)": "map_task() takes 1 positional argument but 2 were given",
    "map_task(number, workers=3)(xs)": "map_task() has no argument 'workers'",
    "map_task(number, concurrency='4')(xs)": "concurrency is a whole number, not '4'",
    "map_task(number)": "is not called",
    "total(map_task(partial(number, m=text(x)))(xs))": "takes 'm' as int, but n0.o0",
    "map_task(number)([1, 2], [1])": "'n' has 2 items, 'm' has 1 item",
    "gather(number(x), number(x))": "gather() waits for values",
    "gather([number(x)])": "gather() waits for values",
    "text(x, 2)": "takes 1 argument, and got 2",
    "number(k=x)": "has no argument 'k'",
    "total({number(x)})": "a promise in a set, or as a key,",
    "table({number(x): 1})": "a promise in a set, or as a key,",
    "both(x)[2]": "There is no output [2]",
    "both(x).o7": "There is no output 'o7'",
    "total(xs[1:])": "a slice of a promise",
    "number(len(xs))": "len() of a promise",
    "text(f'{x}')": "a promise in a text",
    "[number(each) for each in xs]": "a loop over a promise",
    "open(x)": "a path made of a promise",
    "json.dumps({'a': number(x)})": "Promised is not JSON serializable, as a promise has no value before the workflow runs",
    "','.join([text(x)])": "Promised found, as a promise has no value before the workflow runs",
    "Point(number(x))": "a promise cannot be inside of a Point, at 'x'",
    "number": "is not called",
    "None": "expected int, got None",
    "number(True)": "expected int, got bool True (",
    "wait_for_input('go', 'int')": "The gate 'go' waits for a value, and needs its type: 'int' is no type",
    "wait_for_input('go', [int])": "The gate 'go' waits for a value, and needs its type",
    "wait_for_input('go')": "wait_for_input() needs 'type'",
    "wait_for_input(int, 'go')": "The name of a gate is a text, not the class int",
    "approve()": "approve() needs 'name'",
    "approve('go', x, timeout=x)": "A timeout cannot be a promise",
    "flow(x, xs)": "flow calls itself",
    "(x, x)": "is declared to return ",
}


@pytest.mark.parametrize(("body", "told"), BODIES.items(), ids=BODIES)
def test_a_mistake_is_told_once_with_its_line(project, body, told):
    annotation = "Point" if body.startswith("Point(") else "int"
    with pytest.raises(CompileError) as caught:
        project.closed(f"""
            import json

            @task
            def opt(n: int) -> int | None: return n

            @workflow
            def flow(x: int, xs: list[int]) -> {annotation}: return {body}
        """)
    error = caught.value
    assert told in error.message
    assert len(re.findall(r"\(flows_\d+\.py:\d+\)", error.message)) == 1, "once"
    assert not re.search(r"object at 0x|<function|\w+\(\w+=.*, \w+=.*, \w+=", error.message.partition(".py:")[0]), (
        "no repr"
    )
    if ": " in (shown := re.split(r"\.py:\d+\)", error.message)[1]):
        assert "def flow(" in shown, "the line, not that of a decorator"


DEFINITIONS = {
    "@task('name')\ndef f(n: int) -> int: ...": "@task is put before a function, not before 'name'",
    "@workflow('name')\ndef f(n: int) -> int: ...": "@workflow is put before a function, not before 'name'",
    "@task\nclass F: ...": "@task is put before a function, not before the class F",
    "@task\ndef f(n: int) -> int:\n    yield n": "f yields values, and a task returns them",
    "@workflow(retires=2)\ndef f(n: int) -> int: ...": "@workflow has no option 'retires'",
    "@task(retires=2)\ndef f(n: int) -> int: ...": "@task has no option 'retires'",
    "@task(cache=Cache(ignore='n'))\ndef f(n: int) -> int: ...": "Cache.ignore is a tuple of names of inputs, not the text 'n'",
    "@task(retries=Retry(2, on=ValueError))\ndef f(n: int) -> int: ...": "Retry.on is a tuple of classes of errors",
    "@workflow(on_failure=print)\ndef f(n: int) -> int: ...": "on_failure takes a task or a workflow, not the function print",
    "@workflow(failure_policy='finish')\ndef f(n: int) -> int: ...": "failure_policy is a FailurePolicy, not 'finish'",
    "f = LaunchPlan(print)": "LaunchPlan takes a workflow, not the function print",
    "f = LaunchPlan(number, default={})": "LaunchPlan() has no argument 'default'",
    "f = number.override(retry=3)": "override() has no argument 'retry'",
}


@pytest.mark.parametrize(("definition", "told"), DEFINITIONS.items(), ids=DEFINITIONS)
def test_a_wrong_definition_is_told_when_its_module_is_imported(project, definition, told):
    with pytest.raises(CompileError) as caught:
        project.closed(definition, "f")
    assert told in caught.value.message
    assert len(re.findall(r"\(flows_\d+\.py:\d+\)", caught.value.message)) == 1


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("number.override(retry=1)(x)", "'retries'"),
        ("number(nn=x)", "'n'"),
        ("map_task(number, concurency=1)([x])", "'concurrency'"),
        ("pair(x).hihg", "'high'"),
    ],
)
def test_who_misspells_a_name_is_asked_for_the_nearest(project, misspelt, meant):
    with pytest.raises(CompileError) as caught:
        project.closed(f"@workflow\ndef flow(x: int) -> int: return {misspelt}\n")
    assert f"Did you mean {meant}?" in caught.value.hint


def test_a_circle_of_workflows_is_told_with_all_of_it(project):
    with pytest.raises(CompileError, match=r"flow calls itself by flows_\d+\.other \(flows_\d+\.py:\d+\)"):
        project.closed("""
            @workflow
            def flow(x: int) -> int: return other(x)
            @workflow
            def other(x: int) -> int: return flow(x)
        """)


def test_an_error_of_the_users_own_is_left_as_it_is(project):
    for mistake in ("int('x')", "len(3)", "cond(x > 1, lambda: len(3), lambda: 1)"):
        with pytest.raises((ValueError, TypeError)) as caught:
            project.closed(f"@workflow\ndef flow(x: int) -> int: return {mistake}\n")
        assert not isinstance(caught.value, CompileError)


TOLD_WHAT_TO_DO = {
    "total(map_task(number)(x))": (
        "takes 'n' as list[int], but input 'x' is int",
        "'map_task(functools.partial(number, n=…))(LIST)'",
    ),
    "total(map_task(number)(3))": (
        "goes over 'n', which is 3 and no list",
        "'map_task(functools.partial(number, n=3))(LIST)'",
    ),
    "sleep(x, x)": (
        "sleep takes 'duration' as timedelta, but input 'x' is int",
        "declare the input, or what the task gives, as 'timedelta'",
    ),
    "total(map_task(number, min_success_ratio=0.5)(xs))": (
        "is list[int | None]",
        "take 'list[int | None]', or leave min_success_ratio out",
    ),
    "total(map_task(number, min_successes=1)(xs))": ("is list[int | None]", "or leave min_successes out"),
    "both_ways(number(x), number(x))": ("wait for each other, so that none can run: n0, n1 (", "leave one of them out"),
    "itself(number(x))": ("A call cannot run after itself", "'b.after(a)'"),
    "part.override(retries=3)(x)": (".part.override(retries=…): only a call of a task has", "LaunchPlan(part, name=…"),
    "plan.override(pool='p')(x)": (".part.override(pool=…): only a call of a task has", "make another: 'LaunchPlan("),
    "map_task(number).override(retries=3)(xs)": ("the map over ", "'map_task(number.override(…))(LIST)'"),
}


@pytest.mark.parametrize(("body", "told"), TOLD_WHAT_TO_DO.items(), ids=TOLD_WHAT_TO_DO)
def test_a_mistake_comes_with_what_to_do(project, body, told):
    with pytest.raises(CompileError) as caught:
        project.closed(f"""
            @workflow
            def part(n: int) -> int: return number(n)

            plan = LaunchPlan(part)
            def itself(call): return call.after(call)
            def both_ways(first, second): return [first.after(second), second.after(first)][0]

            @workflow
            def flow(x: int, xs: list[int]) -> int: return {body}
        """)
    message, hint = told
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert len(re.findall(r"\(flows_\d+\.py:\d+\)", caught.value.message)) == 1


def test_a_list_that_may_have_none_for_another_reason_is_left_to_its_author(project):
    with pytest.raises(CompileError) as caught:
        project.closed("""
            @task
            def holes(n: int) -> list[int | None]: return [n, None]

            @workflow
            def flow(x: int) -> int: return total(holes(x))
        """)
    assert caught.value.hint == ""


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        ("err: Failure", "name it 'error': that is given what went wrong"),
        ("err: str", "give it a default, or leave it out; what went wrong is given to 'error: Failure'"),
        ("error: str", "it is given the failure: Failure is not str; declare it 'error: Failure'"),
    ],
)
def test_the_parameter_of_a_failure_handler_that_fits_nothing_is_told_with_its_workflow(project, parameter, told):
    with pytest.raises(CompileError, match=r"\(flows_\d+\.py:\d+\)\.$") as caught:
        project.closed(f"""
            @task
            def handle({parameter}) -> None: ...

            @workflow(on_failure=handle)
            def flow(x: int) -> int: return number(x)
        """)
    assert told in caught.value.message


def test_a_lambda_of_a_decorator_is_quoted_and_not_what_it_decorates(project):
    with pytest.raises(CompileError) as caught:
        project.plan("""
            @task(resources=lambda inputs: Resources(mem=f"{inputs.n}Gi"))
            def large(n: int) -> int:
                return n

            @workflow
            def flow(x: int) -> int:
                return large(x)
        """)
    assert ': @task(resources=lambda inputs: Resources(mem=f"{inputs.n}Gi"))' in str(caught.value)
