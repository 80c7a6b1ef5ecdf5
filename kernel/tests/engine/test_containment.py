"""Plugins that raise, hang, or say what is none of their contract: each is named, left alone for a while, and harms no other."""

import asyncio
import contextlib
import logging
import re
import threading
import time

import pytest
from msgspec.structs import replace

from wingbeat import calls
from wingbeat.base.errors import ConfigurationError, ErrorKind, WingbeatError
from wingbeat.calls import NoAnswer
from wingbeat.contracts.catalog import CacheEntry, Eviction, Explanation, Reserved
from wingbeat.contracts.executor import Aborted, Failed, Succeeded, Suspended
from wingbeat.contracts.observer import MISSED
from wingbeat.engine import circuit, dispatch, eviction, feed, memo, outcomes
from wingbeat.engine.circuit import Circuit, LeftAlone
from wingbeat.spec.entities import RetrySpec
from wingbeat.spec.literal import Inline
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.fakes import MemoryCatalog, ScriptedExecutor, success
from wingbeat.testing.plans import Job, make_closure

ONE = make_closure({"a": Job()}, returns=["a"])
CACHED = make_closure({"a": Job(cache=True)}, returns=["a"])
OTHER = make_closure({"a": Job(executor="other")}, returns=["a"])
MANY = make_closure({f"j{n}": Job(executor="other") for n in range(8)})


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


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(dispatch, "TRY_DELAY_S", 0.001)
    monkeypatch.setattr(circuit, "PAUSE_S", 0.02)


@pytest.fixture
def other(bench):
    bench.more["other"] = ScriptedExecutor()
    return bench.more["other"]


# -- the circuit


async def test_it_opens_when_different_things_fail_in_a_row_and_closes_when_one_succeeds(caplog):
    found = Circuit("The plugin 'x'")
    for n in range(circuit.FAILURES_MAX):
        assert not found.open
        found.failed(n, OSError("away"))
    assert found.open
    assert found.rest_s() > 0
    with pytest.raises(
        LeftAlone, match="The plugin 'x' is left alone for a while, it failed again and again: OSError: away"
    ):
        async with found.asked("x", 1.0):
            pass
    await asyncio.sleep(found.rest_s())
    async with found.asked("x", 1.0):
        assert found.rest_s() > 0, "it is tried once, not by everybody"
    assert not found.open
    assert [record.getMessage() for record in caplog.records] == [found.why, "The plugin 'x' answers again."]


async def test_one_thing_that_fails_again_and_again_does_not_open_it():
    found = Circuit("The plugin 'x'")
    for _ in range(100):
        found.failed("poison", OSError())
    assert not found.open


async def test_it_is_left_alone_ever_longer():
    found = Circuit("The plugin 'x'")
    for n in range(circuit.FAILURES_MAX):
        found.failed(n, OSError())
    rests = []
    for _ in range(3):
        rests.append(found.rest_s())
        await asyncio.sleep(found.rest_s())
        with pytest.raises(OSError, match="away"):
            async with found.asked("x", 1.0):
                raise OSError("away")
    assert rests[1] > 1.5 * rests[0]
    assert rests[2] > 1.5 * rests[1]


async def test_no_answer_is_a_failure():
    found = Circuit("The plugin 'x'")
    with pytest.raises(NoAnswer):
        async with found.asked("x", 0.01):
            await asyncio.Event().wait()
    assert "it did not answer within 0.01 s" in found.why


# -- executors


async def test_an_executor_that_cannot_start_is_done_without(bench, other):
    async def start(sink):
        raise OSError("no daemon")

    other.start = start
    async with bench.engine() as engine:
        assert (await run(engine, bench.request(ONE))).phase == "SUCCEEDED"
        with pytest.raises(
            ConfigurationError, match="on the executor 'other', which cannot be used: OSError: no daemon"
        ):
            await engine.launch(bench.request(OTHER))


async def test_without_the_default_executor_there_is_no_engine(bench):
    async def start(sink):
        raise OSError("no processes")

    bench.executor.start = start
    with pytest.raises(ConfigurationError, match="no processes"):
        async with bench.engine():
            pass


class Incapable(ScriptedExecutor):
    started = 0

    async def start(self, sink):
        self.started += 1

    @property
    def capabilities(self):
        return self.answer()

    @capabilities.setter
    def capabilities(self, _):
        pass


