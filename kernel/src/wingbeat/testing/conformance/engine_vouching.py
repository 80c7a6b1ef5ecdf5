"""What every engine must do that vouches for attempts: see `wingbeat.testing.conformance.engine` for how a class is derived."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from wingbeat.contracts.engine import Engine, Vouched, Vouching
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.engine import EngineContract
from wingbeat.testing.home import TemporaryHome

LABELS = {"project": "maps", "domain": "production"}


class VouchingContract(EngineContract):
    """The contract of `wingbeat.contracts.engine.Vouching` as tests, besides that of every engine."""

    async def under_way(self, engine: Engine, path: Path, name: str) -> str:
        """The id of an attempt that runs until it is stopped, or there is a file."""
        await engine.launch(replace(self.request(flows.endless, name, path=str(path)), labels=LABELS))
        await self._begun(engine, name)
        (node,) = (await engine.describe(name)).nodes
        return f"{name}/{node.id}/0"

    async def vouch(self, engine: Engine, attempt: str) -> Vouched | None:
        """What it says."""
        assert isinstance(engine, Vouching)
        return await engine.vouch(attempt)

    async def test_it_vouches_for_what_is_under_way(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`vouch`: an attempt that runs, by its whole id; also after a restart, until its execution is aborted."""
        async with self.opened(home) as engine:
            attempt = await self.under_way(engine, tmp_path / "never", "mine")
            found = await self.vouch(engine, attempt)
            assert found is not None
            view = await engine.describe("mine", nodes=False)
            assert found == Vouched(view.created_at, view.labels, ())
            assert LABELS.items() <= found.labels.items()
            wrong = (
                f"{attempt[:-1]}1",
                f"{attempt}/",
                attempt[:-2],
                attempt.replace("mine", "other"),
                "mine",
                "",
                "//",
            )
            assert [await self.vouch(engine, each) for each in wrong] == [None] * len(wrong)
        async with self.opened(home) as engine:
            assert await self.vouch(engine, attempt) == found
            await engine.abort("mine", "enough")
            assert await self.vouch(engine, attempt) is None

    async def test_it_vouches_for_nothing_that_has_ended(self, home: TemporaryHome, tmp_path: Path) -> None:
        """`vouch`: not for an attempt that has ended by itself."""
        async with self.opened(home) as engine:
            attempt = await self.under_way(engine, tmp_path / "go", "mine")
            assert await self.vouch(engine, attempt) is not None
            (tmp_path / "go").touch()
            await engine.wait("mine")
            assert await self.vouch(engine, attempt) is None
