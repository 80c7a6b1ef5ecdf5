"""What the virtual world found in the engine, each as small as it can be told."""

import asyncio

import pytest

from wingbeat.base.errors import EngineStopped, NotFound
from wingbeat.builtin.filestore import FileStore
from wingbeat.contracts.executor import Aborted, Failed, Succeeded
from wingbeat.contracts.journal import FencedOut, StorageFull
from wingbeat.engine import archive, children, dispatch, timers
from wingbeat.engine.clock import SystemClock
from wingbeat.machine.effect import SetTimer
from wingbeat.spec.entities import (
    Arm,
    BranchSpec,
    CacheSpec,
    Case,
    Compare,
    Entry,
    GateSpec,
    Input,
    Interface,
    LaunchPlanSpec,
    MapSpec,
    NodeSpec,
    Promise,
    TaskSpec,
    Value,
    Variable,
    WorkflowSpec,
)
from wingbeat.spec.literal import Inline, Offloaded
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.fakes import MemoryCatalog, ScriptedExecutor, success
from wingbeat.testing.graphs import INT, LIST, MANY, ONE, Graphs
from wingbeat.testing.plans import Job, make_closure

SIMPLE = make_closure({"a": Job()}, returns=["a"])


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come true")


def task(graphs, name, interface=ONE, **more):
    return graphs.add(TaskSpec(f"jobs.{name}", interface, Entry("jobs", name), **more))


def gated():
    graphs = Graphs(None)
    gate = NodeSpec(
        "gate",
        -1,
        {"value": Promise(output="x")},
        kind=GateSpec("approve", "ok", Interface((Variable("value", INT),), ONE.outputs)),
    )
    return graphs.close(graphs.add(WorkflowSpec("jobs.gated", ONE, (), (gate,), {"o0": Promise("gate", "o0")})))


GATED = gated()


def hold_appends(engine, monkeypatch):
    """Let commits wait until the event is set."""
    append, go = engine._journal.append, asyncio.Event()

    async def later(batch, fence):
        await go.wait()
        await append(batch, fence)

    monkeypatch.setattr(engine._journal, "append", later)
    return go


async def test_nobody_is_told_what_a_crash_takes_back(bench, monkeypatch):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(SIMPLE))
        go = hold_appends(engine, monkeypatch)
        bench.executor.end(f"{reply.id}/a/0")
        await until(lambda: engine._lives[reply.id].machine.state.phase.terminal)
        asked = asyncio.create_task(engine.describe(reply.id))
        await asyncio.sleep(0.05)
        assert not asked.done()
        go.set()
        assert (await asked).phase == "SUCCEEDED"
        assert (await engine._journal.record(reply.id)).phase == "SUCCEEDED"


async def test_while_nothing_can_be_written_what_is_written_is_told(bench, monkeypatch):
    monkeypatch.setattr("wingbeat.engine.live.DURABLE_S_MAX", 0.05)
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(SIMPLE))
        go = hold_appends(engine, monkeypatch)
        bench.executor.end(f"{reply.id}/a/0")
        await until(lambda: engine._lives[reply.id].machine.state.phase.terminal)
        assert (await engine.describe(reply.id)).phase == "RUNNING"
        go.set()
        await engine.wait(reply.id)


async def test_who_signals_is_told_when_the_engine_stops(bench, monkeypatch):
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(GATED, inputs={"x": 1}))
        hold_appends(engine, monkeypatch)
        signals = [asyncio.create_task(engine.signal(reply.id, "ok", Inline(True), "s1")) for _ in range(2)]
        await asyncio.sleep(0.05)
        engine._stop(EngineStopped("it stops"))
        for signal in signals:
            with pytest.raises(EngineStopped):
                await signal
        for late in (
            engine.signal(reply.id, "ok", Inline(True), "s2"),
            engine.describe(reply.id),
            anext(engine.events(reply.id)),
        ):
            with pytest.raises(EngineStopped):
                await late