def leave():
    raise SystemExit(3)


def strike():
    raise RuntimeError("on strike")


def cancel():
    raise asyncio.CancelledError("mine")


INCAPABLE = [
    (lambda: {"adopts": True}, "its capabilities are a dict"),
    (leave, "it cannot say what it can do: SystemExit: 3"),
    (strike, "it cannot say what it can do: RuntimeError: on strike"),
    (cancel, "it cannot say what it can do: CancelledError: mine"),
]


@pytest.mark.parametrize(("answer", "why"), INCAPABLE)
async def test_an_executor_that_does_not_say_what_it_can_is_done_without(bench, answer, why, caplog):
    bench.more["other"] = odd = Incapable()
    odd.answer = answer
    async with bench.engine() as engine:
        assert (await run(engine, bench.request(ONE))).phase == "SUCCEEDED"
        with pytest.raises(ConfigurationError, match=f"on the executor 'other', which cannot be used: {why}"):
            await engine.launch(bench.request(OTHER))
    assert f"The executor 'other' cannot be used: {why}" in caplog.text
    assert "plugins.disabled" in caplog.text
    assert (odd.started, odd.closed) == (0, 1)


@pytest.mark.parametrize(("answer", "why"), INCAPABLE)
async def test_of_the_default_executor_capabilities_are_refused_with_its_name(bench, answer, why):
    bench.executor = Incapable()
    bench.executor.answer = answer
    with pytest.raises(ConfigurationError, match=f"The executor 'process' cannot be used: {why}"):
        async with bench.engine():
            pass


class Holds(ScriptedExecutor):
    """Does not let go of the first attempt that it is given, until it is told to."""

    def __init__(self):
        super().__init__()
        self.freed = asyncio.Event()

    async def submit(self, request):
        while request.id.endswith("j0/0") and not self.freed.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.freed.wait()
        await super().submit(request)


async def test_a_submit_that_swallows_its_cancellation_is_left_behind_and_named(bench, monkeypatch, caplog):
    monkeypatch.setattr(dispatch, "SUBMIT_S_MAX", 0.05)
    monkeypatch.setattr(calls, "LET_GO_S_MAX", 0.05)
    bench.more["other"] = executor = Holds()
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(MANY))
        await until(lambda: "does not let go of a call that was cancelled (submit)" in caplog.text)
        assert "The executor 'other' failed: it does not let go" in caplog.text
        assert (await run(engine, bench.request(ONE))).phase == "SUCCEEDED", "others go on"
        executor.freed.set()
        await engine.wait(reply.id)
        assert (await engine.describe(reply.id)).phase == "SUCCEEDED"
    assert "The executor 'other' has let go of what it was asked, and is asked again." in caplog.text


async def test_a_submit_that_hangs_is_given_up_and_the_line_goes_on(bench, other, monkeypatch):
    monkeypatch.setattr(dispatch, "SUBMIT_S_MAX", 0.05)
    hung = []

    def behaviour(request):
        if request.id.endswith("j3/0") and len(hung) < 2:
            hung.append(request.id)
            return asyncio.Event().wait()
        return success()

    other.behaviour = behaviour
    async with bench.engine() as engine:
        assert (await run(engine, bench.request(MANY))).phase == "SUCCEEDED"
    assert len(hung) == 2


async def test_while_a_submit_hangs_who_waits_is_told_for_what(bench, other):
    let_go = asyncio.Event()

    async def late(attempt):
        await let_go.wait()
        other.end(attempt)

    def behaviour(request):
        return late(request.id) if request.id.endswith("j3/0") else success()

    other.behaviour = behaviour
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(MANY))
        line = engine._dispatchers["other"]
        await until(lambda: line._asked is not None and line._asked[0].endswith("j3/0"))
        asked = "the executor 'other' was asked [0-9]+ ms ago to take {}, and has not answered"
        begun = "was given to its executor and has not begun"
        told = await engine.explain_waiting(reply.id, "j3")
        assert re.fullmatch(f"j3: attempt 0 {begun}: {asked.format('it')}", told)
        behind = asked.format(f"{reply.id}/j3/0")
        told = await engine.explain_waiting(reply.id, "j7")
        assert re.fullmatch(f"j7: attempt 0 {begun}: it stands in the line of 'other': {behind}", told)
        let_go.set()
        await engine.wait(reply.id)
        assert line._asked is None


