"""Executors that take attempts without waiting: in place of ``submit``, as far as they say so."""

import asyncio

import pytest

from wingbeat.engine import dispatch
from wingbeat.testing.fakes import ScriptedExecutor, success
from wingbeat.testing.plans import Job, make_closure

CHAIN = make_closure({"a": Job(executor="other"), "b": Job(executor="other", after=["a"])}, returns=["b"])
MANY = make_closure({f"j{n}": Job(executor="other") for n in range(8)})


class At(ScriptedExecutor):
    """Takes attempts at once; `does` says of each, by its number, whether, or raises."""

    def __init__(self, does=lambda number: True):
        super().__init__()
        self.does, self.asked, self.waited = does, [], []

    def submit_nowait(self, request):
        self.asked.append(request.id)
        if not self.does(len(self.asked)):
            return False
        self.submitted[request.id] += 1
        self.end(request.id, success())
        return True

    async def submit(self, request):
        self.waited.append(request.id)
        await super().submit(request)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(dispatch, "TRY_DELAY_S", 0.001)


async def run(bench, executor, closure):
    bench.more["other"] = executor
    async with bench.engine() as engine, asyncio.timeout(20):
        reply = await engine.launch(bench.request(closure))
        await engine.wait(reply.id)
        return (await engine.describe(reply.id)).phase


async def test_what_is_taken_is_not_submitted(bench):
    executor = At()
    assert await run(bench, executor, CHAIN) == "SUCCEEDED"
    assert len(executor.asked) == 2
    assert executor.waited == []


async def test_what_is_not_taken_is_submitted_once_and_in_order(bench):
    executor = At(lambda number: False)
    assert await run(bench, executor, MANY) == "SUCCEEDED"
    assert len(executor.waited) == 8
    assert executor.waited == sorted(executor.waited)
    assert set(executor.submitted.values()) == {1}


async def test_one_that_takes_some_gets_every_attempt_once(bench):
    executor = At(lambda number: number % 3 != 0)
    assert await run(bench, executor, MANY) == "SUCCEEDED"
    assert executor.waited
    assert set(executor.submitted.values()) == {1}


@pytest.mark.parametrize("error", [OSError("away"), SystemExit(3), asyncio.CancelledError()])
async def test_one_that_raises_is_asked_again_and_the_others_go_on(bench, error):
    def does(number):
        if number == 1:
            raise error
        return True

    executor = At(does)
    assert await run(bench, executor, MANY) == "SUCCEEDED"
    assert executor.waited == executor.asked[:1]
    assert len(executor.submitted) == 8
