"""What every admin must do, wherever it is. Derive one test class and say how one is reached::

    class TestMyAdmin(AdminContract):
        @contextlib.asynccontextmanager
        async def opened(self, home: TemporaryHome, engine: Engine) -> AsyncIterator[Admin]:
            admin = MyAdmin(home.path, engine)
            await admin.start()
            try:
                yield admin
            finally:
                await admin.close()

Admins that are opened in one home, one after the other, are the same admin after a restart. The engine is a real one; what runs
are the workflows of `wingbeat.testing.conformance.engine_flows`. Another engine can be put under the admin, by `engine`: so the kit
tells whether an admin works over it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wingbeat.author.schedule import Cron, FixedRate
from wingbeat.author.trigger import OnEnd, OnSuccess
from wingbeat.base.errors import ConfigurationError, ConflictError, InputError, NotFound
from wingbeat.contracts.admin import (
    Admin,
    EntityQuery,
    ExecutionQuery,
    Kind,
    Launch,
    Registration,
)
from wingbeat.spec.codec import borrowing
from wingbeat.spec.definition import Definition
from wingbeat.spec.entities import Borrowed, FailurePolicy, TaskSpec
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.spec.triggers import CronSpec, ScheduleSpec
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_search import SearchContract
from wingbeat.testing.conformance.admin_stage import launchplan, workflow
from wingbeat.testing.conformance.kit import held
from wingbeat.testing.home import TemporaryHome

TWICE = "eta/production/flows.twice"
SOURCE = "maps/production/flows.twice"
PLAN = "eta/production/plan"


class AdminContract(SearchContract):
    """The contract of `wingbeat.contracts.admin.Admin` as tests."""

    # The inventory

    async def test_what_is_registered_is_found(self, home: TemporaryHome) -> None:
        """`register`, `entity`, `definition`: a version, whole, also after a restart."""
        definition = workflow(flows.twice, "flows.twice")
        async with self.both(home) as (admin, _):
            (registered,) = await admin.register(Registration("eta", "production", (definition,), "v1"))
            assert (registered.id, registered.kind, registered.created) == (f"{TWICE}@v1", Kind.WORKFLOW, True)
        async with self.both(home) as (admin, _):
            entity = await admin.entity(f"{TWICE}@v1")
            assert (entity.id, entity.kind, entity.digest) == (f"{TWICE}@v1", Kind.WORKFLOW, definition.digest)
            assert entity.interface == definition.interface
            assert entity.created_at > 0
            assert await admin.definition(f"{TWICE}@v1") == definition

    async def test_only_what_is_registered_can_be_borrowed(self, home: TemporaryHome) -> None:
        """`register`: of what others have registered, as it is there; anything else is refused, and nothing is registered."""
        own = workflow(flows.twice, "flows.twice")
        (task,) = [name for name, each in own.closure.entities.items() if isinstance(each, TaskSpec)]

        def borrower(of: str, bundle: str) -> Definition:
            closure = borrowing(own.closure, {task: Borrowed(of, bundle, own.closure.environment)})
            return Definition(Kind.WORKFLOW, "rides.ride", closure)

        async with self.both(home) as (admin, _):
            for of, bundle in ((f"{SOURCE}@v1", ""), ("nobody/production/flows.twice@v1", ""), ("no id", "")):
                with pytest.raises(InputError):
                    await self.put(admin, borrower(of, bundle))
            await self.put(admin, own, project="maps")
            for version, bundle in (("v2", own.closure.bundle), ("v1", "sha256:" + "0" * 64)):
                with pytest.raises(InputError):
                    await self.put(admin, borrower(f"{SOURCE}@{version}", bundle))
            assert not (await admin.entities(EntityQuery(project="eta"))).items
            (id,) = await self.put(admin, borrower(f"{SOURCE}@v1", own.closure.bundle))
            assert (await admin.definition(id)).closure.borrowed[task].of == f"{SOURCE}@v1"

    async def test_a_version_never_changes(self, home: TemporaryHome) -> None:
        """`register` again: the same content is there already; another one is refused, and says what differs."""
        async with self.both(home) as (admin, _):
            await self.put(admin, workflow(flows.twice, "flows.twice"))
            (again,) = await admin.register(
                Registration("eta", "production", (workflow(flows.twice, "flows.twice"),), "v1")
            )
            assert not again.created
            with pytest.raises(ConflictError) as refused:
                await self.put(admin, workflow(flows.gated, "flows.twice"))
            assert f"{TWICE}@v1" in str(refused.value)
            assert len(str(refused.value).splitlines()) > 1, "it does not say what differs"
            assert await admin.definition(f"{TWICE}@v1") == workflow(flows.twice, "flows.twice")
            await self.put(admin, workflow(flows.gated, "flows.twice"), version="v2")

    async def test_what_differs_of_a_launch_plan_is_told(self, home: TemporaryHome) -> None:
        """`register`: what a refusal tells of a launch plan is what has changed in it."""
        async with self.both(home) as (admin, _):
            await self.put(admin, launchplan(flows.twice, "plan", fixed={"n": 20}))
            with pytest.raises(ConflictError) as refused:
                await self.put(admin, launchplan(flows.twice, "plan", fixed={"n": 21}))
            assert "fixed.n: 20 → 21" in str(refused.value)

    async def test_all_are_registered_or_none(self, home: TemporaryHome) -> None:
        """`register`: one that is refused takes the others with it."""
        async with self.both(home) as (admin, _):
            await self.put(admin, workflow(flows.twice, "flows.twice"))
            with pytest.raises(ConflictError):
                await self.put(admin, workflow(flows.gated, "flows.gated"), workflow(flows.gated, "flows.twice"))
            with pytest.raises(NotFound):
                await admin.entity("eta/production/flows.gated")

    async def test_many_who_register_the_same_at_once(self, home: TemporaryHome) -> None:
        """`register`: one of them has made it; the others find it."""
        async with self.both(home) as (admin, _):
            registration = Registration("eta", "production", (workflow(flows.twice, "flows.twice"),), "v1")
            found = await asyncio.gather(*(admin.register(registration) for _ in range(10)))
            assert sum(one.created for (one,) in found) == 1

    async def test_without_a_version_there_is_one_of_the_content(self, home: TemporaryHome) -> None:
        """`register` without a version: the same content has the same one."""
        async with self.both(home) as (admin, _):
            first = await self.put(admin, workflow(flows.twice, "flows.twice"), version="")
            assert await self.put(admin, workflow(flows.twice, "flows.twice"), version="") == first
            assert await self.put(admin, workflow(flows.gated, "flows.twice"), version="") != first

    async def test_without_a_version_the_newest_is_found(self, home: TemporaryHome) -> None:
        """`entity`: the newest, of one name in one project."""
        async with self.both(home) as (admin, _):
            await self.put(admin, workflow(flows.twice, "flows.twice"), version="v9")
            await self.put(admin, workflow(flows.gated, "flows.twice"), version="v10")
            await self.put(admin, workflow(flows.twice, "flows.twice"), project="maps", version="v11")
            assert (await admin.entity(TWICE)).id == f"{TWICE}@v10"

    @pytest.mark.parametrize(
        "reference", [f"{TWICE}@v2", "eta/production/flows.other", "eta/development/flows.twice", "x/y/z@v1"]
    )
    async def test_what_is_not_there_is_not_found(self, home: TemporaryHome, reference: str) -> None:
        """Every call about a version raises `NotFound` for one that there is not."""
        async with self.both(home) as (admin, _):
            await self.put(admin, workflow(flows.twice, "flows.twice"))
            calls = (admin.entity(reference), admin.definition(reference), admin.launch(Launch(reference, {"n": 1})),
                     admin.activate(reference), admin.deactivate(reference))  # fmt: skip
            found = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(error).__name__ for error in found] == ["NotFound"] * len(calls)

    @pytest.mark.parametrize(
        ("project", "name", "version"),
        [("", "f", "v"), ("Eta", "f", "v"), ("..", "f", "v"), ("eta", "a/b", "v"), ("eta", "", "v"), ("eta", "f", "v 1"),
         ("eta", "f", "@"), ("eta", "f", "x" * 200), ("eta", "f\0", "v")],
    )  # fmt: skip
    async def test_names_that_are_none_are_refused(
        self, home: TemporaryHome, project: str, name: str, version: str
    ) -> None:
        """`register`: names become parts of URLs, paths and labels."""
        async with self.both(home) as (admin, _):
            with pytest.raises(InputError):
                await self.put(admin, workflow(flows.twice, name), project=project, version=version)
            assert (await admin.entities(EntityQuery())).items == []

    async def test_labels_that_are_ours_are_refused(self, home: TemporaryHome) -> None:
        """`register` and `launch`: else somebody says that another one has launched it, or that it is elsewhere."""
        plan = launchplan(flows.twice, "plan", labels={"team": "eta"})
        assert plan.plan is not None
        async with self.both(home) as (admin, engine):
            await self.put(admin, plan)
            for label in ("wingbeat/by", "wingbeat/cause", "wingbeat/entity", "project", "domain", ""):
                forged = msgspec.structs.replace(plan, plan=msgspec.structs.replace(plan.plan, labels={label: "x"}))
                with pytest.raises(InputError, match=label or "name"):
                    await self.put(admin, forged, version="v2")
                with pytest.raises(InputError, match=label or "name"):
                    await admin.launch(Launch(PLAN, {"n": 1}, labels={label: "x"}))
            assert [each.id for each in (await admin.entities(EntityQuery())).items] == [f"{PLAN}@v1"]
            assert await engine.executions() == []

    async def test_entities_are_listed_in_pages(self, home: TemporaryHome) -> None:
        """`entities`: the newest first, each once, by what is asked for."""
        async with self.both(home) as (admin, _):
            for number in range(7):
                await self.put(admin, workflow(flows.twice, "flows.twice"), version=f"v{number}")
            await self.put(admin, launchplan(flows.twice, "plan"))
            await self.put(admin, workflow(flows.twice, "flows.twice"), project="maps")
            seen: list[str] = []
            query = EntityQuery(Kind.WORKFLOW, "eta", "production", limit=3)
            while True:
                page = await admin.entities(query)
                assert len(page.items) <= 3
                seen += [entity.id for entity in page.items]
                if not page.following:
                    break
                query = EntityQuery(Kind.WORKFLOW, "eta", "production", after=page.following, limit=3)
            assert seen == [f"{TWICE}@v{number}" for number in reversed(range(7))]
            assert [e.id for e in (await admin.entities(EntityQuery(Kind.LAUNCHPLAN))).items] == [f"{PLAN}@v1"]
            assert len((await admin.entities(EntityQuery(name="flows.twice"))).items) == 8

    # Launches

    async def test_what_is_registered_runs(self, home: TemporaryHome) -> None:
        """`launch`: durable when it returns, in the history, with what it is of."""
        async with self.both(home) as (admin, engine):
            await self.put(admin, workflow(flows.twice, "flows.twice"))
            reply = await admin.launch(Launch(f"{TWICE}@v1", {"n": 5}, labels={"for": "a test"}))
            assert reply.created
            assert await engine.wait(reply.id) is ExecutionPhase.SUCCEEDED
            assert (await engine.describe(reply.id)).outputs == {"o0": Inline(7)}
            (entry,) = await self.history(admin, lambda found: found and found[0].phase.terminal)
            assert (entry.id, entry.phase, entry.entity) == (reply.id, ExecutionPhase.SUCCEEDED, f"{TWICE}@v1")
            assert (entry.project, entry.domain, entry.labels) == ("eta", "production", {"for": "a test"})
            assert entry.ended_at is not None

    async def test_a_name_is_launched_once(self, home: TemporaryHome) -> None:
        """`launch` again with the same name finds the first; with other inputs it is refused."""
        async with self.both(home) as (admin, _):
            await self.put(admin, workflow(flows.twice, "flows.twice"))
            launch = Launch(TWICE, {"n": 5}, "mine")
            replies = await asyncio.gather(*(admin.launch(launch) for _ in range(10)))
            assert [reply.id for reply in replies] == ["mine"] * 10
            assert sum(reply.created for reply in replies) == 1
            with pytest.raises(ConflictError):
                await admin.launch(Launch(TWICE, {"n": 6}, "mine"))

    @pytest.mark.parametrize(
        "inputs", [{}, {"m": 1}, {"n": 1, "m": 2}, {"n": "1"}, {"n": None}, {"n": {"k": 0}}, {"n": 1.5}]
    )
    async def test_inputs_are_checked_before_anything_runs(
        self, home: TemporaryHome, inputs: Mapping[str, Any]
    ) -> None:
        """`launch`: `InputError` for what is missing, unknown, or of another type."""
        async with self.both(home) as (admin, engine):
            await self.put(admin, workflow(flows.twice, "flows.twice"))
            with pytest.raises(InputError, match=r"[nm]"):
                await admin.launch(Launch(TWICE, dict(inputs)))
            assert await engine.executions() == []

    async def test_a_launch_plan_gives_inputs(self, home: TemporaryHome) -> None:
        """`launch` of a launch plan: its defaults, and what is fixed, which nobody can give."""
        async with self.both(home) as (admin, engine):
            await self.put(
                admin, launchplan(flows.twice, "defaults", inputs={"n": 1}), launchplan(flows.twice, "fixed", fixed={"n": 2}),
            )  # fmt: skip
            for name, inputs, given in (("defaults", {}, 1), ("defaults", {"n": 5}, 5), ("fixed", {}, 2)):
                reply = await admin.launch(Launch(f"eta/production/{name}@v1", inputs))
                assert (await engine.describe(reply.id)).inputs == {"n": Inline(given)}
            with pytest.raises(InputError, match="fixed"):
                await admin.launch(Launch("eta/production/fixed@v1", {"n": 3}))
            assert (await admin.entity("eta/production/fixed")).fixed == {"n": 2}

    async def test_a_launch_plan_says_how_its_executions_run(self, home: TemporaryHome) -> None:
        """`launch` of a launch plan: with its labels, failure policy and pool; refused where the engine has no such thing."""
        later = FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
        async with self.both(home) as (admin, engine):
            await self.put(
                admin, launchplan(flows.twice, "plan", labels={"team": "eta", "for": "all"}),
                launchplan(flows.twice, "later", failure_policy=later), launchplan(flows.twice, "pooled", pool="not set up"),
            )  # fmt: skip
            reply = await admin.launch(Launch(f"{PLAN}@v1", {"n": 1}, labels={"for": "a test"}))
            labels = (await engine.describe(reply.id)).labels
            assert (labels["team"], labels["for"]) == ("eta", "a test")
            with contextlib.suppress(ConfigurationError):
                reply = await admin.launch(Launch("eta/production/later@v1", {"n": 1}))
                assert (await engine.closure(reply.id)).workflow.failure_policy is later
            with pytest.raises(ConfigurationError, match="not set up"):
                await admin.launch(Launch("eta/production/pooled@v1", {"n": 1}))

    async def test_the_history_is_listed_in_pages(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`executions`: the newest first, each once, by project, phase and what they are of."""
        async with self.both(home) as (admin, engine):
            await self.put(admin, workflow(flows.twice, "flows.twice"), workflow(flows.fails, "flows.fails"))
            await self.put(admin, workflow(flows.twice, "flows.twice"), project="maps")
            for number in range(5):
                await admin.launch(Launch(f"{TWICE}@v1", {"n": number}, f"e{number}"))
                await engine.wait(f"e{number}")
            await admin.launch(Launch("maps/production/flows.twice", {"n": 1}, "other"))
            failing = {"n": 1, "least": str(tmp_path / "least")}
            await admin.launch(Launch("eta/production/flows.fails", failing, "failed"))
            await engine.wait("failed")
            await engine.wait("other")
            await self.history(admin, lambda found: len(found) == 7 and all(entry.phase.terminal for entry in found))
            query, seen = ExecutionQuery("eta", "production", limit=2), list[str]()
            while True:
                page = await admin.executions(query)
                assert len(page.items) <= 2
                seen += [entry.id for entry in page.items]
                if not page.following:
                    break
                query = ExecutionQuery("eta", "production", after=page.following, limit=2)
            assert seen == ["failed", "e4", "e3", "e2", "e1", "e0"]
            for more, ids in (
                ({"phase": ExecutionPhase.FAILED}, ["failed"]), ({"project": "maps"}, ["other"]),
                ({"entity": TWICE, "limit": 1}, ["e4"]), ({"entity": f"{TWICE}@v1", "limit": 1}, ["e4"]),
                ({"entity": f"{TWICE}@v2"}, []), ({"domain": "staging"}, []),
            ):  # fmt: skip
                assert [entry.id for entry in (await admin.executions(ExecutionQuery(**more))).items] == ids

    # Triggers

    async def triggered(self, admin: Admin, *, version: str = "v1", trigger: OnEnd | None = None) -> None:
        """Have a plan wait for another team's workflow."""
        given = trigger or OnSuccess(SOURCE, inputs={"n": "o0"})
        await self.put(admin, workflow(flows.twice, "flows.twice"), project="maps", version=version)
        await self.put(admin, launchplan(flows.twice, "plan", trigger=given), version=version)

    async def test_a_trigger_launches_once_with_the_outputs(self, home: TemporaryHome) -> None:
        """An active plan runs when what it watches succeeds: with its outputs, and says what has fired it."""
        async with self.both(home) as (admin, engine):
            await self.triggered(admin)
            assert not (await admin.entity(f"{PLAN}@v1")).active
            assert (await admin.activate(f"{PLAN}@v1")).active
            await admin.activate(f"{PLAN}@v1")
            await asyncio.gather(*(admin.launch(Launch(SOURCE, {"n": n}, f"m{n}")) for n in range(5)))
            found = await self.history(
                admin, lambda found: len(found) == 5 and all(entry.phase.terminal for entry in found), project="eta"
            )
            assert sorted(entry.cause for entry in found) == [f"m{n}" for n in range(5)]
            for entry in found:
                assert entry.entity == f"{PLAN}@v1"
                view = await engine.describe(entry.id)
                assert view.outputs == {"o0": Inline(int(entry.cause[1:]) + 4)}

    async def test_what_is_not_active_is_not_launched(self, home: TemporaryHome) -> None:
        """A trigger counts from its activation on, until it is deactivated."""
        async with self.both(home) as (admin, engine):
            await self.triggered(admin)
            for name, before in (("before", None), ("while", admin.activate), ("after", admin.deactivate)):
                if before is not None:
                    await before(f"{PLAN}@v1")
                await admin.launch(Launch(SOURCE, {"n": 1}, name))
                await engine.wait(name)
                await self.history(
                    admin,
                    lambda found, name=name: any(e.id == name and e.phase.terminal for e in found),
                    project="maps",
                )
            (entry,) = await self.history(admin, bool, project="eta")
            assert entry.cause == "while"
            assert not (await admin.entity(f"{PLAN}@v1")).active

    async def test_who_fails_fires_what_asks_for_it(self, home: TemporaryHome, tmp_path: Path) -> None:
        """A trigger on success is not fired by a failure; one on any end is."""
        async with self.both(home) as (admin, engine):
            await self.put(admin, workflow(flows.fails, "flows.fails"), project="maps")
            watched = "maps/production/flows.fails"
            await self.put(
                admin, launchplan(flows.twice, "success", inputs={"n": 1}, trigger=OnSuccess(watched)),
                launchplan(flows.twice, "end", inputs={"n": 1}, trigger=OnEnd(watched)),
            )  # fmt: skip
            for name in ("success", "end"):
                await admin.activate(f"eta/production/{name}@v1")
            await admin.launch(Launch(watched, {"n": 1, "least": str(tmp_path / "least")}, "bad"))
            await engine.wait("bad")
            (entry,) = await self.history(admin, lambda found: found and found[0].phase.terminal, project="eta")
            assert (entry.entity, entry.cause) == ("eta/production/end@v1", "bad")

    async def test_a_restart_loses_and_doubles_no_trigger(self, home: TemporaryHome) -> None:
        """What ended while nobody looked fires when somebody does again: once."""
        async with self.both(home) as (admin, _):
            await self.triggered(admin)
            await admin.activate(f"{PLAN}@v1")
        async with self.both(home) as (admin, engine):
            for n in range(3):
                await admin.launch(Launch(SOURCE, {"n": n}, f"m{n}"))
            await engine.wait("m0")
        async with self.engine(home) as engine:  # it ends without an admin
            for n in range(3):
                await engine.wait(f"m{n}")
        for _ in range(3):
            async with self.both(home) as (admin, _):
                found = await self.history(
                    admin, lambda found: len(found) >= 3 and all(entry.phase.terminal for entry in found), project="eta"
                )
                assert sorted(entry.cause for entry in found) == ["m0", "m1", "m2"]

    async def test_who_starts_it_launches_what_is_due(self, home: TemporaryHome) -> None:
        """`start`: returns when what has become due meanwhile is launched; so does a command that leaves at once."""
        async with self.both(home) as (admin, _):
            await self.triggered(admin)
            await admin.activate(f"{PLAN}@v1")
            await admin.launch(Launch(SOURCE, {"n": 1}, "m0"))
        async with self.engine(home) as engine:
            await engine.wait("m0")
        async with self.both(home):
            pass
        async with self.engine(home) as engine:
            assert len(await engine.executions()) == 2

    async def test_the_active_version_is_launched(self, home: TemporaryHome) -> None:
        """`activate`: another version takes the place of the first; what triggers decided before stays."""
        async with self.both(home) as (admin, engine):
            await self.triggered(admin)
            await self.triggered(admin, version="v2")
            for version in ("v1", "v2"):
                await admin.activate(f"{PLAN}@{version}")
                await admin.launch(Launch(f"{SOURCE}@v1", {"n": 1}, f"for-{version}"))
                await engine.wait(f"for-{version}")
                await self.history(
                    admin, lambda found: found and found[0].phase.terminal, project="eta", entity=f"{PLAN}@{version}"
                )
            assert (await admin.entity(PLAN)).id == f"{PLAN}@v2"
            assert [e.active for e in (await admin.entities(EntityQuery(Kind.LAUNCHPLAN))).items] == [True, False]

    # Schedules

    async def scheduled(
        self, admin: Admin, when: Any, flow: Any = flows.twice, *, activate: bool = True, **more: Any
    ) -> None:
        """Have a plan be due."""
        given = {"inputs": {"n": 1}} if flow is flows.twice else {}
        await self.put(admin, launchplan(flow, "plan", trigger=when, **{**given, **more}))
        if activate:
            await admin.activate(f"{PLAN}@v1")

    async def test_a_schedule_launches_each_tick_once(self, home: TemporaryHome) -> None:
        """An active plan runs at its ticks, under one name each, also over a restart."""
        async with self.both(home) as (admin, _):
            await self.scheduled(admin, FixedRate("1s", catch_up="all", overlap="allow_all"))
            entity = await admin.entity(PLAN)
            assert entity.next is not None
            found = await self.history(admin, lambda found: len(found) >= 2, project="eta")
        async with self.both(home) as (admin, _):
            more = len(found) + 2
            found = await self.history(admin, lambda found: len(found) >= more, project="eta")
            causes = [entry.cause for entry in found]
            assert len(set(causes)) == len(causes)
            assert all(cause.startswith("tick ") for cause in causes)
            moments = sorted(datetime.fromisoformat(cause.removeprefix("tick ")).timestamp() for cause in causes)
            assert moments == [moments[0] + n for n in range(len(moments))], "a tick is missing"
            await admin.deactivate(PLAN)
            assert (await admin.entity(PLAN)).next is None

    async def test_a_schedule_gives_its_tick(self, home: TemporaryHome) -> None:
        """The input that takes it is the moment, in the time zone of the schedule; a fixed rate's is UTC."""
        async with self.both(home) as (admin, engine):
            await self.scheduled(admin, FixedRate("1s", input="at"), flows.dated)
            (entry, *_) = await self.history(admin, lambda found: found and found[-1].phase.terminal, project="eta")
            view = await engine.describe(entry.id)
            at = view.inputs["at"]
            assert isinstance(at, Inline)
            assert f"tick {at.value}" == entry.cause

    async def test_ticks_are_told_before_they_come(self, home: TemporaryHome) -> None:
        """`ticks`: behind a moment, also of what is not active; `InputError` for what has no schedule."""
        async with self.both(home) as (admin, _):
            await self.scheduled(admin, Cron("30 2 * * *", timezone="Europe/Berlin"), activate=False)
            after = datetime(2026, 10, 24, 12, tzinfo=UTC).timestamp()
            found = [datetime.fromtimestamp(tick, UTC) for tick in await admin.ticks(f"{PLAN}@v1", after, 3)]
            assert [(at.day, at.hour, at.minute) for at in found] == [(25, 0, 30), (26, 1, 30), (27, 1, 30)]
            await self.put(
                admin, workflow(flows.twice, "flows.twice"), launchplan(flows.twice, "none", inputs={"n": 1})
            )
            for reference in (TWICE, "eta/production/none"):
                with pytest.raises(InputError):
                    await admin.ticks(reference, after)

    @pytest.mark.parametrize("expression", ["61 * * * *", "0 0 30 2 *", "a b c d e"])
    async def test_what_is_no_schedule_is_refused(self, home: TemporaryHome, expression: str) -> None:
        """`register`: a cron expression that is none, or never comes: who compiles elsewhere may not have been told."""
        given = launchplan(flows.twice, "plan", trigger=Cron("0 0 * * *"), inputs={"n": 1})
        assert given.plan is not None
        assert isinstance(given.plan.trigger, ScheduleSpec)
        when = CronSpec(expression)
        trigger = msgspec.structs.replace(given.plan.trigger, when=when)
        wrong = msgspec.structs.replace(given, plan=msgspec.structs.replace(given.plan, trigger=trigger))
        async with self.both(home) as (admin, _):
            with pytest.raises(InputError):
                await self.put(admin, wrong)
            assert (await admin.entities(EntityQuery())).items == []

    async def test_a_schedule_pauses_and_goes_on(self, home: TemporaryHome) -> None:
        """`pause`: ticks pass without a launch, for the reason that is told; `resume`: those from then on launch again."""
        async with self.both(home) as (admin, _):
            await self.scheduled(admin, FixedRate("1s", catch_up="all", overlap="allow_all"))
            await self.history(admin, bool, project="eta")
            assert (await admin.pause(PLAN, "for a while")).paused == "for a while"
            assert (await admin.pause(PLAN, "")).paused == "for a while", "it stays where none is given"
            await asyncio.sleep(0.2)
            before = len((await admin.executions(ExecutionQuery("eta"))).items)
            await asyncio.sleep(2.2)
            assert len((await admin.executions(ExecutionQuery("eta"))).items) == before
            assert (await admin.resume(PLAN)).paused == ""
            found = await self.history(admin, lambda found: len(found) > before, project="eta")
            assert len(found) <= before + 2, "ticks of the pause were launched"

    async def test_a_schedule_pauses_when_it_fails(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`pause_on_failure`: the reason names the execution."""
        async with self.both(home) as (admin, _):
            given = {"n": 1, "least": str(tmp_path / "least")}
            await self.scheduled(admin, FixedRate("1s", pause_on_failure=True), flows.fails, inputs=given)
            (entry, *_) = await self.history(admin, lambda found: found and found[-1].phase.terminal, project="eta")
            async with asyncio.timeout(self.patience_s / 2):
                while not (paused := (await admin.entity(PLAN)).paused):
                    await asyncio.sleep(0.02)
            assert entry.id in paused

    @pytest.mark.parametrize(
        ("overlap", "begun"),
        [
            ("skip", 1),
            ("buffer_one", 1),
            ("buffer_all", 1),
            ("cancel_other", 2),
            ("terminate_other", 2),
            ("allow_all", 2),
        ],
    )
    async def test_ticks_that_overlap(self, home: TemporaryHome, tmp_path: Path, overlap: Any, begun: int) -> None:
        """What becomes of a tick while the execution of the one before has not ended: the six policies."""
        gate = tmp_path / "gate"
        async with self.both(home) as (admin, engine):
            await self.scheduled(
                admin, FixedRate("1s", catch_up="all", overlap=overlap), flows.endless, inputs={"path": str(gate)}
            )  # fmt: skip
            await self.history(admin, lambda found: len(found) >= begun, project="eta")
            await asyncio.sleep(2.5)
            waits = overlap.startswith("buffer")
            if not waits:  # ticks that wait are not launched when it is not active any more
                await admin.deactivate(PLAN)
            found = (await admin.executions(ExecutionQuery("eta"))).items
            running = [entry for entry in found if not entry.phase.terminal]
            aborted = [entry for entry in found if entry.phase is ExecutionPhase.ABORTED]
            if begun == 1:
                assert (len(running), len(aborted)) == (1, 0)
            elif overlap == "allow_all":
                assert len(running) >= 2
            else:
                assert aborted, "the one before goes on"
                assert len(running) <= 2
            gate.touch()
            if waits:
                await self.history(admin, lambda found: len(found) >= 3, project="eta")
                await admin.deactivate(PLAN)
            found = await self.history(
                admin, lambda found: found and all(each.phase.terminal for each in found), project="eta"
            )
            assert overlap != "skip" or len(found) == 1
            ticks = sorted(datetime.fromisoformat(each.cause.removeprefix("tick ")).timestamp() for each in found)
            gap = any(later - earlier > 1 for earlier, later in pairwise(ticks))
            assert not waits or gap is (overlap == "buffer_one"), "one tick waits, or all of them do"
            assert await engine.executions(limit=1)

    async def test_only_launch_plans_are_activated(self, home: TemporaryHome) -> None:
        """`activate`: `InputError` for others, and for a trigger that takes what the other workflow does not give."""
        async with self.both(home) as (admin, _):
            trigger = OnSuccess(SOURCE, inputs={"n": "o7"})
            await self.put(admin, launchplan(flows.twice, "plan", trigger=trigger))  # which is not there yet
            await self.put(admin, workflow(flows.twice, "flows.twice"), project="maps")
            for reference, why in ((f"{SOURCE}@v1", "launch plan"), (f"{PLAN}@v1", "o7")):
                with pytest.raises(InputError, match=why):
                    await admin.activate(reference)

    # Around it

    async def test_a_call_that_is_cancelled_took_place_or_did_not(self, home: TemporaryHome) -> None:
        """Cancellation at any await: the next call works, and what was registered is whole."""
        async with self.both(home) as (admin, _):
            for number in range(30):
                definitions = workflow(flows.twice, "flows.twice"), workflow(flows.gated, "flows.gated")
                calling = asyncio.create_task(self.put(admin, *definitions, version=f"v{number}"))
                for _ in range(number):
                    await asyncio.sleep(0)
                calling.cancel()
                await asyncio.gather(calling, return_exceptions=True)
            page = await admin.entities(EntityQuery(limit=1000))
            ids = {entity.id for entity in page.items}
            assert {each.replace("gated", "twice") for each in ids} == {each for each in ids if "twice" in each}
            assert len(ids) % 2 == 0

    async def test_nothing_is_left_open(self, home: TemporaryHome) -> None:
        """`close`: no file and no connection stays."""
        async with self.engine(home) as engine:
            counts = []
            for _ in range(4):
                async with self.opened(home, engine) as admin:
                    await self.put(admin, workflow(flows.twice, "flows.twice"))
                counts.append(held())
            await self.closed(counts[1], counts)
            assert os.path.isdir(home.path)


__all__ = ["AdminContract", "launchplan", "workflow"]
