"""The kits; that of admins, with the stock one over this engine; and what this engine does in its own way."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from acme_sequential import kits
from acme_sequential.kits import opened
from wingbeat import Kernel, current, map_task, sleep, task, workflow
from wingbeat.base.errors import ConfigurationError
from wingbeat.spec.literal import Inline, Offloaded
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import AdminContract
from wingbeat.testing.conformance.plugin import PluginContract

SETTINGS = {"kernel": {"engine": "sequential", "admin": "local"}}


@task(retries=1)
def second_time(n: int) -> list[str]:
    """Fail the first time, then give what is too large to stand in a journal."""
    if current().attempt == 0:
        raise ValueError("not yet")
    return ["x" * 1000] * n


@task
def double(n: int) -> int:
    return 2 * n


@task
def length(text: str) -> int:
    return len(text)


@workflow
def inner(texts: list[str]) -> int:
    return length(texts[1])


@workflow
def outer(n: int) -> int:
    return inner(second_time(n))


@task(timeout="1m")
def hurried(n: int) -> int:
    return n


@task(secrets=["key"])
def secretive(n: int) -> int:
    return n


@workflow
def mapped(ns: list[int]) -> list[int]:
    return map_task(double)(ns)


@workflow
def sleepy(n: int) -> int:
    return double(sleep("1s", n))


async def running(engine, execution):
    """Wait until user code runs."""
    async for event in engine.events(execution):
        if (event.kind, event.phase) == ("attempt", "RUNNING"):
            return


class TestEngine(kits.TestEngine):
    async def test_an_attempt_outlives_the_engine(self, home, tmp_path):
        """`close`: what runs goes on, and is found again: it is not run a second time."""
        gate = tmp_path / "gate"
        async with opened(home) as engine:
            reply = await engine.launch(self.request(flows.endless, path=str(gate)))
            await running(engine, reply.id)
        gate.touch()
        async with opened(home) as engine:
            assert await engine.wait(reply.id) == "SUCCEEDED"
            (node,) = (await engine.describe(reply.id)).nodes
            assert [attempt.phase for attempt in node.attempts] == ["SUCCEEDED"]

    def test_a_crash_loses_nothing(self, home, tmp_path):
        """Killed while an attempt runs: the next engine finds that one, and goes on behind it."""
        gate, began = tmp_path / "gate", tmp_path / "began"

        async def life():
            async with opened(home) as engine:
                await engine.launch(self.request(flows.endless, "one", path=str(gate)))
                await engine.launch(self.request(flows.twice, "two", n=1))
                await running(engine, "one")
                began.touch()
                await asyncio.Event().wait()

        async def next_life():
            async with opened(home) as engine:
                gate.touch()
                assert [await engine.wait(name) for name in ("one", "two")] == ["SUCCEEDED", "SUCCEEDED"]
                (endless,) = (await engine.describe("one")).nodes
                assert [attempt.number for attempt in endless.attempts] == [0]
                for node in (
                    await engine.describe("two")
                ).nodes:  # it may have been killed between a claim and the start
                    *lost, last = node.attempts
                    assert last.phase == "SUCCEEDED"
                    assert [attempt.error.kind for attempt in lost] == ["SYSTEM"] * len(lost)

        self.crash(life, began.exists)
        asyncio.run(next_life())

    async def test_who_comes_second_takes_over(self, home):
        """Several may have the home open: one of them runs what all launch, and when it leaves, another does."""
        async with contextlib.AsyncExitStack() as first, opened(home) as second:
            holder = await first.enter_async_context(opened(home))
            launched = await second.launch(self.request(flows.twice, n=1))
            assert await holder.wait(launched.id) == "SUCCEEDED"
            await holder.launch(self.request(flows.gated, "waits", n=1))
            await first.aclose()
            await second.signal("waits", "go", Inline(True), "s")
            assert await second.wait("waits") == "SUCCEEDED"

    async def test_what_cannot_be_done_is_refused_at_the_launch(self, home):
        """Nothing that a workflow asks for is left out in silence."""
        async with Kernel(home.path, settings=SETTINGS) as kernel:
            for flow, inputs, why in (
                (mapped, {"ns": [1]}, "it is a map"), (sleepy, {"n": 1}, "it sleeps"), (hurried, {"n": 1}, "has a timeout"),
                (secretive, {"n": 1}, "has secrets"),
            ):  # fmt: skip
                with pytest.raises(ConfigurationError, match=why):
                    await kernel.launch(flow, inputs)
            assert await kernel.engine.executions() == []

    async def test_errors_are_retried_and_large_values_stay_in_storage(self, home):
        """A workflow within a workflow; a part of a value that no engine reads."""
        async with Kernel(home.path, settings=SETTINGS) as kernel:
            execution = await kernel.launch(outer, {"n": 100})
            assert await execution.result() == 1000
            first, last = (await execution.describe()).nodes
            assert [attempt.phase for attempt in first.attempts] == ["RETRYABLE_FAILED", "SUCCEEDED"]
            assert first.attempts[0].error.message.startswith("not yet")
            assert isinstance(first.outputs["o0"], Offloaded)
            assert last.id == "n1.n0"


class TestStockAdmin(AdminContract):
    """`wingbeat-admin` over this engine, both as a kernel makes them."""

    patience_s = kits.PATIENCE_S

    def engine(self, home):
        return opened(home)

    @contextlib.asynccontextmanager
    async def opened(self, home, engine):
        async with Kernel(home.path, settings=SETTINGS) as kernel:  # a second one that has the file open
            yield await kernel.admin()


class TestPlugin(PluginContract):
    module = "acme_sequential.plugin"
    name = "sequential"
