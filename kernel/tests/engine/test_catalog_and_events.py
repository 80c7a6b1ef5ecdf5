"""The engine among stand-ins: the catalog that it asks, and observers and readers of events, also where they misbehave."""

import asyncio

import pytest
from msgspec.structs import replace

from wingbeat.base.errors import (
    ConfigurationError,
    EngineStopped,
    InputError,
    JournalUnknown,
    WingbeatError,
)
from wingbeat.contracts.catalog import Evicted, Eviction
from wingbeat.contracts.executor import Capabilities
from wingbeat.contracts.secrets import SourceRef
from wingbeat.engine import eviction, feed, memo
from wingbeat.spec.codec import borrowing, spec_digest
from wingbeat.spec.entities import Borrowed, CacheSpec, Closure, OverrideSpec, SecretSpec, TaskSpec
from wingbeat.testing.fakes import MemoryCatalog, success
from wingbeat.testing.plans import Job, make_closure

ONE = make_closure({"a": Job()}, returns=["a"])
CHAIN = make_closure({"a": Job(), "b": Job(["a"]), "c": Job(["b"])}, returns=["c"])
CACHED = make_closure({"a": Job(cache=True)}, returns=["a"])


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


# -- catalog


async def test_the_second_execution_hits(bench):
    bench.catalog = MemoryCatalog()
    async with bench.engine() as engine:
        first = await run(engine, bench.request(CACHED))
        second = await run(engine, bench.request(CACHED))
        why = await engine.explain_cache(second.id, "a")
    assert (first.nodes[0].cache, second.nodes[0].cache) == ("POPULATED", "HIT")
    assert second.nodes[0].source == f"{first.id}/a/0"
    assert bench.catalog.reservations == {}
    assert f"taken from {first.id}/a/0" in why
    assert "input given sha256:" in why


async def test_what_one_place_has_computed_is_not_taken_in_another(bench):
    """Tasks of two teams may have one name, and a version that they say themselves."""
    bench.catalog = MemoryCatalog()
    places = [("maps", "production"), ("maps", "development"), ("eta", "production"), ("default", "development")]
    requests = [bench.request(CACHED, labels={"project": p, "domain": d}) for p, d in places]
    async with bench.engine() as engine:
        first = [await run(engine, each) for each in [*requests, bench.request(CACHED)]]
        again = [await run(engine, each) for each in requests]
        why = await engine.explain_cache(again[0].id, "a")
    assert [view.nodes[0].cache for view in first] == ["POPULATED"] * 4 + ["HIT"]
    assert [view.nodes[0].source for view in again] == [f"{view.id}/a/0" for view in first[:4]]
    assert f"taken from {first[0].id}/a/0" in why


@pytest.mark.parametrize("given", [{"secrets": (SecretSpec("@token", "KEY"),)}, {"cache": CacheSpec("of v2")}])
async def test_a_borrowed_task_is_its_owners_wherever_it_runs_but_with_options_of_the_caller(bench, given):
    bench.catalog = MemoryCatalog()
    bench.executor.capabilities = Capabilities(secrets=True)
    bench.tokens = lambda *_: SourceRef("issuer", "wingbeat.builtin.secrets:EnvironmentSource")
    (task,) = (name for name, each in CACHED.entities.items() if isinstance(each, TaskSpec))
    borrowed = {task: Borrowed("maps/production/flow@v1")}
    (call,) = CACHED.workflow.nodes
    call = replace(call, override=OverrideSpec(**given))
    otherwise = replace(CACHED.workflow, nodes=(call,))
    root = spec_digest(otherwise)
    maps, eta = ({"project": project, "domain": "production"} for project in ("maps", "eta"))
    async with bench.engine() as engine:
        owner = await run(engine, bench.request(CACHED, labels=maps))
        other = await run(engine, bench.request(borrowing(CACHED, borrowed), labels=eta))
        closure = Closure(root, {root: otherwise, task: CACHED.entities[task]})
        with_others = await run(engine, bench.request(borrowing(closure, borrowed), labels=eta))
        own = await run(engine, bench.request(CACHED, labels=eta))
        again = await run(engine, bench.request(borrowing(closure, borrowed), labels=maps))
    assert (other.nodes[0].cache, other.nodes[0].source) == ("HIT", f"{owner.id}/a/0")
    assert with_others.nodes[0].cache == "POPULATED"
    assert own.nodes[0].cache == ("HIT" if "secrets" in given else "POPULATED")
    assert again.nodes[0].cache == ("HIT" if "secrets" in given else "POPULATED")