async def test_who_was_not_taken_is_told_why_until_it_is(bench, other, monkeypatch):
    monkeypatch.setattr(dispatch, "TRY_DELAY_S", 60.0)
    other.fail_submits = 1
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(MANY))
        line = engine._dispatchers["other"]
        await until(lambda: line._untaken)
        (attempt,) = line._untaken
        told = await engine.explain_waiting(reply.id, attempt.split("/")[1])
        assert "the executor 'other' has not taken it, and is asked again: " in told
        await engine.abort(reply.id, "enough")
        await engine.wait(reply.id)


async def test_while_an_executor_fails_for_all_attempts_wait_and_nothing_fails(bench, other, caplog):
    other.fail_submits = 10**6
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(MANY))
        await until(lambda: engine._dispatchers["other"].circuit.open)
        before = other.fail_submits
        await asyncio.sleep(0.3)
        assert before - other.fail_submits < 60, "it is asked seldom"
        told = await engine.explain_waiting(reply.id, "j7")
        assert "The executor 'other' is left alone for a while" in told
        assert (await run(engine, bench.request(ONE))).phase == "SUCCEEDED"
        other.fail_submits = 0
        await engine.wait(reply.id)
        assert (await engine.describe(reply.id)).phase == "SUCCEEDED"
    told = [r.getMessage() for r in caplog.records if r.name == "wingbeat.plugins" and r.levelno == logging.WARNING]
    refused = [one for one in told if " has not taken " in one]
    assert 3 < len(refused) < 12, "the first, second, fourth, …"
    assert "'other' has not taken " in refused[0]
    assert refused[0].endswith("it is asked again")
    others = [one for one in told if one not in refused]
    assert len(others) == 2
    assert others[1] == "The executor 'other' answers again."


async def test_attempts_do_not_wait_for_ever_for_an_executor_that_fails(bench, other, monkeypatch):
    monkeypatch.setattr(dispatch, "OUTAGE_S_MAX", 0.1)
    monkeypatch.setattr("wingbeat.machine.attempts.SYSTEM", RetrySpec(count=0))
    other.fail_submits = 10**6
    async with bench.engine() as engine:
        view = await run(engine, bench.request(MANY))
    assert (view.phase, view.error.code, view.error.kind) == ("FAILED", "ExecutorFailed", "SYSTEM")


async def test_an_adoption_that_fails_is_tried_again_and_nothing_is_submitted_before(bench, other):
    other.behaviour = lambda request: None
    async with bench.engine() as engine:
        await engine.launch(bench.request(OTHER, "early"))
        await until(lambda: other.running)
    recover, failures, order = other.recover, [OSError("away")] * 3, []

    async def failing(requests):
        if failures:
            raise failures.pop()
        order.append("adopted")
        await recover(requests)

    async def submit(request, real=other.submit):
        order.append(request.id)
        await real(request)

    other.recover, other.submit, other.behaviour = failing, submit, lambda request: success()
    async with bench.engine() as engine:
        late = await engine.launch(bench.request(OTHER, "late"))
        await engine.wait("early")
        await engine.wait(late.id)
    assert order[0] == "adopted"
    assert sorted(order[1:]) == ["early/a/0", "late/a/0"]


@pytest.mark.parametrize(
    "outcome",
    [
        {"o0": 1}, None, 7, "succeeded", Succeeded({"o0": 5}), Succeeded({"o0": Inline(object())}), Succeeded(["o0"]),
        Succeeded({"o0": Inline(1)}, evidence={"a": {1, object()}}), Failed("no"), Failed(None), Aborted(reason=object()),
        Succeeded({"o0": Inline(2**70)}), Succeeded({"o0": Inline("1")}), Succeeded({"o0": Inline({"k": 0})}),
    ],
)  # fmt: skip
async def test_what_is_no_outcome_fails_the_attempt_and_not_the_journal(bench, other, outcome, monkeypatch):
    monkeypatch.setattr("wingbeat.machine.attempts.SYSTEM", RetrySpec(count=0))
    other.behaviour = lambda request: other.sink.ended(request.id, outcome)
    async with bench.engine() as engine:
        view = await run(engine, bench.request(OTHER, "x"))
        assert (view.phase, view.error.code, view.error.kind) == ("FAILED", "ExecutorFailed", "SYSTEM")
        assert "The executor 'other' reported a" in view.error.message
    async with bench.engine() as engine:
        assert (await engine.describe("x")).phase == "FAILED"