async def test_a_signal_that_is_sent_twice_at_once_is_answered_twice(bench):
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(GATED, inputs={"x": 1}))
        async with asyncio.timeout(5):
            await asyncio.gather(*(engine.signal(reply.id, "ok", Inline(True), "s1") for _ in range(3)))
        assert await engine.wait(reply.id) == "SUCCEEDED"


async def test_what_another_kernel_runs_has_not_ended(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as old, bench.engine() as engine:
        reply = await engine.launch(bench.request(SIMPLE))
        for asked in (old.wait(reply.id), old.abort(reply.id, "enough"), old.signal(reply.id, "ok", Inline(1), "s")):
            with pytest.raises(EngineStopped, match="Another kernel"):
                await asked
        with pytest.raises(EngineStopped, match="Another kernel"):
            async for _ in old.events(reply.id):
                pass


async def test_a_kernel_that_was_fenced_out_submits_nothing_more(bench):
    class Slow(ScriptedExecutor):
        async def submit(self, request):
            await go.wait()
            await super().submit(request)

    go, bench.executor = asyncio.Event(), Slow()
    closure = make_closure({name: Job() for name in "abc"}, returns=["a"])
    async with bench.engine() as old:
        await old.launch(bench.request(closure))
        slow, bench.executor = bench.executor, ScriptedExecutor(lambda request: None)
        async with bench.engine():
            with pytest.raises(FencedOut):
                await old.launch(bench.request(SIMPLE))
            go.set()
            await asyncio.sleep(0.05)
    assert not slow.submitted


async def test_an_attempt_that_may_have_been_taken_is_seen_gone_before_the_next(bench, monkeypatch):
    monkeypatch.setattr(dispatch, "TRY_DELAY_S", 0.001)

    class Liar(ScriptedExecutor):
        """Takes an attempt and says that it did not."""

        async def submit(self, request):
            log.append(("submit", request.id[-1]))
            if request.id.endswith("/0"):
                self.running[request.id] = request
                raise OSError("the answer was lost")
            await super().submit(request)

        async def cancel(self, attempt, reason):
            log.append(("cancel", attempt[-1]))
            await super().cancel(attempt, reason)

    log, bench.executor = [], Liar()
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(SIMPLE))
        await engine.wait(reply.id)
        first = (await engine.describe(reply.id)).nodes[0].attempts[0]
    assert list(dict.fromkeys(log)) == [("submit", "0"), ("cancel", "0"), ("submit", "1")]
    assert (first.error.code, first.error.kind) == ("ExecutorFailed", "SYSTEM")


async def test_a_closure_that_was_forgotten_is_launched_again(bench, monkeypatch):
    monkeypatch.setattr(archive, "PLANS_MAX", 2)
    closures = [make_closure({f"n{i}": Job()}, returns=[f"n{i}"]) for i in range(4)]
    async with bench.engine() as engine:
        ids = [(await engine.launch(bench.request(closure))).id for closure in closures]
        await asyncio.gather(*(engine.wait(id) for id in ids))
    async with bench.engine() as engine:
        await engine.launch(bench.request(closures[0]))
        for id in ids[1:]:
            await engine.describe(id)  # which reads closures, until the first one has to go
        assert (await engine.launch(bench.request(closures[0]))).created


async def test_the_only_node_of_a_workflow_within_another_is_found_by_its_id(bench):
    graphs = Graphs(None)
    handler = task(graphs, "clean", Interface((Variable("x", INT),), ()))
    inner = graphs.add(
        WorkflowSpec(
            "jobs.inner", ONE, (task(graphs, "job"), handler), (NodeSpec("only", 0, {"x": Promise(output="x")}),),
            {"o0": Promise("only", "o0")}, on_failure=1,
        )
    )  # fmt: skip
    outer = WorkflowSpec(
        "jobs.outer", ONE, (inner,), (NodeSpec("n0", 0, {"x": Promise(output="x")}),), {"o0": Promise("n0", "o0")}
    )
    async with bench.engine() as engine, asyncio.timeout(5):
        reply = await engine.launch(bench.request(graphs.close(graphs.add(outer)), inputs={"x": 1}))
        assert await engine.wait(reply.id) == "SUCCEEDED"