@pytest.mark.parametrize("call", ["lookup", "reserve", "explain", "publish", "release"])
async def test_a_catalog_that_raises_harms_nobody_and_keeps_no_reservation(bench, call):
    bench.catalog = MemoryCatalog()
    bench.catalog.broken.add(call)
    async with bench.engine() as engine:
        view = await run(engine, bench.request(CACHED))
        assert view.phase == "SUCCEEDED"
        if call in ("lookup", "reserve", "explain"):
            assert view.nodes[0].cache == "LOOKUP_FAILURE"
            assert f"{call} is broken" in view.nodes[0].reason
        await until(lambda: not engine._memo._reservations, "the reservation is given back")
    if call != "release":
        assert bench.catalog.reservations == {}


async def test_a_catalog_that_hangs_is_done_without(bench, monkeypatch):
    monkeypatch.setattr(memo, "ANSWER_S_MAX", 0.02)

    class Hanging(MemoryCatalog):
        async def lookup(self, key):
            await asyncio.Event().wait()

    bench.catalog = Hanging()
    async with bench.engine() as engine:
        view = await run(engine, bench.request(CACHED))
    assert (view.phase, view.nodes[0].cache) == ("SUCCEEDED", "LOOKUP_FAILURE")


@pytest.mark.parametrize("size", [-1, 2**63, 10**30])
async def test_what_is_no_size_evicts_nothing(bench, size):
    bench.catalog = MemoryCatalog()
    async with bench.engine() as engine:
        with pytest.raises(InputError, match="is no size"):
            await engine.evict_cache(Eviction(size_max=size))


async def test_what_was_evicted_is_computed_again(bench):
    bench.catalog = MemoryCatalog()
    async with bench.engine() as engine:
        first = await run(engine, bench.request(CACHED))
        (key,) = bench.catalog.entries
        assert await engine.evict_cache(Eviction(task="another")) == Evicted(0, 0)
        assert await engine.evict_cache(Eviction(older_than_s=3600)) == Evicted(0, 0)
        assert await engine.evict_cache(Eviction(digest=key, older_than_s=3600)) == Evicted(0, 0)
        assert await engine.evict_cache(Eviction(digest=key)) == Evicted(1, 256)
        second = await run(engine, bench.request(CACHED))
        assert await engine.evict_cache(Eviction(task=first.nodes[0].task)) == Evicted(1, 256)
        third = await run(engine, bench.request(CACHED))
        assert await engine.evict_cache(Eviction(everything=True)) == Evicted(1, 256)
        assert await engine.evict_cache(Eviction(everything=True)) == Evicted(0, 0)
    assert [view.nodes[0].cache for view in (first, second, third)] == ["POPULATED"] * 3


async def test_an_eviction_says_which_entries_and_needs_a_catalog_that_works(bench):
    async with bench.engine() as engine:
        with pytest.raises(ConfigurationError, match="There is no catalog"):
            await engine.evict_cache(Eviction(everything=True))
    bench.catalog = MemoryCatalog()
    bench.catalog.broken.add("evict")
    async with bench.engine() as engine:
        with pytest.raises(InputError, match="Nothing says which entries"):
            await engine.evict_cache(Eviction())
        with pytest.raises(WingbeatError, match="The catalog 'memory' failed to evict: OSError: evict is broken"):
            await engine.evict_cache(Eviction(task="x"))


