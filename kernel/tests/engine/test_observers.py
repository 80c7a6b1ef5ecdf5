"""What observers are told over a restart, and what they have a say in."""

import asyncio

import pytest

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Failed
from wingbeat.engine import feed
from wingbeat.spec.entities import RetrySpec
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.fakes import success
from wingbeat.testing.plans import Job, make_closure

CHAIN = make_closure({"a": Job(), "b": Job(["a"]), "c": Job(["b"])}, returns=["c"])


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come true")


class Seeing:
    def __init__(self):
        self.seen = []

    async def start(self):
        pass

    async def observe(self, events):
        self.seen += events

    async def close(self):
        pass


class Propagating(Seeing):
    def variables(self, attempt):
        return {"TRACEPARENT": f"of {attempt}"}


def told(events):
    return [(e.kind, e.phase, e.node, e.attempt, e.task) for e in events]


async def test_every_event_says_of_which_task_or_workflow_it_is(bench):
    bench.observers = [Seeing()]
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(CHAIN))
        await engine.wait(reply.id)
    seen = bench.observers[0].seen
    tasks = {node.id: node.task for node in (await _view(bench, reply.id)).nodes}
    assert {e.task for e in seen if e.kind == "execution"} == {CHAIN.workflow.name}
    assert all(e.task == tasks[e.node] for e in seen if e.kind != "execution")


async def _view(bench, id):
    async with bench.engine() as engine:
        return await engine.describe(id)


async def runs(engine, bench, attempt):
    """Until an attempt runs, and the executor has said so."""
    await until(lambda: attempt in bench.executor.running)
    bench.executor.sink.running(attempt)
    execution = attempt.partition("/")[0]
    while not any(a.phase == "RUNNING" for n in (await engine.describe(execution)).nodes for a in n.attempts):
        await asyncio.sleep(0.005)


async def test_who_was_not_there_is_told_what_was_before(bench):
    bench.executor.behaviour = lambda request: None
    closure = make_closure(
        {"a": Job(retry=RetrySpec(1, delay_s=0.01)), "b": Job(["a"]), "c": Job(["b"])}, returns=["c"]
    )
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(closure))
        await runs(engine, bench, f"{reply.id}/a/0")
        bench.executor.end(f"{reply.id}/a/0", Failed(ErrorInfo("ValueError", "not yet", ErrorKind.USER)))
        await runs(engine, bench, f"{reply.id}/a/1")
        bench.executor.end(f"{reply.id}/a/1", success(1))
        await runs(engine, bench, f"{reply.id}/b/0")
        at = {a.number: a for a in (await engine.describe(reply.id)).nodes[0].attempts}
    bench.observers = [Seeing()]
    async with bench.engine() as engine:
        await until(lambda: bench.observers[0].seen)
        before = [e for e in bench.observers[0].seen if e.again]
        bench.executor.end(f"{reply.id}/b/0", success(2))
        await until(lambda: f"{reply.id}/c/0" in bench.executor.running)
        bench.executor.end(f"{reply.id}/c/0", success(3))
        assert await engine.wait(reply.id) == "SUCCEEDED"
    workflow = closure.workflow.name
    a, b = (node.task for node in (await _view(bench, reply.id)).nodes[:2])
    assert told(before) == [
        ("execution", "RUNNING", "", 0, workflow),
        ("attempt", "QUEUED", "a", 0, a),
        ("attempt", "RUNNING", "a", 0, a),
        ("attempt", "RETRYABLE_FAILED", "a", 0, a),
        ("attempt", "QUEUED", "a", 1, a),
        ("attempt", "RUNNING", "a", 1, a),
        ("node", "SUCCEEDED", "a", 1, a),
        ("attempt", "QUEUED", "b", 0, b),
        ("attempt", "RUNNING", "b", 0, b),
    ]
    assert [e.at for e in before[1:4]] == [at[0].queued_at, at[0].started_at, at[0].ended_at]
    assert before[3].error["code"] == "ValueError"
    assert {e.cursor for e in before} == {-1}
    after = [e for e in bench.observers[0].seen if not e.again]
    assert bench.observers[0].seen == [*before, *after]
    assert ("node", "SUCCEEDED", "b", 0, b) in told(after)
    assert not any(e.node == "a" for e in after)


async def test_what_was_before_comes_in_batches_of_many_executions(bench, monkeypatch):
    monkeypatch.setattr(feed, "QUEUE_MAX", 3)
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        for n in range(50):
            await engine.launch(bench.request(CHAIN, f"e{n}"))
        await until(lambda: len(bench.executor.running) == 50)
    bench.observers = [Seeing()]
    async with bench.engine() as engine:
        await until(lambda: bench.observers[0].seen)
        assert engine._feed._observers[0].missed == 0
    assert {e.execution for e in bench.observers[0].seen} == {f"e{n}" for n in range(50)}


async def test_an_attempt_finds_what_observers_propagate_also_when_it_is_adopted(bench):
    bench.observers, requests = [Seeing(), Propagating()], []
    bench.executor.behaviour = requests.append
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(CHAIN))
        await until(lambda: requests)
    attempt = f"{reply.id}/a/0"
    assert requests[0].variables == {"TRACEPARENT": f"of {attempt}"}
    adopted, recover = [], bench.executor.recover

    async def noting(found):
        adopted.extend(found)
        await recover(found)

    bench.executor.recover = noting
    async with bench.engine():
        pass
    assert [request.variables for request in adopted] == [{"TRACEPARENT": f"of {attempt}"}]


@pytest.mark.parametrize("answer", [None, {"TRACEPARENT": 7}, {1: "x"}, "raise"])
async def test_an_observer_that_propagates_nonsense_harms_no_attempt(bench, caplog, answer):
    class Broken(Seeing):
        def variables(self, attempt):
            if answer == "raise":
                raise ValueError("no")
            return answer

    bench.observers, requests = [Broken(), Propagating()], []
    bench.executor.behaviour = lambda request: (requests.append(request), success(1))[1]
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(CHAIN))
        assert await engine.wait(reply.id) == "SUCCEEDED"
    assert {tuple(request.variables) for request in requests} == {("TRACEPARENT",)}
    assert [r.getMessage() for r in caplog.records if "gives attempts nothing" in r.getMessage()] != []
    assert len(caplog.records) == 1
