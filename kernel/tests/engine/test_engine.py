"""The engine among stand-ins: what it launches, aborts and recovers, and what it does with executors that misbehave."""

import asyncio

import pytest

from wingbeat.base.errors import (
    ConfigurationError,
    ConflictError,
    EngineStopped,
    ErrorKind,
    InputError,
    NotFound,
)
from wingbeat.builtin.sqlite import SQLiteJournal
from wingbeat.contracts.executor import Failed, Succeeded
from wingbeat.engine import engine as engine_module
from wingbeat.engine.outcomes import wrong_output
from wingbeat.spec.container import ContainerSpec
from wingbeat.spec.entities import Interface, RetrySpec, TaskSpec, TimeoutSpec, Variable, WrapperSpec
from wingbeat.spec.literal import Inline
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.fakes import ScriptedExecutor, success
from wingbeat.testing.plans import Job, make_closure, replace_task
from wingbeat.types import literal_type

ONE = make_closure({"a": Job()}, returns=["a"])
CHAIN = make_closure({"a": Job(), "b": Job(["a"]), "c": Job(["b"])}, returns=["c"])


async def until(condition, what="the condition"):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{what} did not come true")


async def run(engine, request):
    reply = await engine.launch(request)
    await engine.wait(reply.id)
    return await engine.describe(reply.id)


# -- launch


async def test_a_chain_runs_and_gives_its_outputs(bench):
    async with bench.engine() as engine:
        view = await run(engine, bench.request(CHAIN))
    assert (view.phase, view.outputs) == ("SUCCEEDED", {"o0": Inline(1)})
    assert [n.phase for n in view.nodes] == ["SUCCEEDED"] * 3
    assert bench.executor.submitted == {f"{view.id}/{n}/0": 1 for n in "abc"}


async def test_a_name_makes_the_launch_idempotent(bench):
    async with bench.engine() as engine:
        first = await engine.launch(bench.request(ONE, "mine"))
        again = await engine.launch(bench.request(ONE, "mine"))
        await engine.wait("mine")
        late = await engine.launch(bench.request(ONE, "mine"))
    assert [first.created, again.created, late.created] == [True, False, False]
    async with bench.engine() as engine:
        assert not (await engine.launch(bench.request(ONE, "mine"))).created
    assert sum(bench.executor.submitted.values()) == 1


async def test_a_name_with_another_content_is_a_conflict(bench):
    closure = make_closure({"a": Job(["x"])}, inputs=["x"])
    async with bench.engine() as engine:
        await engine.launch(bench.request(closure, "mine", {"x": 1}))
        for other in (bench.request(closure, "mine", {"x": 2}), bench.request(CHAIN, "mine", {})):
            with pytest.raises(ConflictError, match="'mine' is there already"):
                await engine.launch(other)


