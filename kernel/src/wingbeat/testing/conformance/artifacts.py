"""What every admin that keeps artifacts must do: see `wingbeat.testing.conformance.admin` for how a test class is derived."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from wingbeat.author.artifact import Inputs, Newest
from wingbeat.author.trigger import OnArtifact, OnSuccess, OnVersion
from wingbeat.base.errors import ConflictError, InputError, NotFound
from wingbeat.contracts.admin import Admin, ExecutionEntry, Launch
from wingbeat.contracts.artifacts import ArtifactEntry, ArtifactQuery, Artifacts, Tie
from wingbeat.contracts.engine import Engine
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import AdminStage, launchplan, workflow
from wingbeat.testing.home import TemporaryHome

NUMBERS = "maps/production/numbers"
NAMED = "maps/production/signs"


class ArtifactsContract(AdminStage):
    """The contract of `wingbeat.contracts.artifacts.Artifacts` as tests."""

    @contextlib.asynccontextmanager
    async def keeping(self, home: TemporaryHome) -> AsyncIterator[tuple[Admin, Artifacts, Engine]]:
        """An admin that keeps artifacts, with a workflow that publishes them."""
        async with self.both(home) as (admin, engine):
            assert isinstance(admin, Artifacts), f"{type(admin).__name__} keeps no artifacts"
            await self.put(admin, workflow(flows.numbered, "flows.numbered"), project="maps")
            yield admin, admin, engine

    async def made(self, admin: Admin, artifacts: Artifacts, name: str, n: int = 1, city: str = "sf") -> ArtifactEntry:
        """An artifact, of an execution of that name."""
        await admin.launch(Launch("maps/production/flows.numbered", {"n": n, "city": city}, name))
        async with asyncio.timeout(self.patience_s * 2 / 3):
            while True:
                with contextlib.suppress(NotFound):
                    return await artifacts.artifact(f"{NUMBERS}@{name}")
                await asyncio.sleep(0.02)

    async def one(self, admin: Admin, entity: str, count: int = 1) -> list[ExecutionEntry]:
        """The executions of something, when so many have ended."""
        return await self.history(
            admin, lambda found: len(found) >= count and all(each.phase.terminal for each in found), entity=entity
        )

    # Publishing

    async def test_an_execution_that_succeeds_publishes(self, home: TemporaryHome) -> None:
        """`artifact`, `artifacts`: each version, with its keys and where it is; also after a restart."""
        async with self.keeping(home) as (admin, artifacts, _):
            first = await self.made(admin, artifacts, "first")
            assert (first.id, first.execution, first.output) == (f"{NUMBERS}@first", "first", "o0")
            assert (first.entity, first.partitions) == ("maps/production/flows.numbered@v1", {"city": "sf", "n": "1"})
            await self.made(admin, artifacts, "second", 2, "la")
            assert (await artifacts.artifact(NUMBERS)).execution == "second"
            assert (await artifacts.artifact(NUMBERS, {"city": "sf"})) == first
        async with self.keeping(home) as (_, artifacts, _engine):
            assert [each.execution for each in (await artifacts.artifacts(ArtifactQuery())).items] == [
                "second",
                "first",
            ]

    async def test_what_fails_publishes_nothing(self, home: TemporaryHome) -> None:
        """Nor does what is not registered, or what calls a workflow that publishes."""
        async with self.keeping(home) as (admin, artifacts, engine):
            await self.put(admin, workflow(flows.outer, "flows.outer"), project="maps")
            await admin.launch(Launch("maps/production/flows.numbered", {"n": -1, "city": "sf"}, "fails"))
            await admin.launch(Launch("maps/production/flows.outer", {"n": 1}, "calls"))
            await self.history(admin, lambda found: sum(each.phase.terminal for each in found) == 2)
            await self.made(admin, artifacts, "last")
            assert [each.execution for each in (await artifacts.artifacts(ArtifactQuery())).items] == ["last"]
            assert await engine.wait("fails") is ExecutionPhase.FAILED

    async def test_artifacts_are_listed_by_what_is_given(self, home: TemporaryHome) -> None:
        """`artifacts`: by project, name and keys, in pages."""
        async with self.keeping(home) as (admin, artifacts, _):
            for number, city in enumerate(("sf", "la", "sf")):
                await self.made(admin, artifacts, f"made-{number}", number, city)

            async def listed(**query: Any) -> list[str]:
                page = await artifacts.artifacts(ArtifactQuery(**query))
                return [each.execution for each in page.items]

            assert await listed(name="numbers") == ["made-2", "made-1", "made-0"]
            assert await listed(partitions={"city": "sf"}) == ["made-2", "made-0"]
            assert await listed(partitions={"city": "sf", "n": "0"}) == ["made-0"]
            for query in (
                {"project": "eta"},
                {"name": "number"},
                {"partitions": {"country": "us"}},
                {"partitions": {"city": "s"}},
            ):
                assert await listed(**query) == []
            page = await artifacts.artifacts(ArtifactQuery(limit=2))
            rest = await artifacts.artifacts(ArtifactQuery(limit=2, after=page.following))
            assert [len(page.items), len(rest.items), rest.following] == [2, 1, ""]
            for wrong in (f"{NUMBERS}@other", "maps/production/other"):
                with pytest.raises(NotFound):
                    await artifacts.artifact(wrong)
            with pytest.raises(NotFound):
                await artifacts.artifacts(ArtifactQuery(after=f"{NUMBERS}@other"))

    # Taking

    async def test_a_launch_plan_takes_the_newest(self, home: TemporaryHome) -> None:
        """`launch`: unless the input is given; refused while there is none."""
        newest = {"n": Newest(NUMBERS, partitions={"city": "sf"})}
        async with self.keeping(home) as (admin, artifacts, engine):
            await self.put(admin, launchplan(flows.twice, "plan", inputs=newest))
            with pytest.raises(InputError, match="numbers"):
                await admin.launch(Launch("eta/production/plan"))
            await self.made(admin, artifacts, "first", 20)
            await self.made(admin, artifacts, "other", 1000, "la")
            await admin.launch(Launch("eta/production/plan", {}, "taken"))
            await self.made(admin, artifacts, "second", 30)
            await admin.launch(Launch("eta/production/plan", {"n": 7}, "given"))
            for name, out in (("taken", 22), ("given", 9)):
                assert await engine.wait(name) is ExecutionPhase.SUCCEEDED
                assert (await engine.describe(name)).outputs == {"o0": Inline(out)}

    async def test_a_launch_plan_takes_the_newest_by_an_input(self, home: TemporaryHome) -> None:
        """`launch`: the key has the value that the input has, be it given, a default or fixed; refused without one."""
        by = {"n": Newest(NUMBERS, partitions={"city": Inputs.text})}
        async with self.keeping(home) as (admin, artifacts, engine):
            plans = [
                launchplan(flows.told, "given", inputs=by),
                launchplan(flows.told, "usual", inputs={**by, "text": "la"}),
                launchplan(flows.told, "fixed", inputs=by, fixed={"text": "la"}),
            ]
            await self.put(admin, *plans)
            await self.made(admin, artifacts, "first", 20)
            await self.made(admin, artifacts, "other", 1000, "la")
            for name, inputs, out in (
                ("given", {"text": "sf"}, "20 sf"), ("usual", {}, "1000 la"), ("usual", {"text": "sf"}, "20 sf"),
                ("fixed", {}, "1000 la"),
            ):  # fmt: skip
                id = (await admin.launch(Launch(f"eta/production/{name}", inputs))).id
                assert await engine.wait(id) is ExecutionPhase.SUCCEEDED
                assert (await engine.describe(id)).outputs == {"o0": Inline(out)}
            for wrong in ({}, {"text": "ny"}):
                with pytest.raises(InputError, match="numbers"):
                    await admin.launch(Launch("eta/production/given", wrong))

    async def test_the_same_content_again_starts_nobody_who_waits_for_a_change(self, home: TemporaryHome) -> None:
        """`OnArtifact` with `only_changed`: by the version before that has the same keys."""
        async with self.keeping(home) as (admin, artifacts, _):
            for name, more in (("each", False), ("changed", True)):
                trigger = OnArtifact(NAMED, input="text", only_changed=more)
                await self.put(admin, launchplan(flows.shout, name, trigger=trigger), version=name)
                await admin.activate(f"eta/production/{name}@{name}")
            await self.put(admin, workflow(flows.named, "flows.named"), project="maps")
            made = (("sf", 1), ("sf", 2), ("la", 1), ("sf", -1), ("la", 3), ("sf", -2))  # what comes out: over 0 or not
            for number, (city, n) in enumerate(made):
                id = f"named-{number}"
                await admin.launch(Launch("maps/production/flows.named", {"n": n, "city": city}, id))
                async with asyncio.timeout(self.patience_s * 2 / 3):
                    while not (await artifacts.artifacts(ArtifactQuery(name="signs", limit=1))).items or (
                        (await artifacts.artifact(NAMED)).execution != id
                    ):
                        await asyncio.sleep(0.02)
            assert len(await self.one(admin, "eta/production/each", 6)) == 6
            causes = {each.cause for each in await self.one(admin, "eta/production/changed", 3)}
            assert causes == {f"{NAMED}@named-{number}" for number in (0, 2, 3)}
            digests = [(await artifacts.artifact(f"{NAMED}@named-{number}")).digest for number in range(6)]
            assert len(set(digests)) == 2
            assert digests[0] == digests[4]

    async def test_a_new_artifact_starts_what_waits_for_it(self, home: TemporaryHome) -> None:
        """`activate` with `OnArtifact`: once for each that fits, with its value and its keys."""
        trigger = OnArtifact(NUMBERS, partitions={"city": "sf"}, input="n", keys={"city": "text"})
        async with self.keeping(home) as (admin, artifacts, engine):
            await self.put(admin, launchplan(flows.told, "plan", trigger=trigger))
            await self.made(admin, artifacts, "before")
            await admin.activate("eta/production/plan@v1")
            await self.made(admin, artifacts, "other", 1, "la")
            await self.made(admin, artifacts, "fits", 2)
            (found,) = await self.one(admin, "eta/production/plan")
            assert found.cause == f"{NUMBERS}@fits"
            assert (await engine.describe(found.id)).outputs == {"o0": Inline("2 sf")}
        async with self.keeping(home) as (admin, artifacts, _):
            await self.made(admin, artifacts, "later", 3)
            assert len(await self.one(admin, "eta/production/plan", 2)) == 2

    async def test_what_does_not_fit_is_not_launched(self, home: TemporaryHome) -> None:
        """A trigger whose input takes another type, or a key that there is not, launches nothing, or cannot be registered or
        activated where that is known already; others go on."""
        async with self.keeping(home) as (admin, artifacts, _):
            plans = {
                "wrong-type": launchplan(flows.shout, "wrong-type", trigger=OnArtifact(NUMBERS, input="text")),
                "wrong-key": launchplan(flows.shout, "wrong-key", trigger=OnArtifact(NUMBERS, keys={"zip": "text"})),
                "right": launchplan(flows.shout, "right", trigger=OnArtifact(NUMBERS, keys={"city": "text"})),
            }
            for name, plan in plans.items():
                with contextlib.suppress(*(() if name == "right" else (InputError, NotFound))):
                    with contextlib.suppress(*(() if name == "right" else (InputError,))):
                        await self.put(admin, plan)
                    await admin.activate(f"eta/production/{name}@v1")
            await self.made(admin, artifacts, "made")
            await self.one(admin, "eta/production/right")
            for name in ("wrong-type", "wrong-key"):
                assert not await self.history(admin, lambda _: True, entity=f"eta/production/{name}")

    # Versions

    async def test_a_new_version_starts_what_waits_for_it(self, home: TemporaryHome) -> None:
        """`register` and `activate`: with the version as an input, once for each."""
        async with self.keeping(home) as (admin, _, engine):
            registered = OnVersion("maps/production/flows.twice", input="text")
            activated = OnVersion("maps/production/daily", event="activated", input="text")
            await self.put(
                admin,
                launchplan(flows.shout, "on-registered", trigger=registered),
                launchplan(flows.shout, "on-activated", trigger=activated),
            )
            for name in ("on-registered", "on-activated"):
                await admin.activate(f"eta/production/{name}@v1")
            for version in ("v1", "v1", "v2"):
                definitions = (workflow(flows.twice, "flows.twice"), launchplan(flows.twice, "daily"))
                with contextlib.suppress(ConflictError):
                    await self.put(admin, *definitions, project="maps", version=version)
            for version in ("v1", "v1", "v2"):
                await admin.activate(f"maps/production/daily@{version}")
            for name, of in (("on-registered", "flows.twice"), ("on-activated", "daily")):
                found = await self.one(admin, f"eta/production/{name}", 2)
                said = [(await engine.describe(each.id)).outputs for each in found]
                wanted = [f"MAPS/PRODUCTION/{of.upper()}@{version}!" for version in ("V1", "V2")]
                assert sorted(str(each) for each in said) == sorted(str({"o0": Inline(text)}) for text in wanted)

    # Lineage

    async def test_lineage_goes_both_ways(self, home: TemporaryHome) -> None:
        """`lineage`: of an artifact and of an execution; what it comes from, and what came of it."""
        async with self.keeping(home) as (admin, artifacts, _):
            await self.put(
                admin,
                launchplan(flows.twice, "on-artifact", trigger=OnArtifact(NUMBERS, input="n")),
                launchplan(flows.twice, "after", trigger=OnSuccess("eta/production/on-artifact", inputs={"n": "o0"})),
            )
            for name in ("on-artifact", "after"):
                await admin.activate(f"eta/production/{name}@v1")
            await self.made(admin, artifacts, "made")
            (first,) = await self.one(admin, "eta/production/on-artifact")
            (second,) = await self.one(admin, "eta/production/after")
            made, taken = Tie("made", "published", f"{NUMBERS}@made"), Tie(f"{NUMBERS}@made", "taken by", first.id)
            fired = Tie(first.id, "fired", second.id)
            found = await artifacts.lineage(NUMBERS)
            assert (found.id, found.sources, found.effects, found.whole) == (
                f"{NUMBERS}@made",
                [made],
                [taken, fired],
                True,
            )
            assert (await artifacts.lineage(second.id)).sources == [fired, taken, made]
            assert (await artifacts.lineage("made")).effects == [made, taken, fired]
            for wrong in ("other", f"{NUMBERS}@other"):
                with pytest.raises(NotFound):
                    await artifacts.lineage(wrong)