async def test_evidence_that_cannot_be_written_is_left_out(bench, other):
    other.behaviour = lambda request: other.sink.running(request.id, {"handle": object()})
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(OTHER))
        await until(lambda: engine._lives[reply.id].machine.state.node(0).open_attempt.started_at)
        other.sink.ended(f"{reply.id}/a/0", success())
        await engine.wait(reply.id)
        assert (await engine.describe(reply.id)).phase == "SUCCEEDED"


@pytest.mark.parametrize(
    ("outcome", "code", "message"),
    [
        (Failed(ErrorInfo("Gone", "it is gone", "SYSTEM", retryable=False)), "Gone", "it is gone"),
        (
            Suspended(),
            "ExecutorFailed",
            "The executor 'other' reported that the attempt waits for calls; its task makes none.",
        ),
    ],
)
async def test_what_is_no_such_outcome_is_told(bench, other, outcome, code, message):
    """A text for a kind is taken as that; that a task waits which is no body would be waited for without an end."""
    other.behaviour = lambda request: other.sink.ended(request.id, outcome)
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(OTHER))
        view = await until_error(engine, reply.id)
        error = view.nodes[0].attempts[0].error
        assert (error.code, error.message, error.kind) == (code, message, ErrorKind.SYSTEM)
        assert type(error.kind) is ErrorKind


async def until_error(engine, id):
    async with asyncio.timeout(10):
        while True:
            view = await engine.describe(id)
            if view.nodes[0].attempts and view.nodes[0].attempts[0].error is not None:
                return view
            await asyncio.sleep(0.01)


async def test_an_executor_reports_of_its_own_attempts_only(bench, other):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE))
        await until(lambda: bench.executor.running)
        other.sink.running(f"{reply.id}/a/0")
        other.sink.ended(f"{reply.id}/a/0", success(666))
        for nonsense in (None, 7, b"x/a/0", ("x", "a", 0)):
            other.sink.ended(nonsense, success())
        bench.executor.sink.ended(f"{reply.id}/a/0", success(5))
        await engine.wait(reply.id)
        assert (await engine.describe(reply.id)).outputs == {"o0": Inline(5)}


async def test_a_report_from_another_thread_is_refused_where_it_is_made(bench, other):
    other.behaviour = lambda request: None
    refused = []

    def report(attempt):
        try:
            other.sink.ended(attempt, success())
        except RuntimeError as error:
            refused.append(str(error))

    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(OTHER))
        await until(lambda: other.running)
        thread = threading.Thread(target=report, args=(f"{reply.id}/a/0",))
        thread.start()
        thread.join()
        assert (
            "The sink of the executor 'other' is called from the kernel's event loop only: loop.call_soon_threadsafe"
            in refused[0]
        )
        asyncio.get_running_loop().call_soon_threadsafe(other.sink.ended, f"{reply.id}/a/0", success())
        await engine.wait(reply.id)


async def test_an_executor_that_does_not_close_does_not_keep_the_kernel(bench, other, monkeypatch, caplog):
    monkeypatch.setattr(dispatch, "CLOSE_S_MAX", 0.05)
    other.close = lambda: asyncio.Event().wait()
    async with bench.engine():
        pass
    assert bench.executor.closed == 1
    assert "The executor 'other' did not close in order: it did not answer within 0.05 s" in caplog.text


async def test_an_executor_that_does_not_let_go_does_not_keep_the_kernel(bench, other, monkeypatch, caplog):
    monkeypatch.setattr(dispatch, "CLOSE_S_MAX", 0.05)
    asked, end = asyncio.Event(), asyncio.Event()

    async def submit(request):
        asked.set()
        while not end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await end.wait()

    other.submit = submit
    async with bench.engine() as engine:
        await engine.launch(bench.request(OTHER))
        await asked.wait()
    assert "The executor 'other' does not let go of 'dispatch other', which was cancelled." in caplog.text
    end.set()