async def test_launches_of_one_name_at_once_give_one_execution(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        replies = await asyncio.gather(*(engine.launch(bench.request(ONE, "mine")) for _ in range(20)))
        assert [r.created for r in replies].count(True) == 1
        assert len(await engine.executions()) == 1
        await until(lambda: bench.executor.running)
    assert sum(bench.executor.submitted.values()) == 1


async def test_launches_of_one_name_that_recover_at_once_give_one_execution(bench):
    async with bench.engine() as engine:
        await run(engine, bench.request(ONE, "old"))
        requests = [bench.request(ONE, "new", recover="old") for _ in range(10)]
        replies = await asyncio.gather(*(engine.launch(r) for r in requests))
        assert [r.created for r in replies].count(True) == 1


async def test_a_launch_answers_with_one_of_its_name_that_began_and_ended_while_it_looked(bench):
    class Journal(SQLiteJournal):
        async def record(self, execution):
            found = await super().record(execution)
            if not looked:
                looked.append(execution)
                await run(engine, bench.request(ONE, "mine"))
            return found

    looked = []
    bench.journal = lambda: Journal(bench.place / "journal.sqlite")
    async with bench.engine() as engine:
        reply = await asyncio.wait_for(engine.launch(bench.request(ONE, "mine")), 5)
        assert (reply.id, reply.created) == ("mine", False)
        assert (await engine.describe("mine")).phase == "SUCCEEDED"
        await run(engine, bench.request(ONE, "next"))


async def test_a_launch_of_a_name_that_was_adopted_answers_with_it(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        await engine.launch(bench.request(ONE, "mine"))
    async with bench.engine() as engine:
        reply = await asyncio.wait_for(engine.launch(bench.request(ONE, "mine")), 5)
        assert not reply.created


@pytest.mark.parametrize("name", ["UPPER", "a/b", "..", "a" * 64, "-a", "a b"])
async def test_a_name_that_cannot_be_an_id_is_refused(bench, name):
    async with bench.engine() as engine:
        with pytest.raises(InputError, match="cannot name an execution"):
            await engine.launch(bench.request(ONE, name))


async def test_resume_leaves_alone_what_somebody_follows(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        first = await engine.launch(bench.request(ONE))
        follower = engine.events(first.id)
        await anext(follower)
        assert (await engine.launch(bench.request(ONE, resume=True))).id != first.id
        await follower.aclose()


async def test_resume_takes_what_nobody_waits_for_and_nothing_that_has_ended(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        first = await engine.launch(bench.request(ONE))
        assert (await engine.launch(bench.request(ONE, resume=True))).id == first.id
        waiting = asyncio.create_task(engine.wait(first.id))
        await asyncio.sleep(0)
        assert (await engine.launch(bench.request(ONE, resume=True))).id != first.id
        bench.executor.end(f"{first.id}/a/0")
        await waiting
        assert (await engine.launch(bench.request(CHAIN, resume=True))).created


async def test_an_executor_that_is_not_installed_is_refused_before_anything_is_written(bench):
    async with bench.engine() as engine:
        with pytest.raises(ConfigurationError, match="is to run on the executor 'moon'"):
            await engine.launch(bench.request(make_closure({"a": Job(executor="moon")})))
        assert await engine.executions() == []


async def test_more_launches_than_one_turn_takes_are_durable_with_their_first_fact(bench, monkeypatch):
    monkeypatch.setattr(engine_module, "DRAIN_MAX", 3)
    async with bench.engine() as engine:
        launches = [asyncio.create_task(engine.launch(bench.request(ONE, f"e{i}"))) for i in range(10)]
        await asyncio.wait(launches, return_when=asyncio.FIRST_COMPLETED)
        journal = engine._journal
        for launch in launches:
            if launch.done():
                assert await journal.read(launch.result().id), "acknowledged, so it can go on after a crash"
        for record in await journal.records():
            assert await journal.read(record.execution)
        await asyncio.gather(*launches)


# -- unknown ids


async def test_what_does_not_exist_is_not_found(bench):
    async with bench.engine() as engine:
        for call in (engine.wait, engine.describe, engine.closure):
            with pytest.raises(NotFound, match="no execution 'nope'"):
                await call("nope")
        with pytest.raises(NotFound):
            await engine.abort("nope", "")
        with pytest.raises(NotFound):
            [e async for e in engine.events("nope")]
        with pytest.raises(NotFound):
            await engine.launch(bench.request(ONE, recover="nope"))


# -- failures, abort


async def test_a_failure_names_the_node_the_code_and_who_has_to_act(bench):
    bench.executor.behaviour = lambda r: Failed(ErrorInfo("KeyError", "no such key")) if "/b/" in r.id else success()
    async with bench.engine() as engine:
        view = await run(engine, bench.request(CHAIN))
    assert view.phase == "FAILED"
    assert view.error is not None
    assert (view.error.node, view.error.code, view.error.kind) == ("b", "KeyError", ErrorKind.USER)


async def test_abort_returns_when_everything_has_ended(bench):
    bench.executor.behaviour = lambda request: None
    closure = make_closure({"a": Job(), "b": Job()})
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(closure))
        await until(lambda: len(bench.executor.running) == 2)
        await engine.abort(reply.id, "enough")
        view = await engine.describe(reply.id)
        assert (view.phase, view.reason, view.error) == ("ABORTED", "enough", None)
        assert bench.executor.running == {}
        await engine.abort(reply.id, "again")
        assert (await engine.describe(reply.id)).reason == "enough"


async def test_what_is_aborted_before_its_turn_is_never_submitted(bench):
    gate = asyncio.Event()
    bench.executor.behaviour = lambda request: gate.wait()
    closure = make_closure({f"j{i}": Job() for i in range(5)})
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(closure))
        await until(lambda: bench.executor.running)
        await engine.abort(reply.id, "enough")
        bench.executor.behaviour = None
        gate.set()
        await run(engine, bench.request(ONE, "later"))
    assert [a for a, n in bench.executor.submitted.items() if n > 1 and not a.startswith("later")] == [
        f"{reply.id}/j0/0"
    ]


# -- executors that misbehave


async def test_an_executor_that_raises_on_submit_is_asked_again(bench, monkeypatch):
    monkeypatch.setattr("wingbeat.engine.dispatch.TRY_DELAY_S", 0.001)
    bench.executor.fail_submits = 2
    async with bench.engine() as engine:
        view = await run(engine, bench.request(ONE))
    assert view.phase == "SUCCEEDED"


async def test_an_executor_that_always_raises_fails_the_attempt_for_the_system(bench, monkeypatch):
    monkeypatch.setattr("wingbeat.engine.dispatch.TRY_DELAY_S", 0.0001)
    monkeypatch.setattr("wingbeat.machine.attempts.SYSTEM", RetrySpec(count=1, delay_s=0))
    bench.executor.fail_submits = 10**6
    async with bench.engine() as engine:
        view = await run(engine, bench.request(ONE))
    assert view.phase == "FAILED"
    assert view.error is not None
    assert (view.error.code, view.error.kind) == ("ExecutorFailed", ErrorKind.SYSTEM)
    assert "'process' did not take the attempt: OSError" in view.error.message


async def test_an_executor_that_hangs_delays_only_its_own(bench):
    bench.more["slow"] = ScriptedExecutor(lambda request: asyncio.Event().wait())
    closure = make_closure({"a": Job(executor="slow", timeout=TimeoutSpec(queue_s=0.05))})
    async with bench.engine() as engine:
        hanging = await engine.launch(bench.request(closure))
        assert (await run(engine, bench.request(CHAIN))).phase == "SUCCEEDED"
        await engine.wait(hanging.id)
        view = await engine.describe(hanging.id)
    assert view.error is not None
    assert view.error.code == "TimedOut"


async def test_a_cancel_that_fails_is_tried_until_the_attempt_is_gone(bench, monkeypatch):
    monkeypatch.setattr("wingbeat.engine.dispatch.TRY_DELAY_S", 0.001)
    bench.executor.behaviour = lambda request: None
    bench.executor.fail_cancels = 3
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE))
        await until(lambda: bench.executor.running)
        await engine.abort(reply.id, "enough")
    assert len(bench.executor.cancelled) == 4


