"""What every admin must do about its history: it is found by what happened, or the admin says that it does not look for that."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest

from wingbeat.base.errors import InputError
from wingbeat.contracts.admin import Admin, ExecutionQuery, Launch
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import AdminStage, workflow
from wingbeat.testing.home import TemporaryHome


class SearchContract(AdminStage):
    """Searching the history, as tests.

    Attributes:
        searches: Whether the history is found by workflow, labels, times and values, and told in other orders. An admin that
            does not refuses to, by `InputError`. None: either is good.
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
            ({"order": "created_at"}, ["one", "two", "ten", "text"]),
            ({"order": "created_at", "after": "two"}, ["ten", "text"]),
            ({"order": "-ended_at"}, ["text", "ten", "two", "one"]),
            ({"order": "ended_at", "after": "one", "limit": 2}, ["two", "ten"]),
        ],
        ids=str,
    )
    async def test_the_history_is_searched(self, home: TemporaryHome, query: dict[str, Any], found: list[str]) -> None:
        """`executions`: by values, labels, workflow and times, and in other orders; or refused."""
        async with self.both(home) as (admin, engine):
            await self.put(admin, workflow(flows.twice, "flows.twice"), workflow(flows.shout, "flows.shout"))
            if not self.searches and await self.refuses(admin, ExecutionQuery(**query)):
                return
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
            assert [each.id for each in (await admin.executions(ExecutionQuery(**query))).items] == found

    async def refuses(self, admin: Admin, query: ExecutionQuery) -> bool:
        """Whether the admin does not look for that; it has to be what `searches` says."""
        try:
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
