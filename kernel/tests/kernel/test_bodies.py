"""What the failed call of a dynamic workflow makes of the workflow, with bodies in processes of their own."""

import asyncio
import importlib
import itertools
import sys
import textwrap

import pytest

from wingbeat import ExecutionFailed, Kernel
from wingbeat.base.errors import ConflictError, ErrorKind

COUNT = itertools.count()
SOURCE = """
    import asyncio, os, signal, time
    from wingbeat import (
        ExecutionFailed, LaunchPlan, NonRetryable, approve, cond, current, gather, map_task, task, wait_for_input, workflow,
    )

    @workflow(retries=1)
    async def numbered(n: int) -> int:
        first = await works(n)
        if current().attempt == 0:
            raise ValueError("the first time")
        return first + current().attempt

    class ExecutionTimedOut(Exception):
        pass

    @task
    def pretends(n: int) -> int:
        raise ExecutionTimedOut("not really")

    @workflow
    def pretending(n: int) -> int:
        return pretends(n)

    @workflow(timeout="0.3s")
    async def slowly(n: int) -> int:
        return await naps(n, 9.0)

    @workflow
    async def waits_slowly(n: int) -> int:
        return await slowly(n)

    @workflow
    def in_a_row(n: int) -> int:
        return slow(works.override(name="the first")(n))

    @workflow
    async def named(n: int) -> int:
        return await works.override(name="the first")(n)

    @workflow(timeout="0.3s")
    def slow(n: int) -> int:
        return approve("never", n)

    @workflow
    def waiting(n: int) -> int:
        return LaunchPlan(slow)(n)

    @workflow
    def inside(n: int) -> int:
        return works(slow(n))

    @workflow
    def mapped(n: int) -> list[int]:
        return map_task(slow)([n, n])

    @workflow
    async def awaited(n: int) -> int:
        return await slow(n)

    @workflow
    def in_an_arm(n: int) -> int:
        return cond(n > 0, lambda: slow(n), lambda: works(n))

    @task
    def breaks(n: int) -> int:
        raise ValueError(f"not {n}")

    @task
    def never(n: int) -> int:
        raise NonRetryable("never")

    @task
    def dies(n: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)

    @task
    def works(n: int) -> int:
        return n

    @workflow
    async def plain(n: int) -> int:
        return await breaks(await works(n))

    @workflow
    async def nested(n: int) -> int:
        return await plain(n)

    @workflow
    async def gathered(n: int) -> int:
        return sum(await gather(works(n), breaks(n)))

    @workflow
    async def grouped(n: int) -> int:
        async with asyncio.TaskGroup() as group:
            group.create_task(works(n))
            failing = group.create_task(breaks(n))
        return failing.result()

    @workflow
    async def wrapped(n: int) -> int:
        try:
            return await breaks(n)
        except Exception as error:
            raise RuntimeError("of my own") from error

    @workflow
    async def mixed(n: int) -> int:
        async def own():
            raise KeyError("mine")

        async with asyncio.TaskGroup() as group:
            group.create_task(own())
            group.create_task(breaks(n))
        return 0

    @workflow(retries=1)
    async def again(n: int) -> int:
        return await breaks(n)

    @workflow(retries=1)
    async def given_up(n: int) -> int:
        return await never(n)

    @workflow
    async def killed(n: int) -> int:
        return await dies(n)

    @task
    def naps(n: int, s: float) -> int:
        time.sleep(s)
        return n

    @workflow
    async def patient(n: int) -> str:
        try:
            async with asyncio.timeout(0.5):
                await gather(naps(n, 50.0), naps(n, 50.0))
        except TimeoutError:
            return "timed out"
        return "in time"

    @workflow
    async def first(n: int) -> int:
        calls = [asyncio.create_task(naps(i, 0.1 if i == 0 else 50.0)) for i in range(n)]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()

    async def inner(queue):
        return await queue.get()  # of which nothing puts anything

    @workflow
    async def stuck(n: int) -> int:
        await works(n)
        return await inner(asyncio.Queue())

    @workflow
    async def served(n: int) -> int:
        queue = asyncio.Queue()

        async def serves():
            queue.put_nowait(await works(n))

        async with asyncio.TaskGroup() as group:
            group.create_task(serves())
            return await queue.get()

    @workflow
    async def asks_twice() -> int:
        return await wait_for_input("amount", int) + await wait_for_input("further", int)

    @workflow
    async def asks_in_rounds() -> bool:
        granted = await approve("go", True)
        await wait_for_input("between", int)
        try:
            return granted and await approve("go", True)
        except ExecutionFailed as failure:
            assert failure.code == "Rejected"
            return False

    @workflow
    async def one_whose_name_is_rather_long_and_that_calls_itself(n: int) -> list[int]:
        if n:
            return await one_whose_name_is_rather_long_and_that_calls_itself(n - 1)
        return await map_task(works)([1, 2])

    async def left(n):
        return await works(n)

    async def right(n):
        async with asyncio.TaskGroup() as group:
            return await group.create_task(left(n))

    @workflow
    async def split(n: int) -> int:
        one, two = await gather(left(n), right(n + 1))
        return one + two + await left(n) + await works(n)

    RUNS = os.environ["CAPRICE"]

    @workflow
    async def moody(n: int, length: int) -> int:
        more = os.path.exists(RUNS)
        open(RUNS, "w").close()
        return await counts(n + more, "x" * (length + more))

    @task
    def counts(n: int, text: str) -> int:
        return n

    def was_run() -> bool:
        if os.path.exists(RUNS):
            return True
        open(RUNS, "w").close()
        return False

    @workflow
    async def swallowing(n: int) -> int:
        m = n + was_run()
        found = await gather(works(m), works(m + 1), return_exceptions=True)
        return len(found)

    @workflow
    async def catching(n: int) -> int:
        try:
            return await (works.override(retries=2) if was_run() else works)(n)
        except BaseException:
            return 7

    @workflow
    async def omitting(n: int) -> int:
        return n if was_run() else await works(n)

    @workflow
    async def raising(n: int) -> int:
        if was_run():
            raise ValueError("only when it is run again")
        return await works(n)

    @workflow
    async def deep(n: int) -> int:
        return await works(n) if n == 0 else await deep(n - 1)

    @workflow
    async def deep_at_a_gate(n: int) -> int:
        return await wait_for_input("value", int) if n == 0 else await deep_at_a_gate(n - 1)

    @workflow
    async def capricious(n: int) -> int:
        if os.path.exists(RUNS):
            return await breaks(n)
        open(RUNS, "w").close()
        return await works(n)
"""


