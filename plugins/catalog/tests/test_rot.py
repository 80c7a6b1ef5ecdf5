"""Bits that flip in the catalog's file: never a foreign, wrong or expired value; at most a miss, or an error that says so."""

import contextlib
import random
import sqlite3
from pathlib import Path

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.testing.conformance.catalog_samples import ManualClock, make_entry, make_key
from wingbeat_catalog import SqliteCatalog
from wingbeat_catalog.sqlite import HELD_S_MAX

FLIPS = 150
LASTING = [make_key(x=n) for n in range(40)]
EXPIRED = [make_key(y=n) for n in range(10)]
NEW = make_key(z=1)


@pytest.fixture
async def whole(tmp_path: Path) -> bytes:
    """A catalog with entries on several pages, some of which have expired; and a reservation."""
    catalog = SqliteCatalog(tmp_path / "catalog.sqlite", clock=ManualClock())
    await catalog.start()
    for n, key in enumerate(LASTING):
        await catalog.publish(make_entry(key, n))
    for key in EXPIRED:
        await catalog.publish(make_entry(key, 0, ttl=-1.0))
    await catalog.reserve(make_key(held=1), "somebody", 60.0)
    await catalog.close()
    return (tmp_path / "catalog.sqlite").read_bytes()


def put(path: Path, data: bytes) -> None:
    for left in path.parent.glob(f"{path.name}-*"):
        left.unlink()
    path.write_bytes(data)


async def look(path: Path) -> tuple[int, int]:
    """Ask for everything; how many hits and errors that gave."""
    hits = errors = 0
    catalog = SqliteCatalog(path, clock=ManualClock())
    await catalog.start()
    for n, key in enumerate(LASTING):
        try:
            found = await catalog.lookup(key)
            assert found is None or found == make_entry(key, n), f"a wrong value for {n}"
            hits += found is not None
        except sqlite3.Error:
            errors += 1
    for key in EXPIRED:
        with contextlib.suppress(sqlite3.Error):
            assert await catalog.lookup(key) is None, "an expired value"
    with contextlib.suppress(sqlite3.Error):
        await catalog.publish(make_entry(NEW, "new"))
        found = await catalog.lookup(NEW)
        assert found is None or found == make_entry(NEW, "new")
    with contextlib.suppress(sqlite3.Error):
        await catalog.explain(make_key(other=1))
    with contextlib.suppress(sqlite3.Error):
        held = await catalog.reserve(make_key(held=1), "me", 60.0)
        assert held.until <= ManualClock().now + HELD_S_MAX, "nobody would ever get it"
    with contextlib.suppress(sqlite3.Error):
        await catalog.close()
    return hits, errors


async def test_a_catalog_that_is_whole_has_everything(whole, tmp_path):
    assert await look(tmp_path / "catalog.sqlite") == (len(LASTING), 0)


async def test_a_flipped_bit_in_any_page_gives_no_wrong_value(whole, tmp_path):
    path, dice = tmp_path / "catalog.sqlite", random.Random(7)
    size = int.from_bytes(whole[16:18], "big")
    missed = refused = 0
    for flip in range(FLIPS):
        at = flip % (len(whole) // size) * size + dice.randrange(size)
        put(path, whole[:at] + bytes([whole[at] ^ 1 << dice.randrange(8)]) + whole[at + 1 :])
        try:
            hits, _ = await look(path)
        except ConfigurationError as error:
            refused += str(path) in str(error)
            continue
        except Exception as error:
            raise AssertionError(f"byte {at}: {error!r}") from error
        missed += hits < len(LASTING)
    assert 0 < missed < FLIPS
    assert refused < FLIPS / 4


async def test_a_page_in_the_place_of_another_gives_no_wrong_value(whole, tmp_path):
    path, size = tmp_path / "catalog.sqlite", int.from_bytes(whole[16:18], "big")
    pages = [whole[at : at + size] for at in range(0, len(whole), size)]
    for there in range(1, len(pages)):
        for other in range(1, len(pages)):
            put(path, b"".join([*pages[:there], pages[other], *pages[there + 1 :]]))
            with contextlib.suppress(ConfigurationError):
                await look(path)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET expires_at = NULL",
        "UPDATE entries SET expires_at = 1e300 WHERE expires_at IS NOT NULL",
        "UPDATE entries SET body = 'text'",
        "UPDATE entries SET checksum = 'text'",
        "UPDATE reservations SET until = 1e300",
        "UPDATE reservations SET owner = 'nobody', until = until + 1e9",
        "UPDATE entries AS e SET body = o.body, checksum = o.checksum FROM entries AS o WHERE o.rowid = e.rowid % 50 + 1",
    ],
)
async def test_a_column_that_has_changed_gives_no_wrong_value(whole, tmp_path, change):
    path = tmp_path / "catalog.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(change)
    await look(path)
