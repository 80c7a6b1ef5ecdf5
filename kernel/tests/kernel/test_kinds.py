"""Maps, branches, gates and child executions as an embedder sees them: views, events, answers, recovery."""

import asyncio
import types
from datetime import UTC, datetime
from functools import partial

import pytest

from wingbeat import (
    ExecutionFailed,
    FailurePolicy,
    InputError,
    Kernel,
    LaunchPlan,
    approve,
    cond,
    map_task,
    sleep,
    task,
    wait_for_input,
    workflow,
)
from wingbeat.base.errors import ConflictError, NotFound
from wingbeat.base.ids import child_execution_id
from wingbeat.contracts.engine import ReuseDecision
from wingbeat.types import Simple

STATE = types.SimpleNamespace()  # not a list: values of globals are part of a task's code


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task(name="flow.picky")
def picky(x: int) -> int:
    STATE.ran.append(x)
    if x in STATE.hated:
        raise ValueError(f"{x} is not liked")
    return 10 * x


@task(name="flow.picky")
def picky_otherwise(x: int) -> int:
    return 100 * x


@task
def times(x: int, by: int) -> int:
    return x * by


@task
def total(xs: list[int]) -> int:
    STATE.ran.append("total")
    return sum(xs)


@task
def last(x: int) -> int:
    if STATE.broken:
        raise ValueError("broken")
    return x + 1


@task
def length(x: str) -> int:
    STATE.ran.append("length")
    return len(x)


@task
def texts(n: int) -> list[str]:
    return ["x" * 40_000] * n


@task
def long_text(n: int) -> str:
    return f"{n}" + "x" * 39_999


@workflow
def mapped(n: int) -> int:
    return last(total(map_task(picky)(numbers(n))))


@workflow
def mapped_otherwise(n: int) -> int:
    return last(total(map_task(picky_otherwise)(numbers(n))))


@workflow
def stored(n: int) -> int:
    return last(total(map_task(length)(texts(n))))


@task
def first(x: int) -> int:
    STATE.ran.append(("first", x))
    return x


@task
def second(x: int) -> int:
    STATE.ran.append(("second", x))
    return x + 1


@workflow
def row(n: int) -> int:
    return total(map_task(second)(map_task(first, concurrency=1)(numbers(n))))


@workflow
def branched(n: int) -> int:
    return last(cond(n > 3, lambda: picky(n), lambda: picky(total([n, n]))))


@workflow
def plain(n: int) -> int:
    return last(total(numbers(n)))


@workflow
def longer(n: int) -> int:
    return last(last(total(numbers(n))))


@workflow
def gated() -> int:
    return picky(approve("go", wait_for_input("amount", int)))


@workflow
def gated_later() -> int:
    amount, first = wait_for_input("amount", int), wait_for_input("first", int)
    return picky(approve("go", total([amount, first])))


@workflow
def parent_of_gated() -> int:
    return last(LaunchPlan(gated, name="flow.gated")())


@workflow
def timed(n: int) -> int:
    return total([sleep("1h", n), approve("go", n, timeout=60), wait_for_input("amount", int)])


child = LaunchPlan(plain, name="plainly")
elsewhere = LaunchPlan(plain, name="elsewhere", labels={"team": "maps"})
elsewhere.labels |= {
    "project": "eta",
    "wingbeat/entity": "eta/production/x@v1",
}  # as of one that was compiled before these were ours


@workflow
def dated(clock: datetime, moment: datetime) -> bool:
    return cond(clock < moment, lambda: True, lambda: False)


@workflow
def reaching(n: int) -> int:
    return last(elsewhere(n))


@workflow
def parent(n: int) -> int:
    return last(child(n))


@workflow
def in_a_child(x: int) -> int:
    return picky(second(x))


@workflow
def around_it(x: int) -> int:
    return picky(LaunchPlan(in_a_child, name="in-a-child")(x))


@task
def boom(x: int) -> int:
    if STATE.broken:
        raise ValueError("boom")
    return x


@task
def tidy() -> None:
    STATE.ran.append("tidy")


@workflow(on_failure=tidy)
def nested(x: int) -> int:
    return cond(x > 0, lambda: cond(x > 1, lambda: boom(x), lambda: last(1)), lambda: last(2))


@workflow
def inner(n: int) -> int:
    return boom(picky(n))


kid = LaunchPlan(inner, name="kid")


@workflow
def blaming(n: int) -> int:
    return picky(kid(picky(n)))


