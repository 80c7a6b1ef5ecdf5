"""Executions that cannot be read when a kernel starts: tried again while it runs, if that may help."""

import asyncio

import pytest

from wingbeat.base.errors import JournalUnknown, NotFound, SetAside
from wingbeat.builtin.filestore import FileStore
from wingbeat.builtin.sqlite import SQLiteJournal
from wingbeat.contracts.executor import Succeeded
from wingbeat.engine import children, recovery
from wingbeat.spec.entities import Entry, LaunchPlanSpec, MapSpec, NodeSpec, Promise, TaskSpec, WorkflowSpec
from wingbeat.spec.literal import Offloaded
from wingbeat.testing.fakes import ScriptedExecutor, success
from wingbeat.testing.graphs import LIST, MANY, ONE, Graphs
from wingbeat.testing.plans import Job, make_closure

SIMPLE = make_closure({"a": Job()}, returns=["a"])


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come true")


class Storage(FileStore):
    """Cannot be read while it is `away`."""

    away = False

    def read_bytes(self, blob, bytes_max=2**28):
        if self.away:
            raise OSError("the storage is away")
        return super().read_bytes(blob, bytes_max)


class Journal(SQLiteJournal):
    """Does not read the rows of the executions that are `away`."""

    def __init__(self, path, away):
        super().__init__(path)
        self.away, self.asked = away, 0

    async def read(self, execution, after=-1):
        if execution in self.away:
            self.asked += 1
            raise JournalUnknown("the disk said EIO")
        return await super().read(execution, after)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(recovery, "AGAIN_S", 0.02)
    monkeypatch.setattr(recovery, "AGAIN_S_MAX", 0.05)
    monkeypatch.setattr(children, "AGAIN_S", 0.01)


@pytest.fixture
def away(bench):
    """Ids of executions whose rows cannot be read."""
    found = set()
    bench.journals = []

    def make():
        bench.journals.append(Journal(bench.place / "journal.sqlite", found))
        return bench.journals[-1]

    bench.journal = make
    return found


def task(graphs, name, interface=ONE):
    return graphs.add(TaskSpec(f"jobs.{name}", interface, Entry("jobs", name)))


def stored_map():
    graphs = Graphs(None)
    calls = (task(graphs, "list", LIST), task(graphs, "item"), task(graphs, "all", MANY))
    nodes = (
        NodeSpec("list", 0, {"x": Promise(output="x")}),
        NodeSpec("map", 1, {"x": Promise("list", "o0")}, kind=MapSpec(("x",))),
        NodeSpec("all", 2, {"given": Promise("map", "o0")}),
    )
    return graphs.close(graphs.add(WorkflowSpec("jobs.stored", ONE, calls, nodes, {"o0": Promise("all", "o0")})))


async def test_a_map_whose_list_cannot_be_read_at_the_start_goes_on_when_it_can(bench):
    bench.storage = Storage(str(bench.place / "storage"))
    blob = bench.storage.put_bytes(b"[1,2,3]")
    stored = Succeeded({"o0": Offloaded(blob.uri, blob.size, "sha256:list")})
    bench.executor.behaviour = lambda request: stored if request.task.name == "jobs.list" else None
    async with bench.engine() as engine:
        await engine.launch(bench.request(stored_map(), "mapped", inputs={"x": 1}))
        await until(lambda: len(bench.executor.running) == 3)
    bench.storage.away, bench.executor = True, ScriptedExecutor()
    async with bench.engine() as engine:
        with pytest.raises(SetAside, match=r"the storage is away\n.* It was tried \d+ times; the next time is in"):
            await engine.describe("mapped")
        assert not bench.executor.submitted
        assert not (await engine.launch(bench.request(stored_map(), "mapped", inputs={"x": 1}))).created
        bench.storage.away = False
        await until(lambda: "mapped" not in engine._recovery._aside)
        assert await engine.wait("mapped") == "SUCCEEDED"
    assert sorted(bench.executor.recovered) == ["mapped/map.0/0", "mapped/map.1/0", "mapped/map.2/0"]
    assert max(bench.executor.submitted.values()) == 1


async def test_rows_that_cannot_be_read_at_the_start_are_read_again_ever_more_seldom(bench, away, monkeypatch):
    monkeypatch.setattr(recovery, "AGAIN_S", 10.0)
    monkeypatch.setattr(recovery, "AGAIN_S_MAX", 30.0)
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        await engine.launch(bench.request(SIMPLE, "one"))
    away.add("one")
    async with bench.engine() as engine:
        read, waits = engine._recovery, []
        for _ in range(4):
            aside = read._aside["one"]
            waits.append(round(aside.due - asyncio.get_running_loop().time()))
            await read._read([aside.record])
        assert waits == [10, 20, 30, 30]
        assert bench.journals[-1].asked == 5
        with pytest.raises(SetAside, match="said EIO"):
            await engine.abort("one", "enough")


async def test_an_executor_that_cannot_adopt_then_is_asked_until_it_can(bench, away):
    class Away(ScriptedExecutor):
        times = 0

        async def recover(self, requests):
            if requests:
                self.times += 1
                if self.times < 3:
                    raise OSError("the executor is away")
            await super().recover(requests)

    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        await engine.launch(bench.request(SIMPLE, "one"))
        await until(lambda: bench.executor.running)
    away.add("one")
    bench.executor = Away()
    async with bench.engine() as engine:
        away.clear()
        await until(lambda: "one" not in engine._recovery._aside)
        assert await engine.wait("one") == "SUCCEEDED"
    assert (bench.executor.times, bench.executor.submitted) == (3, {"one/a/0": 1})


async def test_what_is_damaged_is_not_tried_again(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        await engine.launch(bench.request(SIMPLE, "bad"))
    journal = bench.make_journal()
    await journal.open("vandal")
    await journal._connection.execute("UPDATE facts SET body = x'00'")
    await journal.close()
    async with bench.engine() as engine:
        assert not engine._recovery._aside
        with pytest.raises(NotFound, match="when the home is opened the next time") as told:
            await engine.wait("bad")
        assert not isinstance(told.value, SetAside)


async def test_who_calls_an_execution_that_is_set_aside_waits_for_it(bench, away):
    graphs = Graphs(None)
    child = graphs.add(
        WorkflowSpec(
            "jobs.child", ONE, (task(graphs, "job"),), (NodeSpec("n0", 0, {"x": Promise(output="x")}),),
            {"o0": Promise("n0", "o0")},
        )
    )  # fmt: skip
    plan = graphs.add(LaunchPlanSpec("jobs.plan", child, ONE))
    nodes = (NodeSpec("n0", 0, {"x": Promise(output="x")}),)
    parent = graphs.close(graphs.add(WorkflowSpec("jobs.parent", ONE, (plan,), nodes, {"o0": Promise("n0", "o0")})))
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        await engine.launch(bench.request(parent, "parent", inputs={"x": 1}))
        await until(lambda: bench.executor.running)
        (running,) = bench.executor.running
    away.add(running.split("/")[0])
    bench.executor = ScriptedExecutor(lambda request: success())
    async with bench.engine() as engine:
        waiting = asyncio.create_task(engine.wait("parent"))
        await until(lambda: bench.journals[-1].asked > 2)
        assert not waiting.done()
        away.clear()
        assert await waiting == "SUCCEEDED"
    assert bench.executor.recovered == [running]


async def test_closing_ends_the_trying(bench, away):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        await engine.launch(bench.request(SIMPLE, "one"))
    away.add("one")
    async with bench.engine() as engine:
        pass
    assert not engine._recovery._tasks