@pytest.fixture
def flows(tmp_path, monkeypatch):
    name = f"bodies_{next(COUNT)}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(SOURCE))
    monkeypatch.setenv("CAPRICE", str(tmp_path / "caprice"))
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(name)
    del sys.modules[name]


@pytest.fixture
async def kernel(tmp_path):
    async with Kernel(tmp_path / "home", discover=False) as made:
        yield made


async def failed(kernel, entity):
    execution = await kernel.launch(entity, {"n": 3})
    with pytest.raises(ExecutionFailed) as info:
        await execution.result()
    return info.value, await execution.describe()


@pytest.mark.parametrize("name", ["plain", "nested", "gathered", "grouped"])
async def test_a_failed_call_that_is_not_caught_is_why_the_workflow_failed(kernel, flows, name):
    error, view = await failed(kernel, getattr(flows, name))
    assert (error.code, error.kind, error.retryable) == ("ValueError", "USER", True)
    assert error.message.startswith("not 3 (")
    assert error.node == ("n0.plain-0.breaks-0" if name == "nested" else "n0.breaks-0")
    assert view.error.trace.count(f"in {name}\n") == 1  # and where the body was waiting
    assert view.error.trace.count("in breaks\n") == 1


async def test_what_the_body_raises_instead_is_its_own_error(kernel, flows):
    error, _ = await failed(kernel, flows.wrapped)
    assert (error.code, error.node) == ("RuntimeError", "n0")
    error, _ = await failed(kernel, flows.mixed)
    assert (error.code, error.node) == ("ExceptionGroup", "n0")


async def test_a_body_is_run_again_if_the_failed_call_may_be(kernel, flows):
    error, view = await failed(kernel, flows.again)
    assert [a.error.code for a in view.nodes[0].attempts if a.error] == ["ValueError", "ValueError"]
    assert [node.id for node in view.nodes] == ["n0", "n0.breaks-0", "n0.breaks-0~1"]
    error, view = await failed(kernel, flows.given_up)
    assert (error.code, error.retryable) == ("NonRetryable", False)
    assert [node.id for node in view.nodes] == ["n0", "n0.never-0"]


async def test_the_turns_of_a_body_are_told_one_number_of_the_attempt(kernel, flows):
    """How often it has failed before: a turn that tells another number than the one before would call something else."""
    execution = await kernel.launch(flows.numbered, {"n": 3})
    assert await execution.result() == 4