@task
async def waits() -> int:
    await STATE.gate.wait()
    return 1


@workflow
def waiting() -> int:
    return waits()


@workflow
def waiting_broken() -> int:
    boom(1)
    return waits()


INLINE = (boom, long_text, times, tidy, waits, numbers, picky, total, last, length, texts, first, second)


@pytest.fixture(autouse=True)
def _fresh():
    STATE.ran, STATE.hated, STATE.broken = [], {-1}, False
    STATE.gate = asyncio.Event()


@pytest.fixture
async def kernel(tmp_path):
    async with Kernel(tmp_path / "home", inline=INLINE, discover=False) as made:
        yield made


async def test_an_item_of_a_second_map_runs_while_items_of_the_first_do(kernel):
    assert await (await kernel.launch(row, {"n": 4})).result() == 10
    assert STATE.ran.index(("second", 0)) < STATE.ran.index(("first", 3))


async def failed(kernel, entity, inputs, name):
    execution = await kernel.launch(entity, inputs, name)
    with pytest.raises(ExecutionFailed):
        await execution.result()
    return await execution.describe()


async def waits_for(execution, what):
    for _ in range(2000):
        view = await execution.describe()
        if any(what in node.reason for node in view.nodes if node.phase == "RUNNING"):
            return view
        await asyncio.sleep(0.005)
    raise AssertionError(f"it never waited for {what}")


async def launched(kernel, id):
    async with asyncio.timeout(30):
        while True:
            try:
                return await kernel.get(id)
            except NotFound:
                await asyncio.sleep(0.01)


async def decisions(kernel, id, entity=None):
    plan = await kernel.recovery_plan(id, entity)
    return {node.node: (node.decision.value, node.reason) for node in plan.nodes}


# -- views and events


async def test_a_map_names_the_items_that_failed(kernel):
    STATE.hated = {2}
    view = await failed(kernel, mapped, {"n": 4}, "mine")
    items = view.nodes[1].items
    assert items is not None
    assert (items.total, items.failed, items.running) == (4, 1, 0)
    assert [(each.item, each.reason) for each in items.failures] == [(2, "2 is not liked")]


async def test_events_say_what_a_node_is_and_that_it_succeeded(kernel):
    execution = await kernel.launch(mapped, {"n": 2})
    await execution.result()
    events = [event async for event in execution.events() if event.node == "n1"]
    assert [(event.kind, event.phase) for event in events] == [("node", "RUNNING"), ("node", "SUCCEEDED")]
    assert events[0].evidence == {"items": 2}


async def test_a_branch_says_which_nodes_it_skips(kernel):
    execution = await kernel.launch(branched, {"n": 9})
    await execution.result()
    (chose,) = [event async for event in execution.events() if "skipped" in event.evidence]
    skipped = {node.id for node in (await execution.describe()).nodes if node.phase == "SKIPPED"}
    assert (chose.evidence["arm"], set(chose.evidence["skipped"])) == (0, skipped)
    assert skipped


async def test_a_condition_that_cannot_be_told_fails_the_branch_and_is_named(kernel):
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    clock = datetime(2026, 1, 1)  # without a zone on purpose
    with pytest.raises(ExecutionFailed) as caught:
        await (await kernel.launch(dated, {"clock": clock, "moment": moment})).result()
    assert (caught.value.code, caught.value.node, caught.value.retryable) == ("ConditionError", "n0", False)
    assert "'2026-01-01T00:00:00 < 2026-01-01T00:00:00+00:00' cannot be told: one has an offset" in caught.value.message
    assert await (await kernel.launch(dated, {"clock": moment, "moment": moment})).result() is False


async def test_a_child_execution_is_named_while_it_runs(kernel):
    execution = await kernel.launch(parent, {"n": 2}, "mine")
    await execution.result()
    started = [event async for event in execution.events() if "child" in event.evidence]
    view = await execution.describe()
    assert [event.evidence["child"] for event in started] == [view.nodes[0].source]
    labels = (await (await kernel.get(view.nodes[0].source)).describe()).labels
    assert labels["wingbeat/parent"] == "mine/n0"


async def test_a_child_execution_is_where_its_parent_is(kernel):
    place = {"project": "maps", "domain": "production"}
    execution = await kernel.launch(reaching, {"n": 2}, "mine", labels=place)
    await execution.result()
    view = await execution.describe()
    labels = (await (await kernel.get(view.nodes[0].source)).describe()).labels
    assert {name: labels.get(name) for name in (*place, "team", "wingbeat/entity")} == {
        **place,
        "team": "maps",
        "wingbeat/entity": None,
    }