async def test_reports_that_are_doubled_late_or_foreign_are_ignored(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(CHAIN))
        await until(lambda: bench.executor.running)
        for attempt in (
            "nonsense",
            "a/b",
            "no/such/0",
            f"{reply.id}/zzz/0",
            f"{reply.id}/a/7",
            f"{reply.id}/c/0",
            "x/y/z",
        ):
            bench.executor.sink.ended(attempt, Failed(ErrorInfo("Bad", "bad")))
            bench.executor.sink.running(attempt)
            bench.executor.sink.progress(attempt, "INITIALIZING", "x")
        for _ in range(3):
            bench.executor.sink.ended(f"{reply.id}/a/0", success(5))
        bench.executor.sink.ended(f"{reply.id}/a/0", Failed(ErrorInfo("Bad", "bad")))
        for node in "bc":
            await until(lambda node=node: f"{reply.id}/{node}/0" in bench.executor.running)
            bench.executor.end(f"{reply.id}/{node}/0", success(6))
        assert await engine.wait(reply.id) == "SUCCEEDED"
        assert all(len(n.attempts) == 1 for n in (await engine.describe(reply.id)).nodes)


async def test_a_function_of_which_not_all_outputs_are_reported_is_run_again(bench):
    reports = iter([{}, {"other": Inline(1)}])
    bench.executor.behaviour = lambda request: Succeeded(next(reports, {"o0": Inline(1)}))
    async with bench.engine() as engine:
        view = await run(engine, bench.request(ONE))
    assert (view.phase, len(view.nodes[0].attempts)) == ("SUCCEEDED", 3)
    for attempt in view.nodes[0].attempts[:2]:
        assert (attempt.error.code, attempt.error.kind) == ("ExecutorFailed", "SYSTEM")
        assert attempt.error.message == "The executor 'process' reported success without the output 'o0'."


def test_outputs_that_a_program_in_a_container_leaves_out_are_its_authors_affair():
    outputs = Interface((), (Variable("o0", literal_type(int)),))
    error = wrong_output({}, TaskSpec("t", outputs, None, container=ContainerSpec("image", ("run",))), "pods")
    assert (error.code, error.kind) == ("OutputsNotFound", "USER")
    assert error.message == "The attempt ended without its output 'o0', says the executor 'pods'."