async def test_a_catalog_that_hangs_while_it_evicts_is_told(bench, monkeypatch):
    class Hanging(MemoryCatalog):
        async def evict(self, **_):
            await asyncio.Event().wait()

    monkeypatch.setattr(eviction, "ANSWER_S_MAX", 0.02)
    bench.catalog = Hanging()
    async with bench.engine() as engine:
        with pytest.raises(
            WingbeatError, match="The catalog 'memory' failed to evict: it did not answer within 0.02 s"
        ):
            await engine.evict_cache(Eviction(everything=True))


async def test_without_a_catalog_the_reason_names_the_package(bench):
    async with bench.engine() as engine:
        view = await run(engine, bench.request(CACHED))
    assert view.nodes[0].cache == "DISABLED"
    assert "wingbeat-catalog" in view.nodes[0].reason


async def test_the_same_work_at_once_runs_once(bench):
    bench.catalog = MemoryCatalog()
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        replies = [await engine.launch(bench.request(CACHED)) for _ in range(5)]
        await until(lambda: bench.executor.running)
        (attempt,) = bench.executor.running
        bench.executor.end(attempt, success(9))
        for reply in replies:
            assert await engine.wait(reply.id) == "SUCCEEDED"
    assert len(bench.executor.submitted) == 1


async def test_what_was_stored_between_lookup_and_reservation_is_a_hit(bench):
    class Racing(MemoryCatalog):
        hidden = {}

        async def lookup(self, key):
            entry = await super().lookup(key)
            if self.calls["lookup"] == 1:
                self.entries.update(self.hidden)
            return entry

    bench.catalog = Racing()
    async with bench.engine() as engine:
        await run(engine, bench.request(CACHED))
        bench.catalog.hidden, bench.catalog.entries = bench.catalog.entries, {}
        bench.catalog.calls.clear()
        view = await run(engine, bench.request(CACHED))
    assert view.nodes[0].cache == "HIT"
    assert len(bench.executor.submitted) == 1


async def test_a_reservation_granted_after_the_end_is_given_back(bench):
    gate = asyncio.Event()

    class Slow(MemoryCatalog):
        async def explain(self, key):
            await gate.wait()
            return await super().explain(key)

    bench.catalog = Slow()
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(CACHED))
        await until(lambda: bench.catalog.reservations)
        await engine.abort(reply.id, "enough")
        gate.set()
        await until(lambda: not bench.catalog.reservations, "the reservation is given back")


async def test_a_catalog_that_hangs_while_it_stores_is_done_without(bench, monkeypatch):
    monkeypatch.setattr(memo, "ANSWER_S_MAX", 0.02)

    class Hanging(MemoryCatalog):
        async def publish(self, entry, *, overwrite=False):
            await asyncio.Event().wait()

    bench.catalog = Hanging()
    async with bench.engine() as engine:
        view = await asyncio.wait_for(run(engine, bench.request(CACHED)), 5)
    assert (view.phase, view.nodes[0].cache) == ("SUCCEEDED", "PUT_FAILURE")


async def test_a_reservation_is_kept_by_the_kernel_that_adopts_the_attempt(bench):
    bench.catalog = MemoryCatalog()
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(CACHED))
        await until(lambda: bench.executor.running)
    bench.catalog.reservations.clear()  # it ended while nobody kept it
    async with bench.engine() as engine:
        await until(lambda: bench.catalog.reservations, "the reservation is taken again")
        other = await engine.launch(bench.request(CACHED))
        bench.executor.end(f"{reply.id}/a/0")
        await engine.wait(other.id)
        await until(lambda: not bench.catalog.reservations, "the reservation is given back")
    assert [name for name in bench.executor.submitted if name.startswith(other.id)] == []


# -- observers and events


class Quiet:
    async def start(self):
        pass

    async def close(self):
        pass


