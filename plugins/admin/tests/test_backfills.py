"""Backfills beside what is live: who was faster, who waits, what is stopped and what is not; and who may see them."""

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from wingbeat import Concurrency, Kernel
from wingbeat.author.schedule import Cron
from wingbeat.base.errors import ConfigurationError, InputError, LimitReached
from wingbeat.contracts.admin import BY_LABEL, ExecutionQuery, Launch, Registration
from wingbeat.contracts.backfill import BACKFILL_LABEL, TICKS_MAX, Backfill, BackfillPhase
from wingbeat.contracts.engine import LaunchRequest
from wingbeat.spec.identity import Name, parse_identity
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.triggers import CronSpec, RateSpec, ScheduleSpec
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan
from wingbeat.testing.conformance.engine import closure_of
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.local import backfills, due
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.local.firing import BELOW, below_others, execution_id
from wingbeat_admin.local.ranges import check_range, ticks_in
from wingbeat_admin.local.schema import open_file
from wingbeat_admin.local.store import Store
from wingbeat_admin.local.ticks import within

DAY_S = 86400.0
PLAN = "eta/production/plan"
THREE = Backfill(PLAN, 0.0, 3 * DAY_S, name="three")
TICKS = [n * DAY_S + 3 * 3600 for n in range(3)]
IDS = [execution_id(Name("eta", "production", "plan"), due.tick_cause(tick)) for tick in TICKS]


class Engine:
    """An engine that says what it is asked for, and what a test tells it to say before that."""

    def __init__(self, engine):
        self._engine, self.asked, self.before_launch = engine, [], None

    def __getattr__(self, name):
        return getattr(self._engine, name)

    async def launch(self, request):
        self.asked.append(request)
        if self.before_launch is not None:
            await self.before_launch(request)
        return await self._engine.launch(request)


@contextlib.asynccontextmanager
async def opened(tmp_path, flow=flows.twice, **more):
    """An admin with a launch plan that has a schedule, and its engine."""
    home = TemporaryHome(tmp_path / "home")
    async with Kernel(home.path, discover=False) as kernel:
        engine = Engine(kernel.engine)
        admin = LocalAdmin(Path(home.path, "admin.sqlite"), engine, home.storage())
        await admin.start()
        try:
            plan = launchplan(flow, "plan", trigger=Cron("0 3 * * *"), inputs={"n": 1}, **more)
            await admin.register(Registration("eta", "production", (plan,), "v1"))
            yield admin, engine
        finally:
            await admin.close()


async def seen(admin, true=lambda entry: entry.ended_at is not None):
    async with asyncio.timeout(20):
        while not true(entry := await admin.backfill("three")):
            await asyncio.sleep(0.01)
    return entry


def test_ticks_of_a_range():
    for when in (CronSpec("*/10 * * * *"), RateSpec(600.0)):
        assert list(within(when, 600.0, 1800.0)) == [600.0, 1200.0], "from the first on, before the last"
        assert list(within(when, 600.5, 1800.5)) == [1200.0, 1800.0]
        assert list(within(when, 0.0, 600.0)) == [0.0]
    clocks = CronSpec("30 2 * * *", "Europe/Berlin")
    night = datetime(2026, 3, 29, tzinfo=UTC).timestamp()
    assert list(within(clocks, night, night + 2 * DAY_S)) == [night + 3600, night + DAY_S + 1800], (
        "one in a missing hour"
    )


@pytest.mark.parametrize(
    ("since", "until", "why"),
    [
        ("1026-03-29", "2026-03-28", "The range begins at 1026-03-29T00:00:00+00:00: a backfill goes back to 1970."),
        ("2026-03-29", "2026-03-28", "From 2026-03-29T00:00:00+00:00 until 2026-03-28T00:00:00+00:00 is no range of time."),
    ],
)  # fmt: skip
def test_what_is_no_range_is_told(since, until, why):
    moments = [datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() for day in (since, until)]
    with pytest.raises(InputError) as refused:
        check_range(Backfill(PLAN, *moments), 2e9)
    assert refused.value.message == why


