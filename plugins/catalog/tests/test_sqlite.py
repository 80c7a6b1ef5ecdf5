"""What is particular to the catalog in SQLite: its file, its limits, and what it does to others."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.catalog import Evicted
from wingbeat.testing.conformance.catalog_samples import ManualClock, make_entry, make_key
from wingbeat_catalog import SqliteCatalog
from wingbeat_catalog.schema import FORMAT
from wingbeat_catalog.sqlite import EXPIRED_KEPT_S, SWEEP_EVERY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a home #1?" / "catalog.sqlite"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def catalog(path: Path, clock: ManualClock) -> AsyncIterator[SqliteCatalog]:
    path.parent.mkdir()
    made = SqliteCatalog(path, clock=clock)
    await made.start()
    yield made
    await made.close()


def change(path: Path, sql: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(sql)
    db.close()


async def test_readers_see_what_is_there_while_it_is_open_and_afterwards(catalog, path):
    key = make_key(x=1)
    await catalog.publish(make_entry(key))
    for _ in range(2):
        reader = SqliteCatalog(path, read_only=True)
        await reader.start()
        assert await reader.lookup(key) == make_entry(key)
        assert (await reader.explain(key)).hit
        with pytest.raises(ConfigurationError, match="reading only"):
            await reader.publish(make_entry(make_key(x=2)))
        await reader.close()
        await catalog.close()


async def test_reading_creates_nothing(tmp_path):
    reader = SqliteCatalog(tmp_path / "catalog.sqlite", read_only=True)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        await reader.start()
    assert list(tmp_path.iterdir()) == []


async def test_a_newer_format_is_refused(catalog, path):
    await catalog.close()
    change(path, f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(ConfigurationError, match="Upgrade wingbeat-catalog"):
        await SqliteCatalog(path).start()


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"something else" * 100)
    with pytest.raises(ConfigurationError, match="not a database"):
        await SqliteCatalog(path).start()
    assert path.read_bytes() == b"something else" * 100


async def test_another_database_is_refused(tmp_path):
    change(tmp_path / "catalog.sqlite", "CREATE TABLE customers (name)")
    with pytest.raises(ConfigurationError, match="not a catalog"):
        await SqliteCatalog(tmp_path / "catalog.sqlite").start()


async def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        await SqliteCatalog(tmp_path / "none" / "catalog.sqlite").start()


async def test_a_closed_catalog_says_so(path):
    with pytest.raises(ConfigurationError, match="not open"):
        await SqliteCatalog(path).lookup(make_key(x=1))


@pytest.mark.parametrize("column", ["body", "checksum"])
async def test_a_damaged_entry_is_a_miss_and_can_be_published_again(catalog, path, column):
    key = make_key(x=1)
    await catalog.publish(make_entry(key, "right"))
    await catalog._all(f"UPDATE entries SET {column} = CAST('{{' || substr({column}, 3) AS BLOB)", ())
    assert not (await catalog.explain(make_key(x=2))).hit
    assert not (await catalog.explain(key)).hit
    assert await catalog.lookup(key) is None
    await catalog.publish(make_entry(key, "again"))
    assert await catalog.lookup(key) == make_entry(key, "again")


async def test_an_entry_that_slipped_under_another_key_is_not_answered(catalog):
    await catalog.publish(make_entry(make_key(x=1)))
    await catalog._all("UPDATE entries SET digest = ?", (make_key(x=2).digest,))
    assert await catalog.lookup(make_key(x=2)) is None


async def test_a_lookup_writes_nothing(catalog):
    key = make_key(x=1)
    await catalog.publish(make_entry(key))
    before = catalog._connection.total_changes
    for _ in range(10):
        await catalog.lookup(key)
    assert catalog._connection.total_changes == before


async def test_what_was_used_is_known_after_a_restart(catalog, path, clock):
    keys = [make_key(x=i) for i in range(3)]
    for key in keys:
        await catalog.publish(make_entry(key, size=100))
        clock.now += 1
    await catalog.lookup(keys[0])
    await catalog.close()
    again = SqliteCatalog(path, clock=clock)
    await again.start()
    assert await again.evict(size_max=200) == Evicted(1, 100)
    assert await again.lookup(keys[1]) is None
    await again.close()


async def test_the_limit_is_held_in_steps(path, clock):
    path.parent.mkdir()
    catalog = SqliteCatalog(path, size_max=1000, clock=clock)
    await catalog.start()
    for i in range(50):
        clock.now += 1
        await catalog.publish(make_entry(make_key(x=i), size=50))
        ((size,),) = await catalog._all("SELECT sum(size) FROM entries", ())
        assert size <= 1100
    assert await catalog.lookup(make_key(x=49)) is not None
    assert await catalog.lookup(make_key(x=0)) is None
    await catalog.close()


async def test_what_expired_long_ago_goes_when_much_is_published(catalog, clock):
    await catalog.publish(make_entry(make_key(x="old"), at=clock.now, ttl=1))
    clock.now += EXPIRED_KEPT_S + 2
    await catalog.reserve(make_key(x="never"), "x1/n0", -1)
    for i in range(SWEEP_EVERY):
        await catalog.publish(make_entry(make_key(x=i)))
    ((entries, reservations),) = await catalog._all(
        "SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM reservations)", ()
    )
    assert (entries, reservations) == (SWEEP_EVERY, 0)


async def test_conditions_of_an_eviction_are_taken_together(catalog, clock):
    await catalog.publish(make_entry(make_key("m.f", x=1), at=clock.now - 100))
    await catalog.publish(make_entry(make_key("m.f", x=2), at=clock.now))
    await catalog.publish(make_entry(make_key("m.g", x=1), at=clock.now - 100))
    assert await catalog.evict(task="m.f", older_than_s=50) == Evicted(1, 10)
    assert await catalog.lookup(make_key("m.g", x=1)) is not None


async def test_wide_tasks_are_explained_by_the_entry_with_equal_inputs(catalog, clock):
    for i in range(300):
        clock.now += 1
        await catalog.publish(make_entry(make_key(version="1", item=i, day=1), at=clock.now))
    assert (await catalog.explain(make_key(version="2", item=5, day=1))).differences == (
        "the cache version is '2', it was '1'",
    )


async def test_a_full_disk_is_an_error_and_leaves_what_was_there(catalog):
    await catalog.publish(make_entry(make_key(x=1)))
    await catalog._all("PRAGMA max_page_count = 1", ())  # SQLite keeps the pages that are there
    with pytest.raises(sqlite3.OperationalError, match="full"):
        await catalog.publish(make_entry(make_key(x=2), "much" * 100_000))
    await catalog._all("PRAGMA max_page_count = 1000000", ())
    await catalog.publish(make_entry(make_key(x=2), "little"))
    assert await catalog.lookup(make_key(x=1)) is not None


async def test_what_was_published_before_a_kill_is_there(path):
    path.parent.mkdir()
    program = """
        import asyncio, os, signal, sys
        from wingbeat.testing.conformance.catalog_samples import make_entry, make_key
        from wingbeat_catalog import SqliteCatalog

        async def main():
            catalog = SqliteCatalog(sys.argv[1])
            await catalog.start()
            for i in range(1000):
                await catalog.publish(make_entry(make_key(x=i)))
                os.write(1, b".")
                if i == 100:
                    os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(path)]
    done = await asyncio.to_thread(subprocess.run, command, stdout=subprocess.PIPE, env=dict(os.environ), check=False)
    catalog = SqliteCatalog(path)
    await catalog.start()
    found = [await catalog.lookup(make_key(x=i)) is not None for i in range(len(done.stdout))]
    await catalog.close()
    assert len(found) == 101
    assert all(found)
