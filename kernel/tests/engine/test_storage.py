"""A storage that raises, exits or hangs where the engine itself asks it: what it was asked for is done without, or fails."""

import asyncio
import subprocess
import sys
import threading

import pytest

from wingbeat.builtin.filestore import FileStore
from wingbeat.contracts.executor import Succeeded
from wingbeat.engine import circuit, memo
from wingbeat.runtime.threads import DaemonThreads, in_thread
from wingbeat.spec.entities import Entry, MapSpec, NodeSpec, Promise, TaskSpec, WorkflowSpec
from wingbeat.spec.literal import Offloaded
from wingbeat.testing.fakes import MemoryCatalog, success
from wingbeat.testing.graphs import LIST, MANY, Graphs
from wingbeat.testing.graphs import ONE as ONE_INPUT
from wingbeat.testing.plans import Job, make_closure

ONE = make_closure({"a": Job()}, returns=["a"])
CACHED = make_closure({"a": Job(cache=True)}, returns=["a"])
STORED = Succeeded({"o0": Offloaded(f"store:sha256:{'0' * 64}", 1, "sha256:x")})


async def run(engine, request):
    reply = await engine.launch(request)
    await engine.wait(reply.id)
    return await engine.describe(reply.id)


def mapped():
    graphs = Graphs(None)
    shapes = {"list": LIST, "item": ONE_INPUT, "all": MANY}
    calls = tuple(graphs.add(TaskSpec(f"jobs.{name}", shape, Entry("jobs", name))) for name, shape in shapes.items())
    nodes = (
        NodeSpec("list", 0, {"x": Promise(output="x")}),
        NodeSpec("map", 1, {"x": Promise("list", "o0")}, kind=MapSpec(("x",))),
        NodeSpec("all", 2, {"given": Promise("map", "o0")}),
    )
    return graphs.close(graphs.add(WorkflowSpec("jobs.stored", ONE_INPUT, calls, nodes, {"o0": Promise("all", "o0")})))


class Odd(FileStore):
    """Does something else than it should when it is asked to verify, or to read."""

    def __init__(self, place, does):
        super().__init__(str(place))
        self.verify = self.read_bytes = lambda *_, **__: does()


def leave():
    raise SystemExit(3)


def strike():
    raise RuntimeError("on strike")


async def hit(bench, does, *, times=1):
    """The views of a cached task's second execution and of those that follow, and why the last one did not hit."""
    bench.catalog, bench.storage = MemoryCatalog(), Odd(bench.place, does)
    bench.executor.behaviour = lambda request: STORED
    async with bench.engine() as engine:
        await run(engine, bench.request(CACHED))
        views = [await run(engine, bench.request(CACHED)) for _ in range(times)]
        return views, await engine.explain_cache(views[-1].id, "a")


@pytest.mark.parametrize(("does", "why"), [(leave, "SystemExit: 3"), (strike, "RuntimeError: on strike")])
async def test_a_storage_that_fails_to_verify_is_done_without_and_the_catalog_keeps_its_entry(bench, does, why):
    (view,), told = await hit(bench, does)
    assert (view.phase, view.nodes[0].cache) == ("SUCCEEDED", "LOOKUP_FAILURE")
    assert why in told
    assert len(bench.catalog.entries) == 1


async def test_a_storage_that_hangs_is_named_and_left_alone_and_the_catalog_is_not(bench, monkeypatch):
    monkeypatch.setattr(memo, "VERIFY_S_MAX", 0.05)
    monkeypatch.setattr(memo, "ANSWER_S_MAX", 0.02)
    monkeypatch.setattr(circuit, "FAILURES_MAX", 1)
    monkeypatch.setattr(circuit, "PAUSE_S", 60.0)
    go = threading.Event()
    (first, second), told = await hit(bench, go.wait, times=2)
    go.set()
    assert (first.phase, first.nodes[0].cache) == ("SUCCEEDED", "LOOKUP_FAILURE")
    assert (second.phase, second.nodes[0].cache) == ("SUCCEEDED", "LOOKUP_FAILURE")
    assert "The storage 'store' is left alone for a while" in told
    assert "it did not answer within 0.05 s" in told


async def test_a_storage_that_exits_when_a_value_is_read_fails_the_node_and_not_the_engine(bench):
    bench.storage = Odd(bench.place, leave)
    bench.executor.behaviour = lambda request: STORED if request.id.endswith("list/0") else success()
    async with bench.engine() as engine:
        view = await run(engine, bench.request(mapped(), inputs={"x": 1}))
        assert (view.phase, view.error.code) == ("FAILED", "InputLost")
        assert "SystemExit: 3" in view.error.message
        assert (await run(engine, bench.request(ONE))).phase == "SUCCEEDED"


# -- threads


async def test_what_exits_in_a_thread_is_an_error_like_others():
    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        await in_thread(leave)


async def test_no_more_threads_than_said_work_at_once_and_none_is_left():
    threads, inside, most = DaemonThreads(3), [], []

    def work(number):
        inside.append(number)
        most.append(len(inside))
        threading.Event().wait(0.005)
        inside.remove(number)
        return number

    futures = [threads.submit(work, number) for number in range(30)]
    assert [await asyncio.wrap_future(future) for future in futures] == list(range(30))
    assert max(most) == 3
    assert await asyncio.wrap_future(threads.submit(work, 7)) == 7


def test_what_hangs_in_a_thread_does_not_keep_the_process():
    code = """
import asyncio, time
from wingbeat.runtime.threads import in_thread
async def main():
    try:
        await asyncio.wait_for(in_thread(time.sleep, 1000), 0.1)
    except TimeoutError:
        print("late")
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "late\n"
