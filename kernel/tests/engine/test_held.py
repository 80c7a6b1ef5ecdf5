"""Nodes that wait for what another is computing: woken where it is in the same kernel, else asking ever more seldom."""

import asyncio

import pytest

from wingbeat.contracts.catalog import Reserved
from wingbeat.contracts.executor import Failed
from wingbeat.engine import held
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.fakes import MemoryCatalog, ScriptedExecutor, success
from wingbeat.testing.plans import Job, make_closure

CACHED = make_closure({"a": Job(cache=True)}, returns=["a"])
NEVER = 10.0**6


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come true")


@pytest.fixture
def slow(bench):
    """Attempts that run until they are ended by hand; a catalog."""
    bench.executor, bench.catalog = ScriptedExecutor(lambda _: None), MemoryCatalog()
    return bench


def waiting(engine):
    return len(engine._memo._held._nodes)


async def launched(engine, bench, count):
    """One that computes, and others that wait for it."""
    await engine.launch(bench.request(CACHED, "x0"))
    await until(lambda: bench.executor.running)
    for i in range(1, count):
        await engine.launch(bench.request(CACHED, f"x{i}"))
    await until(lambda: waiting(engine) == count - 1)


async def test_all_who_wait_for_the_same_kernel_are_woken_by_what_it_stores(slow, monkeypatch):
    monkeypatch.setattr(held, "AGAIN_S", NEVER)
    monkeypatch.setattr(held, "AGAIN_S_MAX", NEVER)
    async with slow.engine() as engine, asyncio.timeout(10):
        await launched(engine, slow, 5)
        slow.executor.end("x0/a/0", success(7))
        for i in range(5):
            assert await engine.wait(f"x{i}") == "SUCCEEDED"
        assert not waiting(engine)
        assert not engine._memo._held._by_digest
    assert slow.executor.submitted == {"x0/a/0": 1}


async def test_who_fails_wakes_the_next_one(slow, monkeypatch):
    monkeypatch.setattr(held, "AGAIN_S", NEVER)
    monkeypatch.setattr(held, "AGAIN_S_MAX", NEVER)
    async with slow.engine() as engine, asyncio.timeout(10):
        await launched(engine, slow, 3)
        asked = slow.catalog.calls["reserve"]
        slow.executor.end("x0/a/0", Failed(ErrorInfo("Bad", "bad", retryable=False)))
        await until(lambda: slow.executor.running)
        assert slow.catalog.calls["reserve"] == asked + 1
        assert list(slow.executor.running) == ["x1/a/0"]
        slow.executor.end("x1/a/0", success(7))
        assert await engine.wait("x2") == "SUCCEEDED"


async def test_who_is_aborted_waits_no_more(slow, monkeypatch):
    monkeypatch.setattr(held, "AGAIN_S", NEVER)
    monkeypatch.setattr(held, "AGAIN_S_MAX", NEVER)
    async with slow.engine() as engine, asyncio.timeout(10):
        await launched(engine, slow, 2)
        await engine.abort("x1", "enough")
        assert not waiting(engine)
        slow.executor.end("x0/a/0", success(7))
        assert await engine.wait("x0") == "SUCCEEDED"


async def test_who_waits_for_another_kernel_goes_on_when_that_has_ended(slow, monkeypatch):
    monkeypatch.setattr(held, "AGAIN_S", 0.001)
    monkeypatch.setattr(held, "AGAIN_S_MAX", 0.01)

    class Elsewhere(MemoryCatalog):
        async def reserve(self, key, owner, seconds):
            self._called("reserve")
            return Reserved("elsewhere" if self.calls["reserve"] < 5 else owner, seconds)

    slow.catalog = Elsewhere()
    async with slow.engine() as engine, asyncio.timeout(10):
        await engine.launch(slow.request(CACHED, "x"))
        await until(lambda: slow.executor.running)
        assert not waiting(engine)
        slow.executor.end("x/a/0", success(7))
        assert await engine.wait("x") == "SUCCEEDED"


async def test_being_woken_adds_no_timers(slow, monkeypatch):
    monkeypatch.setattr(held, "AGAIN_S", 0.05)
    monkeypatch.setattr(held, "AGAIN_S_MAX", 0.05)
    async with slow.engine() as engine, asyncio.timeout(10):
        await launched(engine, slow, 2)
        (node,), (digest,) = engine._memo._held._nodes.values(), engine._memo._held._by_digest
        for _ in range(20):
            engine._memo._ended(digest, stored=True)
            await until(lambda: not node.asking)
        await until(lambda: node.timers == 1)
        asked = slow.catalog.calls["reserve"]
        await until(lambda: slow.catalog.calls["reserve"] > asked)
        assert node.timers <= 1
        slow.executor.end("x0/a/0", success(7))
        assert await engine.wait("x1") == "SUCCEEDED"


class Waiter:
    """As much of an execution as is looked at."""

    id = "x"
    keys = {3: None}


def test_the_times_grow_differ_and_have_a_bound():
    dice = iter([b"\0\0", b"\xff\xff"] * 20)
    nodes, live = held.Held(lambda: next(dice)), Waiter()
    seconds = []
    for _ in range(20):
        assert nodes.asks(live, 3)
        seconds.append(nodes.wait(live, 3, "digest"))
    base = [min(held.AGAIN_S * 2**n, held.AGAIN_S_MAX) for n in range(20)]
    assert seconds[::2] == [b * 0.5 for b in base[::2]]
    assert seconds[1::2] == pytest.approx(base[1::2], rel=1e-4)
    assert max(seconds) <= held.AGAIN_S_MAX == 5.0
    nodes.forget(live)
    assert not nodes._nodes