def test_an_executor_that_does_not_let_go_does_not_keep_the_loop(bench, other, monkeypatch):
    """`asyncio.run` waits for all tasks, and would for this one for ever."""
    monkeypatch.setattr(dispatch, "CLOSE_S_MAX", 0.05)

    async def submit(request):
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    other.submit = submit

    async def main():
        async with bench.engine() as engine:
            await engine.launch(bench.request(OTHER))
            await asyncio.sleep(0.01)

    asyncio.run(main())


async def test_what_was_cancelled_and_is_never_reported_has_an_end(bench, other, monkeypatch, caplog):
    monkeypatch.setattr(dispatch, "REPORT_S_MAX", 0.05)
    other.behaviour = lambda request: None

    async def cancel(attempt, reason):
        other.running.pop(attempt)

    other.cancel = cancel
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(OTHER))
        await until(lambda: other.running)
        await engine.abort(reply.id, "enough")
        assert (await engine.describe(reply.id)).phase == "ABORTED"
        assert f"The executor 'other' has cancelled {reply.id}/a/0 and does not report its end" in caplog.text
        caplog.clear()
        other.sink.ended(f"{reply.id}/a/0", success())  # too late


async def test_of_what_was_cancelled_and_reported_nothing_is_said(bench, other, monkeypatch, caplog):
    monkeypatch.setattr(dispatch, "REPORT_S_MAX", 0.05)
    other.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(OTHER))
        await until(lambda: other.running)
        await engine.abort(reply.id, "enough")
        await asyncio.sleep(0.1)
    assert "does not report" not in caplog.text


async def test_an_executor_that_cannot_cancel_is_named_ever_less_often(bench, other, caplog):
    other.behaviour = lambda request: None
    other.fail_cancels = 5
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(OTHER))
        await until(lambda: other.running)
        await engine.abort(reply.id, "enough")
    told = [r.getMessage() for r in caplog.records if "cannot cancel" in r.getMessage()]
    why = "OSError: the executor is away; it is tried again"
    assert told == [f"The executor 'other' cannot cancel {reply.id}/a/0: {why}"] * 3


@pytest.mark.parametrize("call", ["submit", "recover", "cancel", "close"])
async def test_an_executor_that_exits_does_not_end_the_kernel(bench, other, call, monkeypatch):
    times, real = [], getattr(other, call)
    if call == "recover":
        other.behaviour = lambda request: None
        async with bench.engine() as engine:
            await engine.launch(bench.request(OTHER, "early"))
            await until(lambda: other.running)

    async def leaves(*args):
        times.append(call)
        if len(times) <= 2:
            raise SystemExit(3)
        await real(*args)

    setattr(other, call, leaves)
    other.behaviour = (lambda request: None) if call == "cancel" else lambda request: success()
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(OTHER))
        if call == "cancel":
            await until(lambda: other.running)
            await engine.abort(reply.id, "enough")
        await engine.wait(reply.id)
    assert times


# -- the catalog


async def test_a_catalog_that_cannot_start_is_done_without(bench):
    async def start():
        raise OSError("no file")

    bench.catalog = MemoryCatalog()
    bench.catalog.start = start
    async with bench.engine() as engine:
        view = await run(engine, bench.request(CACHED))
        assert (view.phase, view.nodes[0].cache) == ("SUCCEEDED", "DISABLED")
        assert "The catalog 'memory' cannot be used: OSError: no file" in await engine.explain_cache(view.id, "a")


