"""For which attempts the engine vouches: those that may still do something."""

import asyncio

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.engine import Vouched
from wingbeat.contracts.executor import Capabilities, Failed
from wingbeat.contracts.secrets import SourceRef
from wingbeat.spec.entities import RetrySpec, TimeoutSpec
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.secrets import SecretSpec
from wingbeat.testing.plans import Job, make_closure, replace_task

ONE = make_closure({"a": Job()}, returns=["a"])


made = []


class Issuer:
    """Who is only made."""

    def __init__(self, attempt, launched_at):
        made.append(attempt)


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come true")


async def test_an_attempt_that_is_to_be_stopped_is_vouched_for_no_more_though_it_runs(bench):
    """By a timeout, or an abort; what runs on in spite of that has nobody behind it."""
    stopped = []

    async def cancel(attempt, reason):
        stopped.append(attempt)
        raise OSError("it does not end")

    bench.executor.behaviour = lambda request: bench.executor.sink.running(request.id)
    bench.executor.cancel = cancel
    slow = make_closure({"a": Job(timeout=TimeoutSpec(run_s=0.3))}, returns=["a"])
    async with bench.engine() as engine:
        await engine.launch(bench.request(ONE, "one"))
        await engine.launch(bench.request(slow, "slow"))
        await until(lambda: len(bench.executor.running) == 2)
        assert await engine.vouch("one/a/0") is not None
        assert await engine.vouch("slow/a/0") is not None
        await until(lambda: "slow/a/0" in stopped)
        assert await engine.vouch("slow/a/0") is None
        aborting = asyncio.create_task(engine.abort("one", "enough"))
        await until(lambda: "one/a/0" in stopped)
        assert await engine.vouch("one/a/0") is None
        assert set(bench.executor.running) == {"one/a/0", "slow/a/0"}
        for attempt in list(bench.executor.running):
            bench.executor.end(attempt)
        await aborting


async def test_of_a_node_that_is_tried_again_the_last_attempt_is_vouched_for(bench):
    bench.executor.behaviour = lambda _: None
    closure = make_closure({"a": Job(retry=RetrySpec(1, delay_s=0.01))}, returns=["a"])
    async with bench.engine() as engine:
        await engine.launch(bench.request(closure, "one"))
        await until(lambda: bench.executor.running)
        bench.executor.end("one/a/0", Failed(ErrorInfo("E", "again", ErrorKind.USER)))
        await until(lambda: "one/a/1" in bench.executor.running)
        assert [await engine.vouch(f"one/a/{n}") is not None for n in range(3)] == [False, True, False]
        bench.executor.end("one/a/1")
        await engine.wait("one")
        assert await engine.vouch("one/a/1") is None


async def test_it_says_when_the_execution_was_launched_also_after_a_restart(bench):
    bench.executor.behaviour = lambda _: None
    async with bench.engine() as engine:
        await engine.launch(bench.request(ONE, "one", labels={"project": "maps"}))
        await until(lambda: bench.executor.running)
        found = await engine.vouch("one/a/0")
        assert found == Vouched((await engine.describe("one")).created_at, {"project": "maps"})
    async with bench.engine() as engine:
        assert await engine.vouch("one/a/0") == found


async def test_the_source_of_a_token_is_told_of_which_attempt_it_is(bench):
    """The same after a restart; and no part of it is a secret."""

    def tokens(attempt, launched_at):
        return SourceRef("issuer", f"{__name__}:Issuer", {"attempt": attempt, "launched_at": launched_at})

    bench.executor.behaviour = lambda _: None
    bench.tokens = tokens
    bench.executor.capabilities = Capabilities(secrets=True)
    closure = replace_task(ONE, "jobs.a", secrets=(SecretSpec("@token", "WINGBEAT_API_KEY"),))
    seen = []
    for _ in range(2):
        async with bench.engine() as engine:
            await engine.launch(bench.request(closure, "one"))
            await until(lambda: bench.executor.running)
            seen.append(bench.executor.running.pop("one/a/0").secrets)
            at = (await engine.describe("one")).created_at
            assert (await engine.vouch("one/a/0")).secrets == ("@token",)
    assert seen == [tokens("one/a/0", at)] * 2
    assert made == [""], "at the launch: whether anybody issues tokens"