@pytest.mark.parametrize(("name", "phase"), [("pretending", "FAILED"), ("waiting", "FAILED"), ("slow", "TIMED_OUT")])
async def test_an_execution_has_timed_out_if_it_took_longer_itself(kernel, flows, name, phase):
    """Not as a child of it did, or a task raises something of that name."""
    error, view = await failed(kernel, getattr(flows, name))
    assert (error.code, view.phase) == ("ExecutionTimedOut", phase)


@pytest.mark.parametrize("name", ["inside", "mapped", "awaited", "in_an_arm"])
async def test_a_workflow_inside_another_has_its_own_timeout(kernel, flows, name):
    error, view = await failed(kernel, getattr(flows, name))
    assert (error.code, view.phase) == ("TimedOut", "FAILED")
    assert "slow took longer than its timeout of 0.3 s." in error.message
    assert error.node, "it is told which call it was, also to a body"


async def test_a_call_that_was_lost_is_not_taken_for_a_lost_body(kernel, flows):
    error, view = await failed(kernel, flows.killed)
    assert (error.code, error.kind) == ("Killed", ErrorKind.SYSTEM)
    body, call = view.nodes
    assert len(call.attempts) == 4
    assert [attempt.error.code for attempt in body.attempts if attempt.error] == ["Killed"]


async def test_a_body_that_calls_something_else_is_told_with_both_calls(kernel, flows):
    error, view = await failed(kernel, flows.capricious)
    assert error.code == "NonDeterministic"
    assert error.message.startswith("The body called 'works-0' with n=3 when it was run before, and now calls bodies_")
    assert ".breaks (bodies_" in error.message
    assert "asyncio" not in view.error.trace
    assert "asyncio" not in error.message


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("swallowing", " as 'works-0' with n=4, where it gave n=3 when it was run before."),
        ("catching", "or it with other options when it was run before: 'works-0' with n=3."),
        ("omitting", "The body ends, and has not called 'works-0' with n=3, as it did when it was run before."),
    ],
)  # fmt: skip
async def test_a_body_that_does_something_else_fails_whatever_it_catches(kernel, flows, name, told):
    error, _ = await failed(kernel, getattr(flows, name))
    assert error.code == "NonDeterministic"
    assert told in error.message


async def test_an_error_that_comes_before_the_calls_that_were_made_says_so(kernel, flows):
    error, view = await failed(kernel, flows.raising)
    assert error.code == "ValueError"
    said = "It was raised before the body has called 'works-0' with n=3, as it did when it was run before."
    assert said in view.error.trace


async def test_bodies_are_nested_so_deep_that_they_can_be_stopped(kernel, flows):
    execution = await kernel.launch(flows.deep_at_a_gate, {"n": 49})
    while not any(node.gate for node in (await execution.describe()).nodes):
        await asyncio.sleep(0.05)
    await execution.abort("enough")
    assert (await execution.describe()).phase == "ABORTED"


async def test_a_body_that_calls_itself_for_ever_fails_with_how_deep_it_is(kernel, flows):
    execution = await kernel.launch(flows.deep, {"n": 10**6})
    with pytest.raises(
        ExecutionFailed, match="called 'deep-0' in 50 others: workflows are nested at most 50 deep"
    ) as told:
        await execution.result()
    assert told.value.code == "NestedTooDeep"


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (0, " as 'counts-0' with n=4, text='x', where it gave n=3, text='' when it was run before."),
        (999, " as 'counts-0', where it gave other inputs when it was run before."),
    ],
)
async def test_a_body_that_gives_a_call_other_inputs_is_told_which(kernel, flows, length, said):
    execution = await kernel.launch(flows.moody, {"n": 3, "length": length})
    with pytest.raises(ExecutionFailed) as info:
        await execution.result()
    assert info.value.code == "NonDeterministic"
    assert said in info.value.message


@pytest.mark.parametrize(("name", "given"), [("patient", "timed out"), ("first", 0)])
async def test_a_body_acts_while_what_it_has_called_takes_all_slots(tmp_path, flows, name, given):
    async with Kernel(tmp_path / "home", settings={"process": {"slots": 1}}, discover=False) as kernel:
        execution = await kernel.launch(getattr(flows, name), {"n": 3})
        assert await execution.result() == given
        called = [node.phase for node in (await execution.describe()).nodes if "naps" in node.id]
        assert "ABORTED" in called
        assert called.count("SUCCEEDED") == (name == "first")


