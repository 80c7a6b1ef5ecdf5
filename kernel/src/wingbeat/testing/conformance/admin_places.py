"""What every admin must do that keeps settings of places: see `wingbeat.testing.conformance.admin` for how a class is derived."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from wingbeat.base.errors import InputError, LimitReached, NoRoom, NotFound
from wingbeat.contracts.access import AuditQuery, Outcome, access_of
from wingbeat.contracts.admin import Admin, Launch, Registration
from wingbeat.contracts.engine import Adjusting, Engine
from wingbeat.contracts.places import BUILT_IN, SETTINGS_LABEL, PlaceSettings, Said, Setting, places_of
from wingbeat.contracts.retention import RETENTION_LABEL
from wingbeat.spec.entities import FailurePolicy
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import AdminStage, launchplan, workflow
from wingbeat.testing.home import TemporaryHome

TWICE, GATED, GREEDY = (f"eta/production/{name}@v1" for name in ("twice", "gated", "greedy"))


class PlacesContract(AdminStage):
    """The contract of `wingbeat.contracts.places.Places` as tests."""

    async def say(self, admin: Admin, place: str = "*/*", **values: Any) -> None:
        """Set these of a place."""
        for name, value in values.items():
            assert await places_of(admin).create_setting(Setting(name, value, *place.split("/")))

    async def phase(self, engine: Engine, id: str) -> ExecutionPhase:
        """In which an execution is."""
        return (await engine.describe(id, nodes=False)).phase

    async def test_what_is_said_of_a_place_is_kept(self, home: TemporaryHome) -> None:
        """`create_setting`, `delete_setting`, `settings`: one value of a name in a place; kept; in the audit log."""
        async with self.both(home) as (admin, _):
            await self.say(admin, "eta/*", executions=3, labels={"team": "eta"})
            assert not await places_of(admin).create_setting(Setting("executions", 3, "eta"))
            await self.say(admin, "eta/*", executions=4)
            await self.say(admin, "maps/production", cpu=2.5)
        async with self.both(home) as (admin, _):
            both = [Setting("executions", 4, "eta"), Setting("labels", {"team": "eta"}, "eta")]
            assert await places_of(admin).settings() == [*both, Setting("cpu", 2.5, "maps", "production")]
            assert await places_of(admin).settings(within=("eta/*",)) == both
            await places_of(admin).delete_setting("labels", "eta", "*")
            for unknown in (("labels", "eta", "*"), ("executions", "eta", "production"), ("nothing", "eta", "*")):
                with pytest.raises(NotFound):
                    await places_of(admin).delete_setting(*unknown)
            assert len(await places_of(admin).settings()) == 2
            noted = (await access_of(admin).audit(AuditQuery(project="eta", outcome=Outcome.ALLOWED, limit=2))).items
            assert [each.action for each in noted] == ["setting.delete", "setting.create"]

    async def test_the_most_specific_place_holds_and_says_so(self, home: TemporaryHome) -> None:
        """`settled`: every setting, with its source and what it stands before; of a launch plan, what that says, first."""
        async with self.both(home) as (admin, _):
            await self.put(admin, launchplan(flows.twice, "plan", priority=7, retention_days=30))
            await self.say(admin, "*/*", executions=1, priority=1)
            await self.say(admin, "*/production", executions=2)
            await self.say(admin, "eta/*", executions=3)
            await self.say(admin, "eta/production", executions=4)
            found = {each.name: each for each in await places_of(admin).settled("eta", "production")}
            assert tuple(found) == PlaceSettings.__struct_fields__
            assert (found["executions"].value, found["executions"].source) == (4, "eta/production")
            others = [Said(3, "eta/*"), Said(2, "*/production"), Said(1, "*/*"), Said(None, BUILT_IN)]
            assert found["executions"].over == others
            assert (found["cpu"].value, found["cpu"].source, found["cpu"].over) == (None, BUILT_IN, [])
            for place, value in (("eta/development", 3), ("maps/production", 2), ("maps/development", 1)):
                settled = {each.name: each for each in await places_of(admin).settled(*place.split("/"))}
                assert settled["executions"].value == value, place
            plan = {each.name: each for each in await places_of(admin).settled("eta", "production", "plan@v1")}
            assert (plan["priority"].value, plan["priority"].source) == (7, "eta/production/plan@v1")
            assert plan["priority"].over == [Said(1, "*/*"), Said(None, BUILT_IN)]
            assert (plan["retention_days"].value, plan["executions"].source) == (30, "eta/production")
            with pytest.raises(NotFound):
                await places_of(admin).settled("eta", "production", "nothing")
            with pytest.raises(InputError):
                await places_of(admin).settled("eta", "*")

    @pytest.mark.parametrize(
        "setting",
        [
            Setting("nothing", 1),
            Setting("executions", 0),
            Setting("executions", None),
            Setting("executions", "3"),
            Setting("cpu", -1.0),
            Setting("labels", {"wingbeat/by": "me"}),
            Setting("labels", {"project": "eta"}),
            Setting("pool", "x", "Eta"),
            Setting("failure_policy", "whenever"),
        ],
        ids=repr,
    )
    async def test_what_no_place_can_have_is_refused(self, home: TemporaryHome, setting: Setting) -> None:
        """`create_setting` raises `InputError`, and nothing is said."""
        async with self.both(home) as (admin, _):
            with pytest.raises(InputError):
                await places_of(admin).create_setting(setting)
            assert await places_of(admin).settings() == []

    async def test_an_execution_has_the_defaults_of_its_place_and_tells_them(self, home: TemporaryHome) -> None:
        """`labels`, `priority`, `retention_days`: where neither launch nor launch plan says something."""
        async with self.both(home) as (admin, engine):
            plan = launchplan(flows.twice, "plan", priority=7, labels={"team": "roads"})
            await self.put(admin, workflow(flows.twice, "twice"), plan)
            await self.say(admin, "eta/*", labels={"team": "eta", "cost": "42"}, priority=-3, retention_days=9.0)
            await self.say(admin, "eta/production", cpu=64.0)
            one = await admin.launch(Launch(TWICE, {"n": 1}, labels={"cost": "none"}))
            labels = (await engine.describe(one.id)).labels
            assert (labels["team"], labels["cost"], labels["project"]) == ("eta", "none", "eta")
            told = {"cpu": [64.0, "eta/production"], "priority": [-3, "eta/*"], "retention_days": [9.0, "eta/*"]}
            assert json.loads(labels[SETTINGS_LABEL]) == told
            assert float(labels[RETENTION_LABEL]) == 9.0
            other = await admin.launch(Launch("eta/production/plan@v1", {"n": 1}))
            labels = (await engine.describe(other.id)).labels
            assert (labels["team"], labels["cost"]) == ("roads", "42")
            assert json.loads(labels[SETTINGS_LABEL])["priority"] == [7, "eta/production/plan@v1"]
            for each in (one, other):
                assert await engine.wait(each.id) is ExecutionPhase.SUCCEEDED

    async def test_the_default_failure_policy_is_that_of_who_says_none(self, home: TemporaryHome) -> None:
        """`failure_policy`: of workflows that say none, where their launch plan says none; the execution tells from where."""
        later, now = FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE, FailurePolicy.FAIL_IMMEDIATELY
        says, plan = "workflow wingbeat.testing.conformance.engine_flows.at_once", "eta/production/plan@v1"
        async with self.both(home) as (admin, engine):
            flow = [workflow(flows.twice, "twice"), workflow(flows.at_once, "at_once")]
            await self.put(
                admin, *flow, launchplan(flows.twice, "plan", failure_policy=now), launchplan(flows.at_once, "bare")
            )
            await self.say(admin, "eta/*", failure_policy=later.value)
            for name, policy, source in (
                ("twice", later, "eta/*"), ("plan", now, plan), ("at_once", now, says), ("bare", now, says),
            ):  # fmt: skip
                reply = await admin.launch(Launch(f"eta/production/{name}@v1", {"n": 1}))
                assert (await engine.closure(reply.id)).workflow.failure_policy is policy, name
                told = json.loads((await engine.describe(reply.id)).labels[SETTINGS_LABEL])
                assert told["failure_policy"] == [policy.value, source]
                assert await engine.wait(reply.id) is ExecutionPhase.SUCCEEDED
            found = {each.name: each for each in await places_of(admin).settled("eta", "production", "bare")}
            assert (found["failure_policy"].value, found["failure_policy"].source) == (now.value, says)
            assert found["failure_policy"].over == [Said(later.value, "eta/*"), Said(None, BUILT_IN)]

    async def test_executions_beyond_the_quota_wait_for_their_turn(self, home: TemporaryHome) -> None:
        """`executions`: of a place so many are under way; what waits is launched, is told why, and begins when there is room."""
        async with self.both(home) as (admin, engine):
            for project in ("eta", "maps"):
                await self.put(admin, workflow(flows.gated, "gated"), project=project)
            await self.say(admin, executions=1)
            ids = [(await admin.launch(Launch(GATED, {"n": 1}, name))).id for name in ("one", "two")]
            other = await admin.launch(Launch("maps/production/gated@v1", {"n": 1}))
            assert [await self.phase(engine, id) for id in (*ids, other.id)] == ["RUNNING", "QUEUED", "RUNNING"]
            why = await engine.explain_waiting("two")
            assert "eta/production" in why
            assert "one" in why
            await self.say(admin, "eta/*", executions=2)
            await admin.launch(Launch(GATED, {"n": 1}, "three"))
            await self.reached(engine, "two", ExecutionPhase.RUNNING)
            assert await self.phase(engine, "three") is ExecutionPhase.QUEUED
            await engine.signal("one", "go", Inline(True), "s")
            await self.reached(engine, "three", ExecutionPhase.RUNNING)
            for id in ("two", "three", other.id):
                await engine.abort(id, "it was a test")

    async def test_a_changed_quota_reaches_those_that_wait(self, home: TemporaryHome) -> None:
        """`create_setting`, `delete_setting` of `executions`: who waits begins, or waits for the quota of now; nobody has to
        launch for that. After a restart of both, too."""
        async with self.both(home) as (admin, engine):
            if not isinstance(engine, Adjusting):
                pytest.skip("the quotas of this engine cannot be changed for what waits")
            await self.put(admin, workflow(flows.gated, "gated"))
            await self.say(admin, "eta/*", executions=1)
            for name in ("one", "two", "three", "four"):
                await admin.launch(Launch(GATED, {"n": 1}, name))
            await self.say(admin, "eta/production", executions=2)  # which stands before the other
            await self.reached(engine, "two", ExecutionPhase.RUNNING)
            assert "2 of 2" in await engine.explain_waiting("three")
            await self.say(admin, "eta/*", executions=9)
            assert await self.phase(engine, "three") is ExecutionPhase.QUEUED
        async with self.both(home) as (admin, engine):
            assert await self.phase(engine, "three") is ExecutionPhase.QUEUED
            await places_of(admin).delete_setting("executions", "eta", "production")
            await self.reached(engine, "four", ExecutionPhase.RUNNING)
            for id in ("one", "two", "three", "four"):
                await engine.abort(id, "it was a test")

    async def reached(self, engine: Engine, id: str, phase: ExecutionPhase) -> None:
        """Return when an execution is in a phase."""
        async with asyncio.timeout(self.patience_s * 2 / 3):
            while await self.phase(engine, id) is not phase:
                await asyncio.sleep(0.02)

    async def test_launches_beyond_the_quota_of_a_minute_are_refused(self, home: TemporaryHome) -> None:
        """`launches_per_minute`: of many at once just as many as may be; the error says when there is room; the same again is
        no other launch."""
        async with self.both(home) as (admin, engine):
            await self.put(admin, workflow(flows.twice, "twice"))
            await self.say(admin, "eta/*", launches_per_minute=2)
            names = [f"x{n}" for n in range(5)]
            launches = (admin.launch(Launch(TWICE, {"n": 1}, name)) for name in names)
            found = await asyncio.gather(*launches, return_exceptions=True)
            refused = [each for each in found if isinstance(each, BaseException)]
            assert len(refused) == 3
            for error in refused:
                assert isinstance(error, LimitReached)
                assert 30 < error.retry_after_s <= 60
                assert "eta/*" in error.message
            (again, _) = [name for name, each in zip(names, found, strict=True) if not isinstance(each, BaseException)]
            assert not (await admin.launch(Launch(TWICE, {"n": 1}, again))).created
            assert len(await engine.executions()) == 2

    async def test_versions_beyond_the_quota_are_not_registered(self, home: TemporaryHome) -> None:
        """`versions`: all of them, or none; what is there is there."""
        async with self.both(home) as (admin, _):
            await self.say(admin, "eta/production", versions=2)
            both = (workflow(flows.twice, "twice"), workflow(flows.gated, "gated"))
            await self.put(admin, *both)
            await self.put(admin, *both)
            with pytest.raises(NoRoom, match="3 in eta/production, whose quota is 2"):
                await self.put(admin, both[0], version="v2")
            with pytest.raises(NotFound):
                await admin.entity("eta/production/twice@v2")
            await admin.register(Registration("eta", "development", both, "v1"))

    async def test_a_task_that_wants_more_than_the_quota_is_refused_by_name(self, home: TemporaryHome) -> None:
        """`cpu`, `memory_bytes`: the launch raises `InputError`, which names the task, and nothing runs."""
        async with self.both(home) as (admin, engine):
            await self.put(admin, workflow(flows.greedy, "greedy"))
            for quota in ({"cpu": 1.0}, {"memory_bytes": 2**30}):
                await self.say(admin, "eta/*", **quota)
                with pytest.raises(InputError, match=r"flows\.much wants .* in eta/production may have"):
                    await admin.launch(Launch(GREEDY, {"n": 1}))
                await places_of(admin).delete_setting(next(iter(quota)), "eta", "*")
            assert await engine.executions() == []