async def test_what_an_executor_says_while_an_attempt_waits_is_shown(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE))
        await until(lambda: bench.executor.running)
        bench.executor.sink.progress(f"{reply.id}/a/0", "WAITING_FOR_RESOURCES", "all slots are taken")
        assert (await engine.describe(reply.id)).nodes[0].reason == "waiting for resources: all slots are taken"
        other = await engine.launch(bench.request(ONE, "other"))
        bench.executor.sink.running(f"{other.id}/a/0")
        await until(lambda: engine._lives["other"].machine.state.nodes[0].open_attempt.started_at is not None)
        told = "a: waiting for resources: all slots are taken; held by other/a/0"
        assert await engine.explain_waiting(reply.id, "a") == told
        assert await engine.explain_waiting("other", "a") == "a: runs: attempt 0"


# -- timeouts by the clock


async def test_timeouts_work_by_the_clock(bench):
    bench.executor.behaviour = lambda request: None
    closure = make_closure({"a": Job(timeout=TimeoutSpec(queue_s=0.02))}, timeout_s=30)
    async with bench.engine() as engine:
        view = await run(engine, bench.request(closure))
    assert view.error is not None
    assert view.error.code == "TimedOut"
    async with bench.engine() as engine:
        view = await run(engine, bench.request(make_closure({"a": Job()}, timeout_s=0.02)))
    assert view.phase == "TIMED_OUT"


# -- recover


async def test_recover_takes_over_what_succeeded(bench):
    bench.executor.behaviour = lambda r: Failed(ErrorInfo("Bad", "bad")) if "/c/" in r.id else success(7)
    async with bench.engine() as engine:
        old = await run(engine, bench.request(CHAIN, "old"))
        assert old.phase == "FAILED"
        bench.executor.behaviour = None
        reply = await engine.launch(bench.request(CHAIN, "new", recover="old"))
        await engine.wait("new")
        view = await engine.describe("new")
    assert reply.recovered == 2
    assert [n.phase for n in view.nodes] == ["RECOVERED", "RECOVERED", "SUCCEEDED"]
    assert view.nodes[0].source == "old"
    assert view.nodes[0].outputs == {"o0": Inline(7)}
    assert [a for a in bench.executor.submitted if a.startswith("new/")] == ["new/c/0"]


async def test_recover_runs_again_what_changed_and_what_follows_from_it(bench):
    changed = replace_task(CHAIN, "jobs.b", code="other code")
    async with bench.engine() as engine:
        await run(engine, bench.request(CHAIN, "old"))
        reply = await engine.launch(bench.request(changed, "new", recover="old"))
        await engine.wait("new")
    assert reply.recovered == 1
    assert sorted(a for a in bench.executor.submitted if a.startswith("new/")) == ["new/b/0", "new/c/0"]


async def test_recover_runs_again_what_is_configured_otherwise(bench):
    configured = WrapperSpec("spark", "wingbeat_spark.wrapper:SparkWrapper", {"executors": 2})
    async with bench.engine() as engine:
        await run(engine, bench.request(ONE, "old"))
        for change in ({"wrappers": (configured,)}, {"variables": {"MODE": "fast"}}):
            closure = replace_task(ONE, "jobs.a", **change)
            view = await run(engine, bench.request(closure, recover="old"))
            assert view.nodes[0].phase == "SUCCEEDED"


async def test_recover_with_other_inputs_runs_again_what_reads_them(bench):
    closure = make_closure({"a": Job(), "b": Job(["a", "x"])}, inputs=["x"])
    async with bench.engine() as engine:
        await run(engine, bench.request(closure, "old", {"x": 1}))
        reply = await engine.launch(bench.request(closure, "new", {"x": 2}, recover="old"))
        await engine.wait("new")
    assert reply.recovered == 1


# -- many, and the end


async def test_closing_twice_is_closing(bench):
    async with bench.engine() as engine:
        await engine.close()
        with pytest.raises(EngineStopped):
            await engine.launch(bench.request(ONE))


async def test_a_thousand_executions_at_once(bench):
    async with bench.engine() as engine:
        replies = await asyncio.gather(*(engine.launch(bench.request(CHAIN)) for _ in range(1000)))
        phases = await asyncio.gather(*(engine.wait(r.id) for r in replies))
        assert set(phases) == {"SUCCEEDED"}
        assert engine.idle()
        assert len(await engine.executions(limit=10**6)) == 1000