def test_too_many_ticks_are_refused_with_where_to_cut():
    wanted = Backfill(PLAN, 0.0, 10 * TICKS_MAX)
    with pytest.raises(InputError) as refused:
        ticks_in(ScheduleSpec(RateSpec(1.0)), wanted, PLAN)
    assert "100,000" in str(refused.value)
    assert datetime.fromtimestamp(TICKS_MAX, UTC).isoformat() in refused.value.hint
    assert len(ticks_in(ScheduleSpec(RateSpec(1.0)), Backfill(PLAN, 0.0, TICKS_MAX), PLAN)) == TICKS_MAX


def test_where_there_is_a_limit_it_waits_behind_others():
    request = LaunchRequest(closure_of(flows.twice), {"n": Inline(1)}, priority=3)
    assert below_others(request).priority == 3 + BELOW
    assert below_others(request).concurrency is None


@pytest.mark.parametrize("on_limit", ["replace", "fail"])
async def test_it_replaces_nobody_and_is_not_left_out(tmp_path, on_limit):
    concurrency = Concurrency(1, on_limit=on_limit)
    async with opened(tmp_path, concurrency=concurrency, priority=7) as (admin, engine):
        await admin.create_backfill(THREE, by="apikey:ci")
        assert (await seen(admin)).succeeded == 3
        assert {request.concurrency.on_limit for request in engine.asked} == {"queue"}
        assert {request.priority for request in engine.asked} == {7 + BELOW}
        assert {request.labels[BY_LABEL] for request in engine.asked} == {"apikey:ci"}


async def test_a_launch_plan_cannot_say_who_launches(tmp_path, monkeypatch):
    """One that was registered before that was refused: neither its launches, nor what a backfill launches, have its labels."""
    forged = {"wingbeat/by": "user:boss", "wingbeat/backfill": "x", "domain": "x", "team": "eta"}
    async with opened(tmp_path) as (admin, engine):
        monkeypatch.setattr("wingbeat_admin.local.admin.check_plan_labels", lambda definitions: None)
        plan = launchplan(flows.twice, "plan", trigger=Cron("0 3 * * *"), inputs={"n": 1})
        plan = replace(plan, plan=replace(plan.plan, labels=forged))
        await admin.register(Registration("eta", "production", (plan,), "v2"))
        await admin.launch(Launch(f"{PLAN}@v2"))
        await admin.activate(f"{PLAN}@v2")
        await admin.create_backfill(replace(THREE, until=DAY_S), by="apikey:ci")
        await seen(admin)
        launched, filled = (request.labels for request in engine.asked)
    assert (launched["team"], launched["domain"]) == ("eta", "production")
    assert BY_LABEL not in launched
    assert BACKFILL_LABEL not in launched
    assert (filled[BY_LABEL], filled[BACKFILL_LABEL], filled["domain"]) == ("apikey:ci", "three", "production")


async def test_an_execution_that_the_history_does_not_know_yet_is_there(tmp_path):
    """The schedule's launch comes between the look at the history and that of the backfill: with other content, too."""
    async with opened(tmp_path) as (admin, engine):
        closures = {IDS[0]: flows.twice, IDS[1]: flows.gated}

        async def faster(request):
            if request.name in closures:
                await engine._engine.launch(
                    LaunchRequest(closure_of(closures[request.name]), {"n": Inline(1)}, request.name)
                )

        engine.before_launch = faster
        await admin.create_backfill(THREE)
        entry = await seen(admin)
        assert (entry.succeeded, entry.failed, entry.there) == (1, 0, 2)
        await engine.abort(IDS[1], "the test is over")