# -- gates


async def test_a_gate_tells_what_it_takes_also_before_it_waits(kernel):
    execution = await kernel.launch(gated, name="mine")
    view = await waits_for(execution, "amount")
    assert (await kernel.gate("mine", "amount")).type == Simple("int")
    assert await kernel.gate("mine", view.nodes[0].id) == await kernel.gate("mine", "amount")
    assert (await kernel.gate("mine", "go")).approval
    with pytest.raises(NotFound, match="no gate 'other'"):
        await kernel.signal("mine", "other", 1)
    with pytest.raises(InputError, match="'amount' takes int"):
        await kernel.signal("mine", "amount", "much")
    await kernel.signal("mine", "go", True)  # before it waits
    await kernel.signal("mine", "amount", 4)
    assert await execution.result() == 40
    await kernel.signal("mine", "amount", 4)  # the same once more, by somebody who has not heard
    with pytest.raises(ConflictError, match="'amount' was answered already, with int 4"):
        await kernel.signal("mine", "amount", 5)
    with pytest.raises(ConflictError, match="has ended"):
        await kernel.signal("mine", "other", 5)


async def test_an_answer_that_contradicts_is_refused_and_the_same_again_is_fine(kernel):
    execution = await kernel.launch(gated_later, name="mine")
    await waits_for(execution, "amount")
    both = [kernel.signal("mine", "amount", amount) for amount in (4, 5)]  # at once: one of them counts
    refused = [error for error in await asyncio.gather(*both, return_exceptions=True) if error is not None]
    assert [type(error) for error in refused] == [ConflictError]
    assert "'amount' was answered already, with int" in str(refused[0])
    await kernel.signal("mine", "go", True)  # kept
    with pytest.raises(ConflictError, match="with bool True, which is kept"):
        await kernel.signal("mine", "go", False)
    await kernel.signal("mine", "go", True)
    await kernel.signal("mine", "first", 1)
    assert await execution.result() in (50, 60)


async def test_a_gate_of_a_child_execution_is_answered_there(kernel):
    execution = await kernel.launch(parent_of_gated, name="mine")
    await waits_for(execution, "waiting for the execution")
    with pytest.raises(NotFound, match="'mine' has no gate 'amount'") as caught:
        await kernel.signal("mine", "amount", 4)
    assert "wingbeat explain waiting mine" in caught.value.hint
    child = (await execution.describe()).nodes[0].reason.split()[-1]
    await launched(kernel, child)
    await kernel.signal(child, "amount", 4)
    await kernel.signal(child, "go", True)
    assert await execution.result() == 41


async def test_a_child_that_is_aborted_fails_its_parent_by_one_code(kernel):
    execution = await kernel.launch(parent_of_gated, name="mine")
    view = await waits_for(execution, "waiting for the execution")
    await (await launched(kernel, view.nodes[0].reason.split()[-1])).abort("not this one")
    with pytest.raises(ExecutionFailed, match="not this one") as info:
        await execution.result()
    assert info.value.code == "Aborted"


async def test_what_waits_for_a_time_says_until_when(kernel):
    execution = await kernel.launch(timed, {"n": 1}, name="mine")
    view = await waits_for(execution, "sleeping")
    by_task = {node.task: node for node in view.nodes}
    assert by_task["sleep"].reason == "sleeping for 1h 0m"
    assert by_task["sleep"].until == pytest.approx(view.began_at + 3600, abs=60)
    assert by_task["approve go"].until == pytest.approx(view.began_at + 60, abs=60)
    assert by_task["wait for amount"].until is None
    told = (await kernel.engine.explain_waiting("mine")).splitlines()
    at = {task: datetime.fromtimestamp(node.until).astimezone() for task, node in by_task.items() if node.until}
    assert f"{by_task['sleep'].id}: sleeping for 1h 0m, until {at['sleep']:%Y-%m-%d %H:%M:%S}" in told
    assert f"{by_task['wait for amount'].id}: waiting for input 'amount'" in told
    await execution.abort("enough")
    assert {node.until for node in (await execution.describe()).nodes} == {None}