@pytest.mark.parametrize("call", ["lookup", "explain"])
async def test_an_answer_of_another_type_is_a_failed_lookup(bench, call):
    async def answer(*_):
        return {"hit": True}

    bench.catalog = MemoryCatalog()
    setattr(bench.catalog, call, answer)
    async with bench.engine() as engine:
        view = await run(engine, bench.request(CACHED))
        assert (view.phase, view.nodes[0].cache) == ("SUCCEEDED", "LOOKUP_FAILURE")
        assert f"TypeError: {call} answered with a dict" in await engine.explain_cache(view.id, "a")


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"outputs": {"o0": 77}}, "a CacheEntry that cannot be written"),
        ({"outputs": {"o0": Inline(object())}}, "a CacheEntry that cannot be written"),
        ({"outputs": {"o0": Inline(2**80)}}, "a CacheEntry that cannot be written"),
        ({"outputs": {"o0": Inline("text")}}, "another type of output 'o0' than is declared: expected int"),
        ({"outputs": {"other": Inline(1)}}, "an entry without output 'o0'"),
        ({"source": 7}, "a CacheEntry that cannot be written"),
    ],
)
async def test_an_entry_that_is_no_result_of_the_task_is_a_failed_lookup(bench, entry, told, caplog):
    class Odd(MemoryCatalog):
        async def lookup(self, key):
            return replace(CacheEntry(key, {"o0": Inline(77)}, "x/n/0"), **entry)

    bench.catalog = Odd()
    async with bench.engine() as engine:
        view = await run(engine, bench.request(CACHED))
        assert (view.phase, view.nodes[0].cache) == ("SUCCEEDED", "LOOKUP_FAILURE")
        assert f"lookup answered with {told}" in await engine.explain_cache(view.id, "a")
    assert f"The catalog 'memory' failed: TypeError: lookup answered with {told}" in caplog.text
    async with bench.engine() as engine:  # and what is in the journal can be read
        assert (await engine.describe(view.id)).phase == "SUCCEEDED"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Explanation(hit=False, reason=7), "explain answered with a Explanation that cannot be written"),
        (Reserved("somebody", "soon"), "reserve answered with a Reserved that cannot be written"),
    ],
)
async def test_an_answer_that_cannot_be_written_is_a_failed_lookup(bench, answer, told):
    async def answers(*_):
        return answer

    bench.catalog = MemoryCatalog()
    setattr(bench.catalog, told.partition(" ")[0], answers)
    async with bench.engine() as engine:
        view = await run(engine, bench.request(CACHED))
        assert (view.phase, view.nodes[0].cache) == ("SUCCEEDED", "LOOKUP_FAILURE")
        assert told in await engine.explain_cache(view.id, "a")


async def test_a_reservation_that_is_held_much_longer_than_was_asked_for_is_a_failed_lookup(bench, caplog):
    async def reserve(*_):
        return Reserved("somebody else", time.time() + 10**6)

    bench.catalog = MemoryCatalog()
    bench.catalog.reserve = reserve
    async with bench.engine() as engine:
        view = await run(engine, bench.request(CACHED))
        assert (view.phase, view.nodes[0].cache) == ("SUCCEEDED", "LOOKUP_FAILURE")
    assert "The catalog 'memory' failed: ValueError: reserve answered that 'somebody else' holds it for" in caplog.text


@pytest.mark.parametrize("call", ["start", "lookup", "reserve", "publish", "explain", "close"])
async def test_a_catalog_that_cancels_itself_has_failed_and_ends_nothing(bench, call, caplog):
    async def cancels(*_):
        raise asyncio.CancelledError

    bench.catalog = MemoryCatalog()
    setattr(bench.catalog, call, cancels)
    async with bench.engine() as engine:
        async with asyncio.timeout(20):
            view = await run(engine, bench.request(CACHED))
        assert view.phase == "SUCCEEDED"
        told = await engine.explain_cache(view.id, "a")
    if call == "close":
        told = caplog.text
    assert "it has cancelled the call itself" in told


@pytest.mark.parametrize(
    ("error", "why"),
    [(asyncio.CancelledError(), "it has cancelled the call itself"), (GeneratorExit("early"), "GeneratorExit: early")],
)
async def test_an_observer_that_cancels_itself_is_named_and_told_what_comes_next(bench, caplog, error, why):
    told = []

    class Cancels(Observer):
        async def observe(self, events):
            told.append(events)
            if len(told) == 1:
                raise error

    bench.observers = [Cancels()]
    async with bench.engine() as engine:
        await run(engine, bench.request(CACHED))
    assert f"The observer '0' failed and misses events: {why}" in caplog.text
    assert len(told) > 1


class Keeping(MemoryCatalog):
    """One of somebody else, of which a call cannot be cancelled."""

    def __init__(self, call):
        super().__init__()
        self.asked, self.end = 0, asyncio.Event()
        setattr(self, call, self.keep)

    async def keep(self, *_, **__):
        self.asked += 1
        while not self.end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.end.wait()