async def test_to_abort_it_stops_nothing_that_is_not_its_own(tmp_path):
    async with opened(tmp_path, flows.gated) as (admin, engine):
        begun = asyncio.Event()

        async def faster(request):
            await engine._engine.launch(LaunchRequest(closure_of(flows.gated), {"n": Inline(2)}, request.name))
            await admin.abort_backfill("three", "as asked")
            begun.set()

        engine.before_launch = faster
        await admin.create_backfill(Backfill(PLAN, 0.0, 3 * DAY_S, name="three", concurrency=1))
        await begun.wait()
        entry = await seen(admin)
        assert (entry.phase, entry.there, entry.waiting) == (BackfillPhase.ABORTED, 1, 2)
        assert (await engine.describe(IDS[0])).phase is ExecutionPhase.RUNNING
        await engine.abort(IDS[0], "the test is over")


async def test_what_was_not_launched_when_it_was_aborted_waits_again(tmp_path):
    async with opened(tmp_path) as (admin, engine):

        async def stopped(request):
            await admin.abort_backfill("three", "as asked")
            raise OSError("the engine is away")

        engine.before_launch = stopped
        await admin.create_backfill(THREE)
        entry = await seen(admin)
        assert (entry.phase, entry.waiting, entry.running, entry.failed) == (BackfillPhase.ABORTED, 3, 0, 0)
        assert await admin.do(lambda store: store.ready(1e12, 10)) == []


async def test_where_the_engine_cannot_do_it_the_backfill_pauses(tmp_path):
    async with opened(tmp_path) as (admin, engine):

        async def cannot(request):
            raise ConfigurationError("This engine knows no priorities.")

        engine.before_launch = cannot
        await admin.create_backfill(THREE)
        entry = await seen(admin, lambda entry: entry.phase is BackfillPhase.PAUSED and not entry.running)
        assert (entry.reason, entry.waiting, entry.failed) == ("This engine knows no priorities.", 3, 0)
        engine.before_launch = None
        await admin.resume_backfill("three")
        assert (await seen(admin)).succeeded == 3


async def test_where_the_quota_of_a_minute_is_used_up_it_waits(tmp_path):
    async with opened(tmp_path) as (admin, engine):
        refused = asyncio.Event()

        async def full(request):
            if not refused.is_set():
                refused.set()
                raise LimitReached("Too many within a minute.", retry_after_s=0.1)

        engine.before_launch = full
        await admin.create_backfill(THREE)
        entry = await seen(admin)
        assert (entry.succeeded, entry.failed) == (3, 0)


async def test_what_can_never_be_launched_has_failed_and_says_why(tmp_path):
    async with opened(tmp_path) as (admin, engine):

        async def refused(request):
            if request.name == IDS[1]:
                raise InputError("Not this one.")

        engine.before_launch = refused
        await admin.create_backfill(THREE)
        entry = await seen(admin)
        assert (entry.succeeded, entry.failed) == (2, 1)
        assert [(each.tick, each.execution) for each in entry.failures] == [(TICKS[1], "")]
        assert "Not this one." in entry.failures[0].reason
        engine.before_launch = None
        await admin.resume_backfill("three", failed=True)
        assert (await seen(admin)).succeeded == 3
        found = (await admin.executions(ExecutionQuery(labels={BACKFILL_LABEL: "three"}))).items
        assert sorted(each.id for each in found) == sorted(IDS), (
            "the id of a tick that was never launched is still the schedule's"
        )


@pytest.fixture
def store(tmp_path):
    found = Store(open_file(tmp_path / "admin.sqlite"))
    plan = launchplan(flows.twice, "plan", trigger=Cron("0 3 * * *"), inputs={"n": 1})
    found.register([parse_identity(f"{PLAN}@v1")], [plan], 0.0, "me")
    yield found
    found.close()


def create(store, ticks=TICKS):
    id = parse_identity(f"{PLAN}@v1")
    return store.within(backfills.create, id, THREE, "content", {}, ticks, "me", "", 0.0)


