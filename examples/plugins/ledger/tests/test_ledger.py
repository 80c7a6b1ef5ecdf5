"""The kits; and what is in the files."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from acme_ledger import kits
from acme_ledger.book import Active, Book
from acme_ledger.times import decide
from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.admin import EntityQuery
from wingbeat.spec.triggers import CronSpec, RateSpec, ScheduleSpec
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import workflow
from wingbeat.testing.conformance.plugin import PluginContract

NIGHTLY = CronSpec("30 2 * * *", "Europe/Berlin")


class TestAdmin(kits.TestAdmin):
    async def test_a_registration_is_one_file(self, home):
        """What is there already is not written again; the order of the files is that of the registrations."""
        twice, gated = workflow(flows.twice, "flows.twice"), workflow(flows.gated, "flows.gated")
        async with self.both(home) as (admin, _):
            await self.put(admin, twice)
            await self.put(admin, twice, gated)
            await self.put(admin, twice, gated, version="v2")
            await self.put(admin, twice, gated, version="v2")
        files = sorted(Path(home.path, "ledger").iterdir())
        assert [file.name for file in files] == [
            "000001-eta-production-v1.json", "000002-eta-production-v1.json", "000003-eta-production-v2.json",
        ]  # fmt: skip
        entries = [[entry["id"] for entry in json.loads(file.read_text())["entries"]] for file in files]
        assert entries[:2] == [["eta/production/flows.twice@v1"], ["eta/production/flows.gated@v1"]]

    @pytest.mark.parametrize("harm", [lambda text: text.replace("add_one", "add_two"), lambda text: text[:-100]])
    async def test_a_file_that_was_changed_is_refused(self, home, harm):
        """Nothing runs that was not registered."""
        async with self.both(home) as (admin, _):
            await self.put(admin, workflow(flows.twice, "flows.twice"))
        (file,) = Path(home.path, "ledger").iterdir()
        file.write_text(harm(file.read_text()))
        with pytest.raises(ConfigurationError, match=file.name):
            async with self.both(home):
                raise AssertionError("it has started")

    async def test_branches_that_are_merged_do_not_disagree(self, home, tmp_path):
        """Files of one number are all read; a version is in one of them only."""
        other = self.another_home(tmp_path, "other")
        async with self.both(home) as (admin, _):
            await self.put(admin, workflow(flows.twice, "flows.one"))
        async with self.both(other) as (admin, _):
            await self.put(admin, workflow(flows.twice, "flows.two"))
        (file,) = Path(other.path, "ledger").iterdir()
        Path(home.path, "ledger", "000001-merged.json").write_bytes(file.read_bytes())
        async with self.both(home) as (admin, _):
            assert {entity.id.partition("@")[0] for entity in (await admin.entities(EntityQuery())).items} == {
                "eta/production/flows.one", "eta/production/flows.two",
            }  # fmt: skip
            await self.put(admin, workflow(flows.gated, "flows.three"), version="v2")
        Path(home.path, "ledger", "000002-eta-production-v2.json").rename(tmp_path / "kept")
        async with self.both(home) as (admin, _):
            await self.put(admin, workflow(flows.twice, "flows.three"), version="v2")
        Path(home.path, "ledger", "000002-merged.json").write_bytes((tmp_path / "kept").read_bytes())
        with pytest.raises(ConfigurationError, match="both register eta/production/flows.three@v2"):
            async with self.both(home):
                raise AssertionError("it has started")

    async def test_what_a_crash_left_unfinished_is_not_there(self, home):
        """A file has its name when it is whole."""
        Path(home.path, "ledger").mkdir()
        Path(home.path, "ledger", ".000001-eta-production-v1.json.part").write_text("{")
        async with self.both(home) as (admin, _):
            assert await self.put(admin, workflow(flows.twice, "flows.twice")) == ["eta/production/flows.twice@v1"]

    async def test_one_has_the_files(self, home):
        """A second admin waits for the first to leave."""
        async with self.engine(home) as engine, self.opened(home, engine) as first:
            second = kits.make(home, engine)
            starting = asyncio.create_task(second.start())
            await self.put(first, workflow(flows.twice, "flows.twice"))
            assert not starting.done()
            await first.close()
            await starting
            assert (await second.entity("eta/production/flows.twice")).id == "eta/production/flows.twice@v1"
            await second.close()


class TestPlugin(PluginContract):
    module = "acme_ledger.plugin"
    name = "ledger"


@pytest.mark.parametrize(
    ("more", "ticks", "following"),
    [
        ({"catch_up": "all"}, [100.0, 110.0, 120.0, 130.0, 140.0, 150.0, 160.0, 170.0, 180.0], 190.0),
        ({"catch_up": "none"}, [130.0, 140.0, 150.0, 160.0, 170.0, 180.0], 190.0),
        ({"catch_up": "last"}, [180.0], 190.0),
        ({"catch_up": "all", "window_s": 65.0}, [120.0, 130.0, 140.0, 150.0, 160.0, 170.0, 180.0], 190.0),
    ],
)
def test_ticks_that_were_missed(more, ticks, following):
    assert decide(ScheduleSpec(RateSpec(10.0), **more), 100.0, 185.0) == (ticks, following)


def test_the_clock_of_a_time_zone_is_followed_where_it_jumps():
    first = datetime(2026, 10, 24, 0, 30, tzinfo=UTC).timestamp()
    ticks, _ = decide(ScheduleSpec(NIGHTLY, catch_up="all"), first, first + 3 * 86400)
    told = [datetime.fromtimestamp(tick, UTC).strftime("%d %H:%M") for tick in ticks]
    assert told == ["24 00:30", "25 00:30", "26 01:30"]


@pytest.mark.parametrize(
    ("overlap", "waiting"), [("skip", 1), ("buffer_one", 1), ("buffer_all", 3), ("cancel_other", 1), ("allow_all", 3)]
)
def test_ticks_that_wait(overlap, waiting):
    schedule = ScheduleSpec(RateSpec(10.0), catch_up="all", overlap=overlap)
    book = Book().activated("a/b/c", Active("v1", 0.0, next=10.0)).looked({"a/b/c@v1": schedule}, 35.0)
    assert len(book.due) == waiting
    assert len(book.ready(35.0)) == (3 if overlap == "allow_all" else 1)
    assert book.looked({"a/b/c@v1": schedule}, 35.0) == book
    assert book.wake() is not None