def stored_map(**more):
    """A list that is stored, a map over it, and a gate behind."""
    graphs = Graphs(None)
    calls = (task(graphs, "list", LIST), task(graphs, "item", **more), task(graphs, "all", MANY))
    nodes = (
        NodeSpec("list", 0, {"x": Promise(output="x")}),
        NodeSpec("map", 1, {"x": Promise("list", "o0")}, kind=MapSpec(("x",))),
        NodeSpec("all", 2, {"given": Promise("map", "o0")}),
    )
    return graphs.close(graphs.add(WorkflowSpec("jobs.stored", ONE, calls, nodes, {"o0": Promise("all", "o0")})))


async def test_a_map_over_a_stored_list_is_recovered_by_another_kernel(bench):
    blob = FileStore(str(bench.place / "storage")).put_bytes(b"[1,2,3]")

    def behaviour(request):
        if request.task.name == "jobs.list":
            return Succeeded({"o0": Offloaded(blob.uri, blob.size, "sha256:list")})
        if request.task.name == "jobs.all" and not mended:
            return Failed(ErrorInfo("Bad", "bad", retryable=False))
        return success()

    mended, closure = [], stored_map()
    bench.executor.behaviour = behaviour
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(closure, inputs={"x": 1}))
        assert await engine.wait(reply.id) == "FAILED"
    mended.append(True)
    bench.executor.submitted.clear()
    async with bench.engine() as engine:
        assert "not cached" in await engine.explain_cache(reply.id, "map")
        again = await engine.launch(bench.request(closure, inputs={"x": 1}, recover=reply.id))
        assert await engine.wait(again.id) == "SUCCEEDED"
    assert [id.split("/")[1] for id in bench.executor.submitted] == ["all"]


async def test_what_a_map_goes_over_and_cannot_be_read_is_told(bench):
    blob = FileStore(str(bench.place / "storage")).put_bytes(b"[1,2,3]")
    stored = Succeeded({"o0": Offloaded(blob.uri, blob.size, "sha256:list")})
    bench.executor.behaviour = lambda request: stored if request.task.name == "jobs.list" else None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(stored_map(), inputs={"x": 1}))
        await until(lambda: len(bench.executor.running) == 3)
    for path in (bench.place / "storage").rglob("*"):
        if path.is_file():
            path.unlink()
    async with bench.engine() as engine:
        with pytest.raises(NotFound, match="map: An input cannot be read"):
            await engine.wait(reply.id)


async def test_the_reservation_of_an_item_whose_execution_is_aborted_is_given_back(bench):
    class Patient(ScriptedExecutor):
        async def cancel(self, attempt, reason):
            cancelled.append(attempt)

    cancelled, bench.catalog = [], MemoryCatalog()
    bench.executor = Patient(lambda request: success([1, 2]) if request.task.name == "jobs.list" else None)
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(stored_map(cache=CacheSpec("1")), inputs={"x": 1}))
        await until(lambda: len(bench.executor.running) == 2)
        asked = asyncio.create_task(engine.abort(reply.id, "enough"))
        await until(lambda: len(cancelled) == 2)
        bench.executor.end(f"{reply.id}/map.0/0")  # it was faster; both are heard of at once
        bench.executor.end(f"{reply.id}/map.1/0", Aborted("enough"))
        await asked
        await until(lambda: not engine._memo._tasks and not engine._memo._reservations)
    assert not bench.catalog.reservations