async def test_a_body_that_nothing_can_wake_fails_and_says_where_it_stands(kernel, flows):
    error, _ = await failed(kernel, flows.stuck)
    line = 1 + textwrap.dedent(SOURCE).split("\n").index(
        "    return await queue.get()  # of which nothing puts anything"
    )
    assert "waits for what nothing can give it" in error.message
    assert f"({flows.__name__}.py:{line})" in error.message
    assert not error.retryable


async def test_a_body_that_is_served_by_a_task_of_its_own_goes_on(kernel, flows):
    assert await (await kernel.launch(flows.served, {"n": 3})).result() == 3


async def waits_for(execution, name):
    async with asyncio.timeout(30):
        while True:
            view = await execution.describe()
            for node in view.nodes:
                if node.gate is not None and node.gate.name == name and not node.phase.terminal:
                    return node.id
            await asyncio.sleep(0.01)


async def test_the_gate_of_a_body_that_has_gone_on_takes_the_same_answer_and_no_other(kernel, flows):
    execution = await kernel.launch(flows.asks_twice, name="mine")
    id = await waits_for(execution, "amount")
    await kernel.signal("mine", "amount", 4)
    await waits_for(execution, "further")
    for name in ("amount", id):
        await kernel.signal("mine", name, 4)
        with pytest.raises(ConflictError, match="was answered already, with int 4"):
            await kernel.signal("mine", name, 5)
    await kernel.signal("mine", "further", 1)
    assert await execution.result() == 5
    await kernel.signal("mine", "amount", 4)
    with pytest.raises(ConflictError, match="was answered already, with int 4"):
        await kernel.signal("mine", "amount", 5)


async def test_an_answer_that_is_repeated_does_not_let_the_next_round_of_a_body_through(kernel, flows):
    execution = await kernel.launch(flows.asks_in_rounds, name="mine")
    await waits_for(execution, "go")
    await kernel.signal("mine", "go", True)
    await waits_for(execution, "between")
    await kernel.signal("mine", "go", True)
    await kernel.signal("mine", "between", 1)
    await waits_for(execution, "go")
    await kernel.signal("mine", "go", False)
    assert not await execution.result()


async def test_a_path_that_is_longer_than_a_file_may_be_named_runs_and_has_logs(kernel, flows):
    execution = await kernel.launch(flows.one_whose_name_is_rather_long_and_that_calls_itself, {"n": 6}, name="deep")
    assert await execution.result() == [1, 2]
    last = max((node.id for node in (await execution.describe()).nodes), key=len)
    assert len(last) > 300
    assert kernel.attempts("deep", last) == []  # the map itself makes none
    assert kernel.items("deep", last) == {0, 1}
    assert [kernel.attempts("deep", f"{last}.{item}") for item in (0, 1, 2)] == [[0], [0], []]
    assert kernel.log_path("deep", f"{last}.1", 0).parent.is_dir()


async def test_calls_are_known_by_their_helpers_also_in_tasks_of_asyncio(kernel, flows):
    """Else they would be numbered in the order in which they happen to go on, and a recovery found none of them."""
    execution = await kernel.launch(flows.split, {"n": 1})
    assert await execution.result() == 5
    called = [node.id for node in (await execution.describe()).nodes[1:]]
    assert called == ["n0.left.works-0", "n0.left.works-1", "n0.left.works-2", "n0.works-0"]


@pytest.mark.parametrize(("name", "node"), [("waits_slowly", "n0.slowly-0"), ("in_a_row", "n1")])
async def test_the_only_node_of_a_workflow_that_took_too_long_has_timed_out(kernel, flows, name, node):
    """It has the id of the workflow, and stands in its place."""
    _, view = await failed(kernel, getattr(flows, name))
    (found,) = [each for each in view.nodes if each.id == node]
    assert found.phase == "TIMED_OUT"
    assert found.reason.endswith(" took longer than its timeout of 0.3 s.")


@pytest.mark.parametrize("name", ["in_a_row", "named"])
async def test_what_an_author_calls_a_call_is_told_to_people(kernel, flows, name):
    execution = await kernel.launch(getattr(flows, name), {"n": 3})
    await execution.wait()
    (found,) = [node for node in (await execution.describe()).nodes if node.name]
    assert found.title == f"the first ({flows.__name__}.works)"
    queued = [event async for event in execution.events() if event.evidence.get("name")]
    assert [(event.node, event.phase, event.task) for event in queued] == [(found.id, "QUEUED", found.task)]
