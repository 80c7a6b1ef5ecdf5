"""What every admin must do that runs executions again: see `wingbeat.testing.conformance.admin` for how a class is derived."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wingbeat.author.artifact import Newest
from wingbeat.base.errors import ConflictError, InputError, NotFound
from wingbeat.contracts.admin import ENTITY_LABEL, Admin, Launch
from wingbeat.contracts.artifacts import Artifacts
from wingbeat.contracts.engine import Engine, ReuseDecision
from wingbeat.contracts.relaunch import Relaunch, Relaunching
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import AdminStage, launchplan, workflow
from wingbeat.testing.home import TemporaryHome

TWICE, GATED = "eta/production/twice", "eta/production/gated@v1"


class RelaunchContract(AdminStage):
    """The contract of `wingbeat.contracts.relaunch.Relaunching` as tests."""

    @contextlib.asynccontextmanager
    async def repeating(self, home: TemporaryHome) -> AsyncIterator[tuple[Admin, Relaunching, Engine]]:
        """An admin that runs executions again, with two versions of a workflow; the second one is another."""
        async with self.both(home) as (admin, engine):
            assert isinstance(admin, Relaunching), f"{type(admin).__name__} runs nothing again by its id"
            await self.put(admin, workflow(flows.twice, "twice"), workflow(flows.gated, "gated"))
            await self.put(admin, workflow(flows.at_once, "twice"), version="v2")
            yield admin, admin, engine

    async def test_what_has_run_is_run_again(self, home: TemporaryHome) -> None:
        """`relaunch`: the same version, on the same inputs, with its labels; the same name starts nothing new."""
        async with self.repeating(home) as (admin, again, engine):
            await admin.launch(Launch(f"{TWICE}@v1", {"n": 1}, "first", {"team": "roads"}))
            reply = await again.relaunch(Relaunch("first", name="second"))
            assert (reply.id, reply.created) == ("second", True)
            assert await engine.wait("second") is ExecutionPhase.SUCCEEDED
            view = await engine.describe("second")
            assert (view.outputs, view.labels[ENTITY_LABEL]) == ({"o0": Inline(3)}, f"{TWICE}@v1")
            assert [view.labels[name] for name in ("team", "project", "domain")] == ["roads", "eta", "production"]
            assert not (await again.relaunch(Relaunch("first", name="second"))).created
            assert (await again.relaunch(Relaunch("first"))).id not in ("first", "second")

    async def test_another_version_is_run_in_its_place(self, home: TemporaryHome) -> None:
        """`relaunch`: the new execution is of that version, and has what that gives: labels, what is fixed."""
        plan = launchplan(flows.twice, "plan", fixed={"n": 5}, labels={"team": "plans"})
        async with self.repeating(home) as (admin, again, engine):
            await self.put(admin, plan)
            await admin.launch(Launch(f"{TWICE}@v1", {"n": 1}, "first", {"team": "roads", "of": "me"}))
            for entity, name, id, team, output in (
                (f"{TWICE}@v2", "second", f"{TWICE}@v2", "roads", 3),
                (TWICE, "newest", f"{TWICE}@v2", "roads", 3),
                ("eta/production/plan@v1", "planned", "eta/production/plan@v1", "plans", 7),
            ):
                await again.relaunch(Relaunch("first", entity, name))
                assert await engine.wait(name) is ExecutionPhase.SUCCEEDED
                view = await engine.describe(name)
                assert view.outputs == {"o0": Inline(output)}, name
                assert [view.labels[label] for label in (ENTITY_LABEL, "team", "of")] == [id, team, "me"]

    async def test_what_does_not_fit_is_refused(self, home: TemporaryHome) -> None:
        """Raises `NotFound` and `InputError`, and launches nothing."""
        async with self.repeating(home) as (admin, again, engine):
            await self.put(admin, workflow(flows.shout, "shout"), workflow(flows.told, "told"))
            await admin.launch(Launch("eta/production/shout@v1", {"text": "n"}, "first"))
            for relaunch in (
                Relaunch("nothing", name="new"),
                Relaunch("nothing", f"{TWICE}@v1", "new"),
                Relaunch("first", f"{TWICE}@v9", "new"),
                Relaunch("first", "eta/production/nothing", "new"),
            ):
                with pytest.raises(NotFound):
                    await again.relaunch(relaunch)
            with pytest.raises(InputError, match="'n'"):
                await again.relaunch(Relaunch("first", "eta/production/told@v1", "new"))
            with pytest.raises(InputError):
                await again.relaunch(Relaunch("first", "twice", "new"))
            with pytest.raises(InputError):
                await again.relaunch(Relaunch("first", name="new", resume=True))
            with pytest.raises(NotFound):
                await engine.describe("new")

    async def test_what_succeeded_is_kept(self, home: TemporaryHome) -> None:
        """`relaunch` that recovers, and `recovery`, which says before what is kept: in the same version and in another."""
        least = Path(home.path, "least")
        async with self.repeating(home) as (admin, again, engine):
            for version in ("v1", "v2"):
                await self.put(admin, workflow(flows.fails, "fails"), version=version)
            fails = "eta/production/fails"
            await admin.launch(Launch(f"{fails}@v1", {"n": 1, "least": str(least)}, "first"))
            assert await engine.wait("first") is ExecutionPhase.FAILED
            least.write_text("0")
            for entity, name in (("", "same"), (f"{fails}@v2", "other")):
                plan = await again.recovery(Relaunch("first", entity))
                assert [node.decision for node in plan.nodes] == [ReuseDecision.REUSED, ReuseDecision.RUNS]
                reply = await again.relaunch(Relaunch("first", entity, name, recover=True))
                assert (reply.id, reply.recovered) == (name, 1)
                assert await engine.wait(name) is ExecutionPhase.SUCCEEDED
                assert (await engine.describe(name)).labels[ENTITY_LABEL] == (entity or f"{fails}@v1")
                assert not (await again.relaunch(Relaunch("first", entity, name, recover=True))).created
            with pytest.raises(NotFound):
                await again.recovery(Relaunch("first", f"{fails}@v9"))

    async def test_what_is_under_way_is_not_recovered_but_resumed(self, home: TemporaryHome) -> None:
        """`ConflictError` for what runs; a recovery that has not ended is gone on with, and none of another execution."""
        async with self.repeating(home) as (admin, again, engine):
            for name in ("first", "other"):
                await admin.launch(Launch(GATED, {"n": 1}, name))
            with pytest.raises(ConflictError):
                await again.relaunch(Relaunch("first", recover=True))
            for name in ("first", "other"):
                await engine.abort(name, "for a test")
            begun = await again.relaunch(Relaunch("first", recover=True, resume=True))
            found = await again.relaunch(Relaunch("first", recover=True, resume=True))
            assert (begun.created, found.created, found.id) == (True, False, begun.id)
            assert (await again.relaunch(Relaunch("other", recover=True, resume=True))).id != begun.id
            assert (await again.relaunch(Relaunch("first", recover=True))).id != begun.id

    async def test_it_publishes_and_takes_what_a_launch_does(self, home: TemporaryHome) -> None:
        """Artifacts of the version are published; what the other one took of them is told of the new one, too."""
        async with self.repeating(home) as (admin, again, engine):
            if not isinstance(admin, Artifacts):
                pytest.skip("it keeps no artifacts")
            numbers = "maps/production/numbers"
            plan = launchplan(flows.twice, "plan", inputs={"n": Newest(numbers)})
            await self.put(admin, workflow(flows.numbered, "numbered"), project="maps")
            await self.put(admin, plan)
            await admin.launch(Launch("maps/production/numbered@v1", {"n": 4, "city": "sf"}, "one"))
            await again.relaunch(Relaunch("one", "maps/production/numbered@v1", "two"))
            async with asyncio.timeout(self.patience_s * 2 / 3):
                for name in ("one", "two"):
                    while True:
                        with contextlib.suppress(NotFound):
                            await admin.artifact(f"{numbers}@{name}")
                            break
                        await asyncio.sleep(0.02)
            await admin.launch(Launch("eta/production/plan@v1", {}, "takes"))
            for entity, name in (("", "same"), ("eta/production/plan@v1", "version")):
                await again.relaunch(Relaunch("takes", entity, name))
                await engine.wait(name)
                await self.history(admin, lambda found, name=name: any(each.id == name for each in found))
                assert (await admin.lineage(name)).sources[0].kind == "taken by"
