"""Quotas and defaults of places, where the clock and the server come in: the kit has the rest."""

import asyncio
import contextlib
import json
import time

import msgspec
import pytest

from wingbeat import Kernel
from wingbeat.author.trigger import OnSuccess
from wingbeat.base.errors import InputError, LimitReached
from wingbeat.contracts.access import Grant, Role
from wingbeat.contracts.admin import ExecutionQuery, Launch, Registration
from wingbeat.contracts.engine import POOL_LABEL, LaunchRequest
from wingbeat.contracts.places import SETTINGS_LABEL, Setting
from wingbeat.contracts.retention import RETENTION_LABEL
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan, workflow
from wingbeat.testing.conformance.engine import closure_of
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.server.needs import stamped
from wingbeat_admin.server.policy import Caller

OWN = ("maps", "production")
SOURCE = "maps/production/flows.twice"


class Clock:
    """That of the machine, some time later."""

    later_s = 0.0

    def __call__(self):
        return time.time() + self.later_s


@contextlib.asynccontextmanager
async def opened(tmp_path, clock, engine):
    admin = LocalAdmin(tmp_path / "admin.sqlite", engine, TemporaryHome(tmp_path).storage(), clock=clock)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def pause():
    await asyncio.sleep(0.02)


async def fired(admin, count):
    """Those that the trigger has launched, once there are so many."""
    while len(found := (await admin.executions(ExecutionQuery(entity="eta/production/fired"))).items) < count:
        await pause()
    return found


async def test_what_a_trigger_launches_comes_when_there_is_room(tmp_path):
    clock = Clock()
    async with Kernel(tmp_path, discover=False) as kernel:
        async with opened(tmp_path, clock, kernel.engine) as admin:
            await admin.register(Registration("maps", "production", (workflow(flows.twice, "flows.twice"),), "v1"))
            plan = launchplan(flows.twice, "fired", trigger=OnSuccess(SOURCE, inputs={"n": "o0"}))
            await admin.register(Registration("eta", "production", (plan,), "v1"))
            await admin.activate("eta/production/fired@v1")
            await admin.places.create_setting(Setting("launches_per_minute", 1, "eta"))
            for name in ("one", "two"):
                await admin.launch(Launch(f"{SOURCE}@v1", {"n": 1}, name))
                await kernel.engine.wait(name)
            await fired(admin, 1)
            due = "SELECT state, at FROM due WHERE plan = 'eta/production/fired'"
            while (
                not (rows := await admin.do(lambda store: store.db.execute(due).fetchall())) or rows[0][1] < clock() + 5
            ):
                await pause()
            assert [state for state, _ in rows] == ["waiting"]
            with pytest.raises(LimitReached):
                await admin.launch(Launch("eta/production/fired@v1", {"n": 1}))
        clock.later_s = 61.0
        async with opened(tmp_path, clock, kernel.engine) as admin:  # it is in the file
            causes = {each.cause for each in await fired(admin, 2)}
            assert causes == {"one", "two"}


async def test_a_clock_that_is_set_back_keeps_nobody_out(tmp_path):
    clock = Clock()
    clock.later_s = 3600.0
    async with Kernel(tmp_path, discover=False) as kernel, opened(tmp_path, clock, kernel.engine) as admin:
        await admin.register(Registration("maps", "production", (workflow(flows.twice, "flows.twice"),), "v1"))
        await admin.places.create_setting(Setting("launches_per_minute", 1))
        await admin.launch(Launch(f"{SOURCE}@v1", {"n": 1}))
        clock.later_s = 0.0
        await admin.launch(Launch(f"{SOURCE}@v1", {"n": 1}))
        with pytest.raises(LimitReached):
            await admin.launch(Launch(f"{SOURCE}@v1", {"n": 1}))


async def test_a_default_pool_is_one_that_the_engine_has(tmp_path):
    async with (
        Kernel(tmp_path, discover=False, settings={"pools": {"limits": {"gpu": 1}}}) as kernel,
        opened(tmp_path, time.time, kernel.engine) as admin,
    ):
        await admin.register(Registration("maps", "production", (workflow(flows.twice, "flows.twice"),), "v1"))
        await admin.places.create_setting(Setting("pool", "gpu", "maps"))
        id = (await admin.launch(Launch(f"{SOURCE}@v1", {"n": 1}))).id
        labels = (await kernel.engine.describe(id)).labels
        assert json.loads(labels[POOL_LABEL])["pool"]["name"] == "gpu"
        assert json.loads(labels[SETTINGS_LABEL]) == {"pool": ["gpu", "maps/*"]}
        assert await kernel.engine.wait(id) == "SUCCEEDED"
        await admin.places.create_setting(Setting("pool", "other", "maps"))
        again = LaunchRequest(
            closure_of(flows.twice), {"n": Inline(1)}, "again", labels={**_kept(labels), "project": "maps"}
        )
        placed = await admin.places.placed(again)
        assert placed.pool is None, "it is launched again as it was"
        assert placed.labels[POOL_LABEL] == labels[POOL_LABEL]