@pytest.fixture
def impatient(monkeypatch):
    for name in ("START_S_MAX", "ANSWER_S_MAX"):
        monkeypatch.setattr(memo, name, 0.05)
    for name in ("START_S_MAX", "OBSERVE_S_MAX", "CLOSE_S_MAX"):
        monkeypatch.setattr(feed, name, 0.05)
    monkeypatch.setattr(eviction, "ANSWER_S_MAX", 0.05)
    monkeypatch.setattr(calls, "LET_GO_S_MAX", 0.05)


@pytest.mark.parametrize("call", ["start", "lookup", "reserve", "publish", "explain", "release", "evict", "close"])
def test_a_catalog_that_does_not_let_go_is_named_and_keeps_nobody(bench, impatient, call, caplog):
    """Neither the run, nor who closes, nor who ends the loop."""
    bench.catalog = Keeping(call)
    found = {}

    async def main():
        async with bench.engine() as engine:
            async with asyncio.timeout(20):
                view = await run(engine, bench.request(CACHED))
                with contextlib.suppress(WingbeatError):
                    await engine.evict_cache(Eviction(everything=True))
            found["phase"], found["told"] = view.phase, await engine.explain_cache(view.id, "a")

    asyncio.run(main())
    assert found["phase"] == "SUCCEEDED"
    if bench.catalog.asked:
        assert f"The catalog 'memory' failed: it does not let go of a call that was cancelled ({call})" in caplog.text
    if call in ("start", "lookup", "reserve", "publish", "explain"):
        assert "The catalog 'memory'" in found["told"]
        assert "it did not answer within 0.05 s" in found["told"]
    assert (call == "release") == (not bench.catalog.asked)  # there was nothing to give back


async def test_a_catalog_that_does_not_let_go_is_asked_again_when_it_has(bench, impatient, caplog):
    bench.catalog = Keeping("lookup")
    async with bench.engine() as engine:
        await run(engine, bench.request(CACHED))
        view = await run(engine, bench.request(CACHED))
        assert "is asked for nothing until that ends" in await engine.explain_cache(view.id, "a")
        assert bench.catalog.asked == 1
        bench.catalog.end.set()
        del bench.catalog.lookup
        await until(lambda: "The catalog 'memory' has let go of what it was asked" in caplog.text)
        assert (await run(engine, bench.request(CACHED))).nodes[0].cache == "POPULATED"


@pytest.mark.parametrize("call", ["start", "observe", "close"])
def test_an_observer_that_does_not_let_go_is_named_and_keeps_nobody(bench, impatient, call, caplog):
    async def keep(*_):
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    bench.observers = [Observer()]
    setattr(bench.observers[0], call, keep)

    async def main():
        async with bench.engine() as engine, asyncio.timeout(20):
            await run(engine, bench.request(ONE))

    asyncio.run(main())
    assert f"The observer '0' failed: it does not let go of a call that was cancelled ({call})" in caplog.text
    assert "did not answer within 0.05 s" in caplog.text


async def test_an_observer_that_hangs_is_not_said_to_be_slow(bench, monkeypatch, caplog):
    monkeypatch.setattr(feed, "CLOSE_S_MAX", 0.05)

    class Hanging(Observer):
        async def observe(self, events):
            await asyncio.Event().wait()

    bench.observers = [Hanging()]
    async with bench.engine() as engine:
        await run(engine, bench.request(ONE))
    assert "The observer '0' did not answer within 0.05 s: what happened last is not told any more." in caplog.text


async def test_a_submit_that_cancels_itself_is_tried_again_and_the_line_goes_on(bench, other):
    tried, real = [], other.submit

    async def submit(request):
        tried.append(request.id)
        if len(tried) == 1:
            raise asyncio.CancelledError
        await real(request)

    other.submit = submit
    async with bench.engine() as engine, asyncio.timeout(20):
        assert (await run(engine, bench.request(MANY))).phase == "SUCCEEDED"
    assert len(tried) == 9


async def test_a_catalog_that_fails_is_named_in_the_log_and_where_the_cache_is_explained(bench, caplog):
    bench.catalog = MemoryCatalog()
    bench.catalog.broken |= {"lookup"}
    async with bench.engine() as engine:
        for _ in range(3):
            view = await run(engine, bench.request(CACHED))
        told = "The catalog 'memory' failed: OSError: lookup is broken"
        assert view.nodes[0].reason == told
        assert told in await engine.explain_cache(view.id, "a")
    assert [r.getMessage() for r in caplog.records] == [f"{told}. Tasks run without it."] * 2, (
        "the first and the second"
    )


