"""What time does to a home: journals of other formats, and bytes that are not what was written."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from wingbeat import Kernel
from wingbeat.base.errors import ConfigurationError, JournalUnknown, WingbeatError
from wingbeat.base.ids import digest
from wingbeat.builtin.sqlite import FORMAT, SQLiteJournal

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120), pytest.mark.anyio]

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("journal-*"))
"""One journal of each format that was ever written, and what is in it; nobody changes these files."""


async def read(home: Path) -> dict[str, object]:
    """What a home says of each execution; the error of one that cannot be read."""
    found: dict[str, object] = {}
    async with Kernel(home, read_only=True) as kernel:
        for summary in await kernel.engine.executions():
            try:
                view = await kernel.engine.describe(summary.id)
                closure = await kernel.engine.closure(summary.id)
                outputs = kernel.plain(view.outputs, closure) if view.outputs else {}
                inputs = kernel.plain(view.inputs, closure, inputs=True)
                nodes = {node.id: str(node.phase) for node in view.nodes}
                found[summary.id] = {"phase": str(view.phase), "inputs": inputs, "outputs": outputs, "nodes": nodes}
            except WingbeatError as error:
                found[summary.id] = error
    return found


def damaged(found: dict[str, object]) -> set[str]:
    return {name for name, said in found.items() if isinstance(said, WingbeatError)}


@pytest.fixture
def home(tmp_path):
    """A home with the journal of the present format."""
    shutil.copy(GOLDEN[-1] / "journal.sqlite", tmp_path)
    return tmp_path


@pytest.fixture
def expected():
    return json.loads((GOLDEN[-1] / "expected.json").read_text())


def change(home: Path, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(home / "journal.sqlite")) as db, db:
        assert db.execute(statement, values).rowcount == 1


def rows(home: Path, query: str) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(home / "journal.sqlite")) as db:
        return db.execute(query).fetchall()


def flipped(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << dice.randrange(8))]) + data[at + 1 :]


# -- formats


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.name)
async def test_a_journal_of_every_format_is_replayed(golden, tmp_path):
    shutil.copy(golden / "journal.sqlite", tmp_path)
    assert await read(tmp_path) == json.loads((golden / "expected.json").read_text())


def test_the_present_format_has_a_golden_journal():
    assert GOLDEN[-1].name == f"journal-{FORMAT}"


async def test_a_journal_from_before_records_had_a_checksum_is_read_and_brought_up_to_date(home, expected):
    with contextlib.closing(sqlite3.connect(home / "journal.sqlite")) as db:
        db.execute("ALTER TABLE executions DROP COLUMN crc")
    assert await read(home) == expected
    journal = SQLiteJournal(home / "journal.sqlite")
    await journal.open("test")
    assert len(await journal.records()) == len(expected)
    await journal.close()
    assert await read(home) == expected


async def test_a_journal_of_a_newer_format_is_refused_and_left_as_it_is(home):
    change(home, "UPDATE meta SET value = ? WHERE key = 'format'", FORMAT + 1)
    before = (home / "journal.sqlite").read_bytes()
    for read_only in (True, False):
        with pytest.raises(
            ConfigurationError, match=f"has format {FORMAT + 1}; this Wingbeat reads formats up to {FORMAT}"
        ):
            async with Kernel(home, read_only=read_only):
                pass
    with contextlib.closing(sqlite3.connect(home / "journal.sqlite")) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == (FORMAT + 1,)
        assert db.execute("PRAGMA user_version").fetchone() == (0,)
    assert len((home / "journal.sqlite").read_bytes()) == len(before)


# -- bytes that changed


async def test_a_flipped_bit_in_any_row_of_facts_is_seen_named_and_kept_to_its_execution(home, expected, seed):
    dice = random.Random(seed)
    for execution, sequence, body in rows(home, "SELECT execution, sequence, body FROM facts"):
        where = "UPDATE facts SET body = ? WHERE execution = ? AND sequence = ?"
        snapshot = rows(home, f"SELECT sequence FROM snapshots WHERE execution = '{execution}'")
        change(home, where, flipped(body, dice), execution, sequence)
        found = await read(home)
        if not snapshot or snapshot[0][0] < sequence:
            assert damaged(found) == {execution}
            assert execution in str(found[execution])
        others = {name: said for name, said in found.items() if name not in damaged(found)}
        assert others == {name: said for name, said in expected.items() if name in others}
        change(home, where, body, execution, sequence)


@pytest.mark.parametrize("column", ["inputs", "launch_key", "labels", "workflow"])
async def test_a_flipped_bit_in_a_record_is_seen_named_and_kept_to_its_execution(home, expected, column, seed):
    dice = random.Random(seed)
    for execution, value in rows(home, f"SELECT id, {column} FROM executions"):
        other = flipped(value, dice) if isinstance(value, bytes) else value[:-1] + chr(ord(value[-1]) ^ 1)
        change(home, f"UPDATE executions SET {column} = ? WHERE id = ?", other, execution)
        found = await read(home)
        assert damaged(found) == {execution}
        change(home, f"UPDATE executions SET {column} = ? WHERE id = ?", value, execution)
    assert await read(home) == expected


async def test_a_flipped_bit_in_a_closure_is_seen(home, expected, seed):
    dice = random.Random(seed)
    for name, body in rows(home, "SELECT digest, body FROM closures"):
        change(home, "UPDATE closures SET body = ? WHERE digest = ?", flipped(body, dice), name)
        found = await read(home)
        # What a dynamic workflow called names a bundle that nobody asks for: its caller's counts.
        assert damaged(found) or digest(body) != name
        assert all(isinstance(said, JournalUnknown) or said == expected[i] for i, said in found.items())
        change(home, "UPDATE closures SET body = ? WHERE digest = ?", body, name)
    assert await read(home) == expected


async def test_a_flipped_bit_in_any_page_is_an_error_or_changes_nothing(home, expected, seed, tell):
    dice = random.Random(seed)
    whole = (home / "journal.sqlite").read_bytes()
    size = int.from_bytes(whole[16:18], "big")
    seen = 0
    for start in range(0, len(whole), size):
        (home / "journal.sqlite").write_bytes(
            whole[:start] + flipped(whole[start : start + size], dice) + whole[start + size :]
        )
        try:
            found = await read(home)
        except (JournalUnknown, ConfigurationError):
            seen += 1
            continue
        seen += bool(damaged(found))
        for name, said in found.items():
            assert isinstance(said, WingbeatError) or name not in expected or said == expected[name], (
                f"page at {start}: {name}"
            )
    tell(f"bit flips: one in each of {len(whole) // size} pages of a journal, {seen} seen, 0 believed")


PROGRAM = """
    import asyncio, os, sys
    from steps import kept
    from wingbeat import Kernel

    async def main(folder):
        async with Kernel(folder + "/home") as kernel:
            execution = await kernel.launch(kept, {"folder": folder, "tag": "kept"})
            print(await execution.result(), [n.cache and str(n.cache) for n in (await execution.describe()).nodes])

    asyncio.run(main(sys.argv[1]))
