"""What every admin must do about its history: it is found by what happened, or the admin says that it does not look for that."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest

from wingbeat.author.schedule import Cron
from wingbeat.base.errors import InputError, NotFound
from wingbeat.contracts.admin import Admin, EntityQuery, ExecutionEntry, ExecutionQuery, Launch
from wingbeat.contracts.engine import Engine
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import AdminStage, launchplan, workflow
from wingbeat.testing.home import TemporaryHome


class SearchContract(AdminStage):
    """Searching the history, as tests.

    Attributes:
        searches: Whether the history is found by workflow, labels, times and values, what is registered by who did it, and both
            are sorted. An admin that does not refuses to, by `InputError`. None: either is good.
    """

    searches: ClassVar[bool | None] = True

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"values": ("inputs.n=1",)}, ["one"]),
            ({"values": ("inputs.n=1.0",)}, ["one"]),
            ({"values": ("inputs.n>=2",)}, ["ten", "two"]),
            ({"values": ("outputs.o0<4",)}, ["one"]),
            ({"values": ("inputs.n!=2", "outputs.o0>3")}, ["ten"]),
            ({"values": ("inputs.city=sf",)}, []),
            ({"values": ("inputs.text=a b",)}, ["text"]),
            ({"values": ("inputs.text>a",)}, ["text"]),
            ({"values": ("outputs.o0=A B!",)}, ["text"]),
            ({"labels": {"team": "maps"}}, ["two", "one"]),
            ({"labels": {"team": "maps", "kind": "trial"}}, ["two"]),
            ({"labels": {"team": "map"}}, []),
            ({"workflow": "wingbeat.testing.conformance.engine_flows.shout"}, ["text"]),
            ({"since": 0.0, "until": 1.0}, []),
            ({"since": 1.0, "limit": 1}, ["text"]),
            ({"sort": "created_at"}, ["one", "two", "ten", "text"]),
            ({"sort": "created_at", "after": "two"}, ["ten", "text"]),
            ({"sort": "-ended_at"}, ["text", "ten", "two", "one"]),
            ({"sort": "ended_at", "after": "one", "limit": 2}, ["two", "ten"]),
        ],
        ids=str,
    )
    async def test_the_history_is_searched(self, home: TemporaryHome, query: dict[str, Any], found: list[str]) -> None:
        """`executions`: by values, labels, workflow and times, and in other orders; or refused."""
        async with self.both(home) as (admin, engine):
            await self.put(admin, workflow(flows.twice, "flows.twice"), workflow(flows.shout, "flows.shout"))
            first_page = {
                key: value for key, value in query.items() if key != "after"
            }  # nobody is there yet, to begin behind
            if not self.searches and await self.refuses(admin, ExecutionQuery(**first_page)):
                return
            await self.four(admin, engine)
            assert [each.id for each in (await admin.executions(ExecutionQuery(**query))).items] == found

    async def four(self, admin: Admin, engine: Engine) -> None:
        """Have four executions in the history that have ended, with their values."""
        for name, n, labels in (
            ("one", 1, {"team": "maps"}),
            ("two", 2, {"team": "maps", "kind": "trial"}),
            ("ten", 10, {}),
        ):
            await admin.launch(Launch("eta/production/flows.twice", {"n": n}, name, labels))
            await engine.wait(name)
        await admin.launch(Launch("eta/production/flows.shout", {"text": "a b"}, "text"))
        await engine.wait("text")
        await self.history(admin, lambda each: sum(one.phase.terminal for one in each) == 4)
        async with asyncio.timeout(self.patience_s * 2 / 3):  # values are looked at a moment later
            while not (await admin.executions(ExecutionQuery(values=("outputs.o0=A B!",)))).items:
                await asyncio.sleep(0.02)

    async def test_the_history_is_sorted(self, home: TemporaryHome) -> None:
        """`executions`: by all that it may be sorted by, both ways, in pages that have each once; what is equal goes by launch, and
        what has nothing to be sorted by is left out. Another sort is refused, and so is the next page of another one."""
        async with self.both(home) as (admin, engine):
            if not self.searches and await self.refuses(admin, ExecutionQuery(sort="name")):
                return
            await self.put(admin, workflow(flows.twice, "flows.twice"), workflow(flows.shout, "flows.shout"))
            await self.four(admin, engine)
            for sort, expected in (
                ("created_at", ["one", "two", "ten", "text"]),
                ("ended_at", ["one", "two", "ten", "text"]),
                ("name", ["text", "one", "two", "ten"]),
                ("version", ["one", "two", "ten", "text"]),
                ("workflow", ["text", "one", "two", "ten"]),
                ("phase", ["one", "two", "ten", "text"]),
                ("inputs.n", ["one", "two", "ten"]),
                ("inputs.text", ["text"]),
                ("inputs.city", []),
                ("outputs.o0", ["one", "two", "ten", "text"]),  # 3, 4, 12 and a text
                ("labels.team", ["one", "two"]),
            ):
                assert await self.sorted(admin, sort) == expected, sort
                assert await self.sorted(admin, f"-{sort}") == expected[::-1], sort
            by_duration = [each for _, each in sorted((await self.durations(admin)).items())]
            assert await self.sorted(admin, "duration") == by_duration
            assert await self.sorted(admin, "-name", entity="eta/production/flows.twice") == ["ten", "two", "one"]
            assert await self.sorted(admin, "inputs.n", values=("inputs.n>1",)) == ["two", "ten"]
            first = await admin.executions(ExecutionQuery(sort="name", limit=1))
            for query, error in (
                (ExecutionQuery(sort="-name", after=first.following), InputError),
                (ExecutionQuery(sort="inputs.n", after="text"), NotFound),
                (ExecutionQuery(sort="name", after="nothing"), NotFound),
            ):
                with pytest.raises(error):
                    await admin.executions(query)
            for wrong in ("team", "-", "--name", "name,phase", "inputs.", "inputs.a b", "nodes.n", "inputs", "Name"):
                with pytest.raises(InputError):
                    await admin.executions(ExecutionQuery(sort=wrong))

    async def sorted(self, admin: Admin, sort: str, **more: Any) -> list[str]:
        """All of a list, in pages of two."""
        found: list[ExecutionEntry] = []
        after = ""
        while True:
            page = await admin.executions(ExecutionQuery(sort=sort, after=after, limit=2, **more))
            found += page.items
            after = page.following
            if not after:
                return [each.id for each in found]

    async def durations(self, admin: Admin) -> dict[tuple[float, float], str]:
        """Executions that have ended, by how long they took, and when they began."""
        found = (await admin.executions(ExecutionQuery())).items
        return {(e.ended_at - e.created_at, e.created_at): e.id for e in found if e.ended_at is not None}

    async def test_pages_go_on_where_they_were(self, home: TemporaryHome) -> None:
        """`ExecutionPage.following`: what stays as it is comes once, though what the last page ended with has changed since."""
        async with self.both(home) as (admin, engine):
            if not self.searches and await self.refuses(admin, ExecutionQuery(sort="phase")):
                return
            await self.put(admin, workflow(flows.gated, "flows.gated"))
            for name in ("one", "two", "three"):
                await admin.launch(Launch("eta/production/flows.gated", {"n": 1}, name))
            await self.history(
                admin, lambda found: [each.phase for each in found] == [ExecutionPhase.RUNNING] * 3
            )  # fmt: skip
            page = await admin.executions(ExecutionQuery(sort="phase", limit=1))
            assert [each.id for each in page.items] == ["one"]
            await engine.abort("one", "its phase is another one then")
            await self.history(admin, lambda found: found[-1].phase is ExecutionPhase.ABORTED)
            page = await admin.executions(ExecutionQuery(sort="phase", after=page.following))
            assert [each.id for each in page.items] == ["two", "three"]

    async def test_what_is_registered_is_sorted_and_selected(self, home: TemporaryHome) -> None:
        """`entities`: by version and who has registered it; by name and version, both ways, in pages; another sort is refused."""
        async with self.both(home) as (admin, _):
            for version in ("v10", "v9", "v11"):
                await self.put(admin, workflow(flows.twice, "flows.twice"), version=version)
            await self.put(admin, workflow(flows.gated, "flows.gated"), version="v9")
            found = (await admin.entities(EntityQuery(version="v9"))).items
            assert [each.id.rpartition("/")[2] for each in found] == ["flows.gated@v9", "flows.twice@v9"]
            assert (await admin.entities(EntityQuery(version="v"))).items == []
            if not self.searches and await self.refuses(admin, EntityQuery(sort="name")):
                return
            assert len((await admin.entities(EntityQuery(by=found[0].by))).items) == 4
            assert (await admin.entities(EntityQuery(by="nobody@nowhere"))).items == []
            for sort, expected in (
                ("created_at", ["flows.twice@v10", "flows.twice@v9", "flows.twice@v11", "flows.gated@v9"]),
                ("name", ["flows.gated@v9", "flows.twice@v10", "flows.twice@v9", "flows.twice@v11"]),
                ("version", ["flows.twice@v9", "flows.gated@v9", "flows.twice@v10", "flows.twice@v11"]),
            ):
                for given, ids in ((sort, expected), (f"-{sort}", expected[::-1])):
                    seen: list[str] = []
                    page = await admin.entities(EntityQuery(sort=given, limit=3))
                    seen += [each.id for each in page.items]
                    page = await admin.entities(EntityQuery(sort=given, limit=3, after=page.following))
                    seen += [each.id for each in page.items]
                    assert ([each.rpartition("/")[2] for each in seen], page.following) == (ids, ""), given
            for wrong in ("phase", "--name", "inputs.n", "by"):
                with pytest.raises(InputError):
                    await admin.entities(EntityQuery(sort=wrong))

    async def test_schedules_are_listed(self, home: TemporaryHome) -> None:
        """`entities` that are `scheduled`: the active versions that have a schedule, when they are due, or why they are paused."""
        daily = {"inputs": {"n": 1}, "trigger": Cron("0 0 1 1 *")}
        async with self.both(home) as (admin, _):
            if not self.searches and await self.refuses(admin, EntityQuery(scheduled=True)):
                return
            await self.put(
                admin, launchplan(flows.twice, "daily", **daily), launchplan(flows.twice, "other", **daily),
                launchplan(flows.twice, "by-hand", inputs={"n": 1}), workflow(flows.twice, "flows.twice"),
            )  # fmt: skip
            await self.put(admin, launchplan(flows.twice, "daily", **daily), version="v2")
            assert (await admin.entities(EntityQuery(scheduled=True))).items == []
            for name in ("daily@v1", "other@v1", "by-hand@v1"):
                await admin.activate(f"eta/production/{name}")
            await admin.pause("eta/production/other", "for a while")
            found = (await admin.entities(EntityQuery(scheduled=True, sort="name"))).items
            assert [each.id for each in found] == ["eta/production/daily@v1", "eta/production/other@v1"]
            assert ([each.paused for each in found], found[1].next) == (["", "for a while"], None)
            assert found[0].next is not None
            assert (await admin.entities(EntityQuery(project="maps", scheduled=True))).items == []

    async def refuses(self, admin: Admin, query: ExecutionQuery | EntityQuery) -> bool:
        """Whether the admin does not look for that; it has to be what `searches` says."""
        try:
            if isinstance(query, EntityQuery):
                await admin.entities(query)
            else:
                await admin.executions(query)
        except InputError:
            return True
        assert self.searches is None, f"it answers {query}, which it is said not to"
        return False

    async def test_a_condition_that_is_none_is_refused(self, home: TemporaryHome) -> None:
        """`executions`: what cannot be asked by."""
        async with self.both(home) as (admin, _):
            for wrong in ("n=1", "inputs.n", "inputs.n~1", "inputs.=1", "nodes.n=1", "inputs.n>"):
                with pytest.raises(InputError):
                    await admin.executions(ExecutionQuery(values=(wrong,)))