async def test_a_called_workflow_keeps_a_failure_policy_that_is_not_that_of_its_caller(kernel):
    @workflow(failure_policy=FailurePolicy.FAIL_IMMEDIATELY)
    def hasty(n: int) -> int:
        boom(n)
        return total([total([n])])

    @workflow(failure_policy=FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
    def patient(n: int) -> int:
        hasty(n)
        return total([n])

    STATE.broken = True
    phases = {node.id: node.phase for node in (await failed(kernel, patient, {"n": 1}, "mine")).nodes}
    assert phases.pop("n0.n0") == "FAILED"
    assert phases.pop("n1") == "SUCCEEDED"
    assert phases.pop("n0.n2") == "NOT_STARTED"


# -- recovery


async def test_the_plan_of_a_recovery_says_why(kernel):
    STATE.broken = True
    await failed(kernel, plain, {"n": 4}, "mine")
    found = await decisions(kernel, "mine", longer)
    assert found == {
        "n0": ("REUSED", ""),
        "n1": ("REUSED", ""),
        "n2": ("RUNS", "it did not succeed (FAILED)"),
        "n3": ("RUNS", "it is new"),
    }


async def test_the_plan_of_a_recovery_names_what_is_gone(kernel):
    await (await kernel.launch(longer, {"n": 4}, "mine")).result()
    plan = await kernel.recovery_plan("mine", plain)
    assert [(node.node, node.decision) for node in plan.nodes] == [
        ("n0", "REUSED"), ("n1", "REUSED"), ("n2", "REUSED"), ("n3", "GONE"),
    ]  # fmt: skip
    assert plan.nodes[-1].task == last.name
    assert await (await kernel.recover("mine", plain)).result() == 7


async def test_the_plan_of_a_recovery_follows_a_changed_task(kernel):
    await (await kernel.launch(mapped, {"n": 3}, "mine")).result()
    found = await decisions(kernel, "mine", mapped_otherwise)
    assert found["n0"] == ("REUSED", "")
    assert found["n1"] == ("RUNS", "the code of flow.picky changed")
    assert found["n2"] == ("OPEN", "kept if n1 gives the same")


async def test_the_plan_of_a_recovery_sees_that_what_all_items_share_is_another(kernel):
    @workflow
    def first(n: int, k: int) -> list[int]:
        return map_task(partial(times, by=2))(numbers(n))

    @workflow
    def second(n: int, k: int) -> list[int]:
        return map_task(partial(times, by=3))(numbers(n))

    @workflow
    def third(n: int, k: int) -> list[int]:
        return map_task(partial(times, by=k))(numbers(n))

    await (await kernel.launch(first, {"n": 3, "k": 2}, "mine")).result()
    told = "input 'by' differs, which all items share"
    assert (await decisions(kernel, "mine", second))["n1"] == ("RUNS", told)
    assert (await decisions(kernel, "mine", third))["n1"][0] == "OPEN", "its value is the same"
    again = await kernel.recover("mine", second)
    assert await again.result() == [0, 3, 6]


async def test_the_plan_of_a_recovery_says_that_another_task_is_called_where_the_old_one_failed(kernel):
    @workflow
    def first(n: int) -> int:
        return picky(n)

    @workflow
    def second(n: int) -> int:
        return last(n)

    STATE.hated = {3}
    await failed(kernel, first, {"n": 3}, "mine")
    assert await decisions(kernel, "mine", first) == {"n0": ("RUNS", "it did not succeed (FAILED)")}
    (why,) = (await decisions(kernel, "mine", second)).values()
    assert why[1].startswith("it called ")
    assert why[1].endswith("picky before")


@pytest.mark.parametrize(("hated", "phases"), [(6, ["FAILED"]), (60, ["SUCCEEDED", "FAILED"])])
async def test_a_child_execution_keeps_what_had_succeeded_when_its_parent_is_recovered(kernel, hated, phases):
    STATE.hated = {hated}
    view = await failed(kernel, around_it, {"x": 5}, "mine")
    assert [node.phase for node in view.nodes if node.phase != "NOT_STARTED"] == phases
    found = await decisions(kernel, "mine")
    assert found["n0"] == ("OPEN", "its execution is launched again, and keeps what succeeded in it")
    STATE.hated = {-1}
    again = await kernel.recover("mine", name="again")
    assert await again.result() == 600
    assert STATE.ran == [("second", 5), 6, 6, 60] if hated == 6 else [("second", 5), 6, 60, 60]
    child = await (await kernel.get(child_execution_id("again", "n0"))).describe()
    assert [node.phase for node in child.nodes] == ["RECOVERED", "RECOVERED" if hated == 60 else "SUCCEEDED"]


async def test_a_child_execution_keeps_what_had_succeeded_where_its_node_has_moved(kernel):
    plan = LaunchPlan(in_a_child, name="in-a-child")

    @workflow
    def before(x: int) -> int:
        return picky(plan(x))

    @workflow
    def after(x: int) -> int:
        return picky(plan(total([x])))

    STATE.hated = {6}
    await failed(kernel, before, {"x": 5}, "mine")
    STATE.hated = {-1}
    again = await kernel.recover("mine", after, name="again")
    assert await again.result() == 600
    assert STATE.ran == [("second", 5), 6, "total", 6, 60], "the child that n1 launched had been launched by n0"
    child = await (await kernel.get(child_execution_id("again", "n1"))).describe()
    assert [node.phase for node in child.nodes] == ["RECOVERED", "SUCCEEDED"]
    once_more = await kernel.recover("again", before, name="once-more")
    assert await once_more.result() == 600
    assert STATE.ran == [("second", 5), 6, "total", 6, 60]


@pytest.mark.parametrize("damage", ["deleted", "flipped"])
async def test_what_is_lost_in_storage_is_computed_again(kernel, tmp_path, damage):
    @workflow
    def flow(n: int) -> int:
        return last(total(map_task(length)(texts(n))))

    @workflow
    def items(n: int) -> int:
        return last(total(map_task(length)(map_task(long_text)(numbers(n)))))

    for number, (entity, given) in enumerate([(flow, 4), (items, 3)]):
        STATE.broken = True
        await failed(kernel, entity, {"n": given}, f"mine{number}")
        for path in (tmp_path / "home" / "storage" / "objects").iterdir():
            content = path.read_bytes()
            if b"xxxx" in content:
                path.chmod(0o600)
                path.unlink() if damage == "deleted" else path.write_bytes(content[:-9] + b"y" + content[-8:])
        STATE.broken = False
        found = await decisions(kernel, f"mine{number}", entity)
        if entity is flow:
            assert found["n0"][0] == "RUNS"
            assert found["n0"][1].startswith("what it gave is lost: ")
        again = await kernel.recover(f"mine{number}")
        assert await again.result() == 40_000 * given + 1


async def test_the_plan_of_a_recovery_knows_the_inputs(kernel):
    @workflow
    def first(n: int) -> int:
        return last(total([n, 1]))

    @workflow
    def second(n: int) -> int:
        return last(total([n, 2]))

    await (await kernel.launch(first, {"n": 3}, "mine")).result()
    assert await decisions(kernel, "mine", second) == {
        "n0": ("RUNS", "input 'xs' differs"),
        "n1": ("RUNS", "n0 runs again"),
    }


async def test_a_plan_launches_nothing_and_is_the_same_for_a_reader_and_through_the_socket(kernel, tmp_path):
    STATE.broken, STATE.ran = True, []
    await failed(kernel, mapped, {"n": 4}, "mine")
    plan = await kernel.recovery_plan("mine")
    assert [(node.node, node.decision, node.items, node.kept) for node in plan.nodes] == [
        ("n0", ReuseDecision.REUSED, None, 0),
        ("n1", ReuseDecision.OPEN, 4, 4),
        ("n2", ReuseDecision.OPEN, None, 0),
        ("n3", ReuseDecision.RUNS, None, 0),
    ]
    for options in ({"read_only": True}, {}):
        async with Kernel(tmp_path / "home", discover=False, **options) as other:
            assert await other.recovery_plan("mine") == plan
    assert len(await kernel.engine.executions()) == 1


async def test_what_is_behind_a_map_is_kept_if_the_map_gives_the_same(kernel):
    STATE.broken = True
    await failed(kernel, mapped, {"n": 4}, "mine")
    STATE.broken, STATE.ran = False, []
    again = await kernel.recover("mine")
    assert await again.result() == 61
    assert STATE.ran == []
    phases = [node.phase for node in (await again.describe()).nodes]
    assert phases == ["RECOVERED", "SUCCEEDED", "RECOVERED", "SUCCEEDED"]


async def test_what_is_behind_a_map_runs_if_the_map_gives_something_else(kernel):
    STATE.hated, STATE.broken = {2}, True
    await failed(kernel, mapped, {"n": 4}, "mine")
    STATE.hated, STATE.broken, STATE.ran = {-1}, False, []
    assert await (await kernel.recover("mine")).result() == 61
    assert 2 in STATE.ran
    assert "total" in STATE.ran


async def test_what_is_behind_a_branch_is_kept(kernel):
    STATE.broken = True
    await failed(kernel, branched, {"n": 1}, "mine")
    STATE.broken, STATE.ran = False, []
    assert await (await kernel.recover("mine")).result() == 21
    assert STATE.ran == []


async def test_items_of_a_map_over_a_stored_list_are_kept(kernel):
    STATE.broken = True
    await failed(kernel, stored, {"n": 4}, "mine")
    await asyncio.sleep(1.2)  # until the execution is in the journal only
    STATE.broken, STATE.ran = False, []
    assert await (await kernel.recover("mine")).result() == 160_001
    assert STATE.ran == []


async def test_a_thousand_items_are_taken_over_one_after_the_other(kernel):
    STATE.broken = True
    await failed(kernel, mapped, {"n": 1000}, "mine")
    STATE.broken, STATE.ran = False, []
    again = await kernel.recover("mine")
    await again.result()
    assert STATE.ran == []
    assert next(node.items.succeeded for node in (await again.describe()).nodes if node.items) == 1000


async def test_a_thousand_workflows_that_end_at_once_may_be_mapped(kernel):
    @workflow
    def same(x: int) -> int:
        return x

    @workflow
    def each(xs: list[int]) -> list[int]:
        return map_task(same)(xs)

    assert await (await kernel.launch(each, {"xs": list(range(1000))}, "mine")).result() == list(range(1000))


# -- what attempts left


async def test_attempts_and_items_are_found_by_their_folders(kernel):
    for name in ("n0.0", "n0.1", "n0.17.0", "n0.17.1", "n0.square-0.0", "n01.5"):
        (kernel.home / "attempts" / "mine" / name).mkdir(parents=True)
    assert kernel.attempts("mine", "n0") == [0, 1]
    assert kernel.attempts("mine", "n0.17") == [0, 1]
    assert kernel.attempts("mine", "n0.square-0") == [0]
    assert kernel.items("mine", "n0") == {17}
    assert kernel.attempts("other", "n0") == []


async def test_an_execution_ends_behind_its_branches_and_its_handler_begins_behind_them(kernel):
    STATE.broken = True
    execution = await kernel.launch(nested, {"x": 5})
    with pytest.raises(ExecutionFailed, match="boom"):
        await execution.result()
    events = [(event.kind, event.node, event.phase) async for event in execution.events()]
    assert events[-1] == ("execution", "", "FAILED")
    ends = [events.index(("node", node, "FAILED")) for node in ("n0", "n1")]  # with a node of their arms
    assert max(ends) < min(i for i, event in enumerate(events) if event[1] == "on_failure")
    told = kernel.engine.explain_waiting
    assert (await told(execution.id)).startswith(f"{execution.id} has ended: FAILED (boom")


async def test_a_handler_runs_again_after_recover(kernel):
    STATE.broken = True
    view = await failed(kernel, nested, {"x": 5}, "first")
    again = await kernel.recover(view.id)
    with pytest.raises(ExecutionFailed):
        await again.result()
    assert STATE.ran.count("tidy") == 2


async def test_a_child_that_fails_is_the_failure_of_the_node_that_launched_it(kernel):
    STATE.broken = True
    view = await failed(kernel, blaming, {"n": 3}, "parent")
    assert (view.error.node, view.error.message.split(" (")[0]) == ("n1", "boom")
    child = await (await kernel.get(view.error.evidence["execution"])).describe()
    assert child.error.node == view.error.evidence["execution_node"] == "n1"


async def test_what_is_under_way_is_not_recovered(kernel):
    execution = await kernel.launch(waiting, {}, "busy")
    with pytest.raises(ConflictError, match=r"'busy' is under way \(RUNNING\)"):
        await kernel.recover("busy")
    STATE.gate.set()
    assert await execution.result() == 1


async def test_a_recovery_that_is_asked_for_again_is_resumed(tmp_path):
    STATE.broken = True
    async with Kernel(tmp_path / "home", inline=INLINE, discover=False) as kernel:
        view = await failed(kernel, waiting_broken, {}, "bad")
        STATE.broken = False
        first = await kernel.recover(view.id, resume=True)
        assert first.created
    async with Kernel(tmp_path / "home", inline=INLINE, discover=False) as kernel:
        second = await kernel.recover(view.id, resume=True)
        assert (second.id, second.created) == (first.id, False)
        STATE.gate.set()
        assert await second.result() == 1