async def test_observers_that_raise_or_hang_harm_nobody(bench):
    class Raising(Quiet):
        async def observe(self, events):
            raise ValueError("no")

    class Hanging(Quiet):
        async def observe(self, events):
            await asyncio.Event().wait()

    class Good(Quiet):
        seen = []

        async def observe(self, events):
            self.seen += events

    bench.observers = [Raising(), Hanging(), Good()]
    async with bench.engine() as engine:
        for _ in range(5):
            assert (await run(engine, bench.request(CHAIN))).phase == "SUCCEEDED"
        await until(lambda: sum(e.phase == "SUCCEEDED" and e.kind == "execution" for e in Good.seen) == 5)


async def test_queues_of_observers_are_bounded_and_losses_counted(bench, monkeypatch):
    monkeypatch.setattr(feed, "QUEUE_MAX", 3)

    class Hanging(Quiet):
        async def observe(self, events):
            await asyncio.Event().wait()

    bench.observers = [Hanging()]
    async with bench.engine() as engine:
        for _ in range(5):
            await run(engine, bench.request(CHAIN))
        assert engine._feed._observers[0].missed > 0
        assert all(told.queue.qsize() <= 3 for told in engine._feed._observers)


async def test_events_are_the_same_live_and_past_and_go_on_from_a_cursor(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE))
        seen = []

        async def follow():
            async for event in engine.events(reply.id):
                seen.append(event)

        following = asyncio.create_task(follow())
        await until(lambda: seen and bench.executor.running)
        bench.executor.sink.running(f"{reply.id}/a/0", {"pid": 1})
        bench.executor.end(f"{reply.id}/a/0")
        await following
        past = [e async for e in engine.events(reply.id)]
        later = [e async for e in engine.events(reply.id, 1)]
    assert seen == past
    assert later == past[2:]
    assert [e.cursor for e in past] == list(range(len(past)))
    assert [(e.kind, e.phase) for e in past] == [
        ("execution", "RUNNING"), ("attempt", "QUEUED"), ("attempt", "RUNNING"), ("node", "SUCCEEDED"),
        ("execution", "SUCCEEDED"),
    ]  # fmt: skip


async def test_a_reader_who_is_too_slow_misses_nothing(bench, monkeypatch):
    monkeypatch.setattr(feed, "QUEUE_MAX", 2)
    jobs = {f"j{i}": Job([f"j{i - 1}"] if i else []) for i in range(30)}
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(make_closure(jobs)))
        seen = []
        events = engine.events(reply.id)
        seen.append(await anext(events))
        await engine.wait(reply.id)
        seen += [event async for event in events]
    assert [e.cursor for e in seen] == list(range(len(seen)))
    assert seen[-1].phase == "SUCCEEDED"


async def test_a_reader_who_leaves_is_forgotten(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE))
        events = engine.events(reply.id)
        await anext(events)
        assert engine._lives[reply.id].subscribers
        await events.aclose()
        assert not engine._lives[reply.id].subscribers


async def test_who_reads_events_while_an_engine_stops_is_told_that(bench, monkeypatch):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply, stopped = await engine.launch(bench.request(ONE)), asyncio.Event()

        async def read(execution, cursor):
            await stopped.wait()
            raise JournalUnknown("The journal is closed.")

        monkeypatch.setattr(engine._archive, "events", read)
        following = asyncio.ensure_future(anext(engine.events(reply.id)))
        await until(lambda: engine._lives[reply.id].subscribers)
    stopped.set()
    with pytest.raises(EngineStopped):
        await following


async def test_events_of_an_engine_that_stops_do_not_look_like_an_end(bench):
    bench.executor.behaviour = lambda request: None
    async with bench.engine() as engine:
        reply = await engine.launch(bench.request(ONE))

        async def follow():
            return [e async for e in engine.events(reply.id)]

        following = asyncio.create_task(follow())
        await until(lambda: engine._lives[reply.id].subscribers)
    with pytest.raises(EngineStopped):
        await following