async def test_a_child_waits_for_room_on_the_disk(bench, monkeypatch):
    monkeypatch.setattr(children, "AGAIN_S", 0.01)
    monkeypatch.setattr("wingbeat.engine.engine.FULL_AGAIN_S", 0.01)
    graphs = Graphs(None)
    child = graphs.add(
        WorkflowSpec(
            "jobs.child",
            ONE,
            (task(graphs, "job"),),
            (NodeSpec("n0", 0, {"x": Promise(output="x")}),),
            {"o0": Promise("n0", "o0")},
        )
    )
    plan = graphs.add(LaunchPlanSpec("jobs.plan", child, ONE))
    parent = WorkflowSpec(
        "jobs.parent", ONE, (plan,), (NodeSpec("n0", 0, {"x": Promise(output="x")}),), {"o0": Promise("n0", "o0")}
    )
    async with bench.engine() as engine, asyncio.timeout(10):
        launch, refused = engine.launch, []

        async def full(request):
            if request.labels and len(refused) < 3:
                refused.append(request)
                raise StorageFull("the disk is full")
            return await launch(request)

        monkeypatch.setattr(engine, "launch", full)
        reply = await engine.launch(bench.request(graphs.close(graphs.add(parent)), inputs={"x": 1}))
        assert await engine.wait(reply.id) == "SUCCEEDED"
    assert len(refused) == 3


async def test_what_comes_after_a_workflow_does_not_wait_for_what_a_branch_in_it_skips(bench):
    graphs = Graphs(None)
    x = Promise(output="x")
    cases = (
        Case(Compare("ge", Input("c0"), Value(5), "number"), {"o0": Promise("yes", "o0")}),
        Case(None, {"o0": Promise("no", "o0")}),
    )
    branch = BranchSpec(Interface((Variable("c0", INT),), ONE.outputs), cases)
    nodes = (
        NodeSpec("b", -1, {"c0": x}, kind=branch),
        NodeSpec("yes", 0, {"x": x}, arm=Arm("b", 0)),
        NodeSpec("no", 1, {"x": x}, arm=Arm("b", 1)),
    )
    inner = graphs.add(
        WorkflowSpec("jobs.in", ONE, (task(graphs, "yes"), task(graphs, "no")), nodes, {"o0": Promise("b", "o0")})
    )
    nodes = (NodeSpec("n0", 0, {"x": x}), NodeSpec("n1", 1, {"x": x}, ("n0",)))
    outer = WorkflowSpec("jobs.out", ONE, (inner, task(graphs, "last")), nodes, {"o0": Promise("n1", "o0")})
    async with bench.engine() as engine, asyncio.timeout(5):
        reply = await engine.launch(bench.request(graphs.close(graphs.add(outer)), inputs={"x": 1}))
        assert await engine.wait(reply.id) == "SUCCEEDED"
    assert [id.split("/")[1] for id in bench.executor.submitted] == ["n0.no", "n1"]


async def test_work_beside_the_loop_that_fails_as_nobody_foresaw_is_told_and_the_others_go_on(bench, monkeypatch):
    async def event(self, live, node):
        raise KeyError("a bug")

    monkeypatch.setattr("wingbeat.engine.loading.Loading.event", event)
    blob = FileStore(str(bench.place / "storage")).put_bytes(b"[1,2,3]")
    stored = Succeeded({"o0": Offloaded(blob.uri, blob.size, "sha256:list")})
    bench.executor.behaviour = lambda request: stored if request.task.name == "jobs.list" else success()
    async with bench.engine() as engine, asyncio.timeout(10):
        reply = await engine.launch(bench.request(stored_map(), inputs={"x": 1}))
        with pytest.raises(NotFound, match="KeyError: 'a bug'"):
            await engine.wait(reply.id)
        other = await engine.launch(bench.request(SIMPLE))
        assert await engine.wait(other.id) == "SUCCEEDED"
    monkeypatch.undo()
    async with bench.engine() as engine:
        assert await engine.wait(reply.id) == "SUCCEEDED"


async def test_a_timer_that_fails_once_is_not_lost(monkeypatch):
    def hit(name):
        passed.append(name)
        if len(passed) == 1:
            raise OSError("once")

    passed, fired, told = [], asyncio.Event(), []
    monkeypatch.setattr(timers, "hit", hit)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    clocks = timers.Timers(SystemClock(), lambda execution, timer: fired.set())
    clocks.add("x", SetTimer(0.0, "sleep"))
    await asyncio.wait_for(fired.wait(), 5)
    assert len(told) == 1