def test_a_tick_that_a_backfill_has_run_is_not_fired(store):
    create(store)
    store.within(backfills.take, 0.0)
    fire = store.within, due.add_tick, parse_identity(f"{PLAN}@v1"), ScheduleSpec(CronSpec("0 3 * * *"))
    assert fire[0](*fire[1:], TICKS[0]) == 0, "it is under way"
    assert fire[0](*fire[1:], 3 * DAY_S + 3 * 3600) == 1, "the schedule sees nothing of a backfill that runs"


def test_what_another_one_has_taken_is_there_when_it_is_launched_and_not_before(store):
    create(store)
    store.within(backfills.take, 0.0)
    other = Backfill(PLAN, 0.0, 3 * DAY_S, name="other")
    store.within(backfills.create, parse_identity(f"{PLAN}@v1"), other, "", {}, TICKS[:2], "me", "", 0.0)
    assert store.within(backfills.take, 0.0) == 0
    store.within(backfills.abort, "three", "as asked", 0.0)
    store.within(backfills.put_back, IDS[0], "", 0.0)
    assert store.within(backfills.take, 0.0) == 1, "it was never launched"
    assert store.within(backfills.one, "other").waiting == 1


def test_live_work_is_launched_first(store):
    create(store)
    store.within(backfills.take, 0.0)
    store.within(due.add_fired, parse_identity(f"{PLAN}@v1"), "cause", 5.0)
    assert [bool(one.backfill) for one in store.ready(10.0, 2)] == [False, True]


def test_a_tick_that_the_schedule_could_not_launch_is_launched(store):
    store.within(due.add_tick, parse_identity(f"{PLAN}@v1"), ScheduleSpec(CronSpec("0 3 * * *")), TICKS[0])
    store.refused(IDS[0], "it takes what is not there")
    create(store)
    store.within(backfills.take, 0.0)
    assert IDS[0] in [one.execution for one in store.ready(10.0, 10)]
    assert store.within(backfills.one, "three").running == 3


def test_very_many_that_are_there_are_looked_at_bit_by_bit(store):
    ticks = [float(n) for n in range(backfills.LOOKED_AT_ONCE + 10)]
    with store.transaction() as db:
        for tick in ticks:
            execution = execution_id(Name("eta", "production", "plan"), due.tick_cause(tick))
            columns = "id, workflow, phase, created_at, project, domain, name, entity, cause, labels"
            db.execute(
                f"INSERT INTO executions ({columns}) VALUES (?, '', '', 0, '', '', '', '', '', '')", (execution,)
            )
    create(store, ticks)
    looked = []
    while count := store.within(backfills.take, 0.0):
        looked.append(count)
    assert looked == [backfills.LOOKED_AT_ONCE, 10]
    entry = store.within(backfills.one, "three")
    assert (entry.phase, entry.there) == (BackfillPhase.ENDED, len(ticks))


async def test_only_those_of_ones_places_are_seen(server):
    viewer = await server.key("viewer", ("viewer", *server.own))
    runner = await server.key("runner", ("runner", *server.own))
    for place in (server.own, server.foreign):
        assert (await server.call(server.owner, "POST", "/backfills", server.backfill(place))).status_code == 201
    own, foreign = (server.backfill(place)["name"] for place in (server.own, server.foreign))
    listed = (await server.call(viewer, "GET", "/backfills")).json()["items"]
    assert [each["id"] for each in listed] == [own]
    assert (await server.call(viewer, "GET", "/backfills", params={"after": foreign})).status_code == 404
    taken = await server.call(runner, "POST", "/backfills", server.backfill(server.own) | {"name": foreign})
    assert taken.status_code == 409
    assert "eta/" not in taken.text
    there = await server.call(runner, "POST", "/backfills", server.backfill(server.own))
    assert (there.status_code, there.json()["id"]) == (201, own)
    (entry, *_) = (await server.call(server.owner, "GET", "/audit", params={"action": "backfill.create"})).json()[
        "items"
    ]
    assert (entry["principal"], entry["object"]) == ("apikey:runner", f"{own}: 2 ticks of maps/production/often@v1")
