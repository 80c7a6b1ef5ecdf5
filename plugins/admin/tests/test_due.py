"""How the ticks of a schedule go with one another, also where a version before had another policy."""

import asyncio

import pytest

from wingbeat import Cron, Kernel
from wingbeat.contracts.admin import Registration
from wingbeat.contracts.refusals import RefusalQuery
from wingbeat.spec.identity import parse_identity
from wingbeat.spec.triggers import CronSpec, ScheduleSpec
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.local import active, due
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.local.schema import open_file
from wingbeat_admin.local.store import Store

PLAN = parse_identity("eta/production/plan@v1")
DAY_S = 86400.0


@pytest.fixture
def store(tmp_path):
    found = Store(open_file(tmp_path / "admin.sqlite"))
    plan = launchplan(flows.twice, "plan", trigger=Cron("0 3 * * *"), inputs={"n": 1})
    found.register([PLAN], [plan], 0.0, "me")
    yield found
    found.close()


def tick(store, number, overlap):
    return store.within(due.add_tick, PLAN, ScheduleSpec(CronSpec("0 3 * * *"), overlap=overlap), number * DAY_S)


def launch(store):
    (one,) = store.ready(10 * DAY_S, 10)
    store.launched(one.execution)
    return one.execution


@pytest.mark.parametrize("before", ["skip", "buffer_one", "cancel_other", "terminate_other", "allow_all"])
@pytest.mark.parametrize(
    ("overlap", "decided", "ready", "stopped"),
    [
        ("skip", 0, 0, False), ("buffer_one", 1, 0, False), ("cancel_other", 1, 0, True), ("terminate_other", 1, 1, False),
        ("allow_all", 1, 1, False),
    ],
)  # fmt: skip
def test_what_a_version_before_has_launched_is_seen(store, before, overlap, decided, ready, stopped):
    tick(store, 0, before)
    first = launch(store)
    assert tick(store, 1, overlap) == decided
    assert len(store.ready(10 * DAY_S, 10)) == ready
    found = store.within(due.overtaken, 10 * DAY_S, 10)
    assert [execution for execution, _ in found] == ([first] if stopped else [])
    if overlap == "terminate_other":
        second = launch(store)
        assert store.within(due.overtaken, 10 * DAY_S, 10) == [(first, second)]
    store.within(due.ended, first)
    assert store.within(due.overtaken, 10 * DAY_S, 10) == []


def test_who_takes_the_place_of_several_is_the_newest(store):
    for number in range(3):
        tick(store, number, "terminate_other")
        launch(store)
    last = due.execution_id(PLAN.entity, due.tick_cause(2 * DAY_S))
    assert {by for _, by in store.within(due.overtaken, 10 * DAY_S, 10)} == {last}


async def eventually(condition):
    async with asyncio.timeout(20):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
    return found


@pytest.mark.parametrize("how", ["pause", "deactivate"])
async def test_ticks_that_wait_are_not_launched_when_their_schedule_was_stopped(tmp_path, how):
    home = TemporaryHome(tmp_path / "home")
    async with Kernel(tmp_path / "home", discover=False) as kernel:
        admin = LocalAdmin(tmp_path / "admin.sqlite", kernel.engine, home.storage())
        await admin.start()
        gate = tmp_path / "gate"
        plan = launchplan(
            flows.endless, "plan", trigger=Cron("0 3 * * *", overlap="buffer_all"), inputs={"path": str(gate)}
        )
        await admin.register(Registration("eta", "production", (plan,), "v1"))
        await admin.activate(str(PLAN))
        schedule = plan.plan.trigger
        for number in range(2):
            await admin.do(Store.within, due.add_tick, PLAN, schedule, number * DAY_S)
        admin._look()
        first = due.execution_id(PLAN.entity, due.tick_cause(0.0))

        async def begun():
            return any(each.id == first for each in await kernel.engine.executions())

        await eventually(begun)
        await (admin.pause(str(PLAN), "for a while") if how == "pause" else admin.deactivate(str(PLAN)))
        gate.touch()

        async def refused():
            return (await admin.refusals(RefusalQuery())).items

        (one,) = await eventually(refused)
        assert one.cause == due.tick_cause(DAY_S)
        assert ("for a while" if how == "pause" else "not active any more") in one.reason
        assert [each.id for each in await kernel.engine.executions()] == [first]
        assert await admin.do(Store.within, active.halted, str(PLAN.entity))
        await admin.close()


async def test_an_execution_that_takes_long_to_be_stopped_holds_nothing_else(tmp_path):
    home = TemporaryHome(tmp_path / "home")
    async with Kernel(tmp_path / "home", discover=False) as kernel:
        engine = Slow(kernel.engine)
        admin = LocalAdmin(tmp_path / "admin.sqlite", engine, home.storage())
        await admin.start()
        plans = [
            launchplan(flows.gated, name, trigger=Cron("0 3 * * *", overlap=overlap), inputs={"n": 1})
            for name, overlap in (("plan", "cancel_other"), ("other", "allow_all"))
        ]
        await admin.register(Registration("eta", "production", tuple(plans), "v1"))
        for plan in plans:
            await admin.activate(f"eta/production/{plan.name}@v1")

        async def launched(count):
            return len(await kernel.engine.executions()) >= count

        async def add(plan, number):
            id = parse_identity(f"eta/production/{plan.name}@v1")
            await admin.do(Store.within, due.add_tick, id, plan.plan.trigger, number * DAY_S)
            admin._look()

        await add(plans[0], 0)
        await eventually(lambda: launched(1))
        await add(plans[0], 1)
        async with asyncio.timeout(20):
            await engine.asked.wait()
        await add(plans[1], 0)
        await eventually(lambda: launched(2))
        engine.go.set()
        await eventually(lambda: launched(3))
        await admin.close()


class Slow:
    """An engine that stops nothing before it may."""

    def __init__(self, engine):
        self._engine = engine
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._engine, name)

    async def abort(self, execution, reason):
        self.asked.set()
        await self.go.wait()
        await self._engine.abort(execution, reason)