"""
KEPT = """

@task(cache=True)
def long_text(folder: str, tag: str) -> str:
    mark(folder, f"{tag}/long")
    return "x" * 100_000


@task
def length(text: str) -> int:
    return len(text)


@workflow
def kept(folder: str, tag: str) -> int:
    return length(long_text(folder, tag))
"""


@pytest.mark.parametrize("what", ["catalog", "object"])
async def test_a_damaged_entry_or_object_is_a_miss_and_not_a_hit(place, what):
    steps = place.folder / "steps.py"
    steps.write_text(steps.read_text() + KEPT)
    (place.folder / "kept.py").write_text(textwrap.dedent(PROGRAM))

    def run() -> None:
        command = [sys.executable, "kept.py", str(place.folder)]
        done = subprocess.run(command, cwd=place.folder, capture_output=True, text=True, timeout=50)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("100000 "), done.stdout

    await asyncio.to_thread(run)
    await asyncio.to_thread(run)
    assert len(place.marks()) == 1, "the second time is a hit"
    if what == "catalog":
        with contextlib.closing(sqlite3.connect(place.home / "catalog.sqlite")) as db, db:
            db.execute("UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), 'size', 'sise') AS BLOB)")
    else:
        (stored,) = [path for path in (place.home / "storage" / "objects").iterdir() if path.stat().st_size == 100_002]
        status = stored.stat()
        stored.chmod(0o644)
        stored.write_bytes(b'"y' + stored.read_bytes()[2:])
        os.utime(stored, ns=(status.st_atime_ns, status.st_mtime_ns))  # as a disk would do it
    await asyncio.to_thread(run)
    assert len(place.marks()) == 2, "what was damaged was used"
    await asyncio.to_thread(run)
    assert len(place.marks()) == 2, "what was computed again was kept"