async def test_a_catalog_that_hangs_is_left_alone_after_some_lookups(bench, monkeypatch):
    monkeypatch.setattr(memo, "ANSWER_S_MAX", 0.05)
    monkeypatch.setattr(circuit, "PAUSE_S", 60.0)
    asked = []

    async def lookup(key):
        asked.append(key)
        await asyncio.Event().wait()

    bench.catalog = MemoryCatalog()
    bench.catalog.lookup = lookup
    chain = {f"j{n}": Job([f"j{n - 1}"] if n else [], cache=True) for n in range(12)}
    async with bench.engine() as engine:
        view = await run(engine, bench.request(make_closure(chain)))
        assert view.phase == "SUCCEEDED"
        assert len(asked) == circuit.FAILURES_MAX
        assert "The catalog 'memory' is left alone for a while" in await engine.explain_cache(view.id, "j11")


# -- observers


class Observer:
    def __init__(self):
        self.seen, self.closed = [], 0

    async def start(self):
        pass

    async def observe(self, events):
        self.seen += events

    async def close(self):
        self.closed += 1


async def test_an_observer_that_cannot_start_is_told_nothing(bench, caplog):
    class Broken(Observer):
        async def start(self):
            raise OSError("no collector")

    bench.observers = [Broken(), Observer()]
    async with bench.engine() as engine:
        await run(engine, bench.request(ONE))
    broken, good = bench.observers
    assert not broken.seen
    assert good.seen[-1].phase == "SUCCEEDED"
    assert "The observer '0' cannot be used: OSError: no collector" in caplog.text


async def test_it_is_told_everything_before_it_is_closed(bench):
    class Slow(Observer):
        async def observe(self, events):
            await asyncio.sleep(0.05)
            assert not self.closed
            await super().observe(events)

    bench.observers = [Slow()]
    async with bench.engine() as engine:
        await run(engine, bench.request(ONE))
    (slow,) = bench.observers
    assert (slow.seen[-1].kind, slow.seen[-1].phase, slow.closed) == ("execution", "SUCCEEDED", 1)


async def test_it_is_told_how_much_it_has_missed(bench, monkeypatch):
    monkeypatch.setattr(feed, "QUEUE_MAX", 2)
    go = asyncio.Event()

    class Stuck(Observer):
        async def observe(self, events):
            await go.wait()
            await super().observe(events)

    bench.observers = [Stuck(), Observer()]
    async with bench.engine() as engine:
        for _ in range(4):
            await run(engine, bench.request(ONE))
        go.set()
    stuck, all_of_them = bench.observers
    missed = sum(event.evidence["events"] for event in stuck.seen if event.kind == MISSED)
    assert missed > 0
    told = [event for event in stuck.seen if event.kind != MISSED]
    assert len(told) + missed == len(all_of_them.seen)


async def test_what_it_was_told_when_it_failed_counts_as_missed(bench):
    class Failing(Observer):
        failures = 2

        async def observe(self, events):
            if self.failures:
                self.failures -= 1
                raise OSError("no")
            await super().observe(events)

    bench.observers = [Failing(), Observer()]
    async with bench.engine() as engine:
        for _ in range(3):
            await run(engine, bench.request(ONE))
    failing, all_of_them = bench.observers
    assert failing.seen[0].kind == MISSED
    assert failing.seen[0].evidence["events"] + len(failing.seen) - 1 == len(all_of_them.seen)


async def test_evidence_that_is_too_much_for_the_journal_is_left_out(bench, other, monkeypatch):
    monkeypatch.setattr(outcomes, "EVIDENCE_BYTES_MAX", 1000)
    other.behaviour = lambda request: Succeeded({"o0": Inline(1)}, evidence={"log": "x" * 5000})
    async with bench.engine() as engine:
        view = await run(engine, bench.request(OTHER, "e"))
    (attempt,) = view.nodes[0].attempts
    assert attempt.evidence == {"left_out": "evidence of 5,008 bytes, over the limit of 1,000"}