def _kept(labels):
    return {name: value for name, value in labels.items() if not name.startswith("wingbeat/") or name == POOL_LABEL}


async def test_where_nothing_is_set_nothing_is_told(tmp_path):
    async with Kernel(tmp_path, discover=False) as kernel, opened(tmp_path, time.time, kernel.engine) as admin:
        plan = launchplan(flows.twice, "plan", priority=7)
        await admin.register(Registration("maps", "production", (plan,), "v1"))
        labels = (
            await kernel.engine.describe((await admin.launch(Launch("maps/production/plan@v1", {"n": 1}))).id)
        ).labels
        assert SETTINGS_LABEL not in labels
        await admin.places.create_setting(Setting("cpu", 4.0))
        labels = (
            await kernel.engine.describe((await admin.launch(Launch("maps/production/plan@v1", {"n": 1}))).id)
        ).labels
        assert json.loads(labels[SETTINGS_LABEL]) == {"cpu": [4.0, "*/*"], "priority": [7, "maps/production/plan@v1"]}


async def test_a_launch_that_was_made_under_another_default_policy_was_made(tmp_path):
    """A crash behind the launch, and a default that is another one when it is launched again: it is there, and not refused."""
    async with Kernel(tmp_path, discover=False) as kernel, opened(tmp_path, time.time, kernel.engine) as admin:
        plan = launchplan(flows.twice, "fired", trigger=OnSuccess(SOURCE), inputs={"n": 1})
        await admin.register(Registration("maps", "production", (workflow(flows.twice, "flows.twice"),), "v1"))
        await admin.register(Registration("eta", "production", (plan,), "v1"))
        await admin.activate("eta/production/fired@v1")
        await admin.launch(Launch(f"{SOURCE}@v1", {"n": 1}, "one"))
        (there,) = await fired(admin, 1)
        await admin.places.create_setting(Setting("failure_policy", "FAIL_AFTER_EXECUTABLE_NODES_COMPLETE"))
        row = (there.id, there.entity, "eta/production/fired", "one", time.time(), 0)
        insert = "INSERT INTO due (execution, entity, plan, cause, at, serial) VALUES (?, ?, ?, ?, ?, ?)"
        await admin.do(lambda store: store.db.execute(insert, row).rowcount)
        admin._look()
        while states := await admin.do(lambda store: store.db.execute("SELECT state FROM due").fetchall()):
            assert states == [("waiting",)]
            await pause()


def test_who_launches_again_over_http_keeps_the_pool():
    caller = Caller("apikey:ci", (Grant("apikey:ci", Role.DEVELOPER),))
    request = LaunchRequest(closure_of(flows.twice), {"n": Inline(1)}, labels={POOL_LABEL: '{"priority":1}'})
    assert stamped(request, caller).labels[POOL_LABEL] == '{"priority":1}'
    kept = msgspec.structs.replace(request, labels={RETENTION_LABEL: "400"})  # as a launch plan asks for it
    assert stamped(kept, caller).labels[RETENTION_LABEL] == "400"
    with pytest.raises(InputError, match="ours"):
        stamped(msgspec.structs.replace(request, labels={SETTINGS_LABEL: "{}"}), caller)


async def test_code_that_is_not_registered_has_the_quota_of_its_place(server):
    key = await server.key("dev", ("developer", *OWN), ("developer", "eta", "production"))
    for name, value in (("executions", 1), ("launches_per_minute", 2), ("priority", 3)):
        setting = {"name": name, "value": value, "project": "maps"}
        assert (await server.call(server.owner, "POST", "/settings", setting)).status_code == 200
    forged = {"name": "mine", "executions": 100}
    request = msgspec.to_builtins(server.code(OWN)) | {
        "closure": msgspec.to_builtins(closure_of(flows.gated)),
        "quota": forged,
    }
    phases = []
    for name in ("a", "b"):
        answer = await server.call(key, "POST", "/engine/launches", {**request, "name": name})
        assert answer.status_code == 200, answer.text
        found = (await server.call(key, "GET", f"/executions/{name}")).json()
        phases.append(found["phase"])
        assert json.loads(found["labels"][SETTINGS_LABEL]) == {"executions": [1, "maps/*"], "priority": [3, "maps/*"]}
    assert phases == ["RUNNING", "QUEUED"]
    refused = await server.call(key, "POST", "/engine/launches", {**request, "name": "c"})
    assert (refused.status_code, refused.json()["code"]) == (429, "LimitReached")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    elsewhere = await server.call(key, "POST", "/engine/launches", server.code(("eta", "production")))
    assert elsewhere.status_code == 200, elsewhere.text


async def test_more_versions_than_may_be_is_nothing_to_try_again(server):
    setting = {"name": "versions", "value": 4, "project": "maps", "domain": "production"}
    assert (await server.call(server.owner, "POST", "/settings", setting)).status_code == 200
    given = Registration(*OWN, server.definitions(), "v2")
    refused = await server.call(server.owner, "POST", "/registrations", given)
    assert (refused.status_code, refused.json()["code"], "retry-after" in refused.headers) == (409, "NoRoom", False)
