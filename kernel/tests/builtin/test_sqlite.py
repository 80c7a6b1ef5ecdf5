"""The SQLite journal: the contract, and what is its own."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from wingbeat.base.errors import ConfigurationError, JournalUnknown, NotFound
from wingbeat.builtin.settings import JournalSettings
from wingbeat.builtin.sqlite import SQLiteJournal
from wingbeat.contracts.journal import Batch, FencedOut, Journal, Snapshot
from wingbeat.testing.conformance.journal import JournalContract, record, rows
from wingbeat.testing.conformance.journal_prune import PruneContract


def at(place: Path, **options) -> SQLiteJournal:
    return SQLiteJournal(place / "journal.sqlite", **options)


class TestSQLiteJournal(JournalContract, PruneContract):
    def make(self, home) -> Journal:
        return at(Path(home.path))

    @contextlib.asynccontextmanager
    async def full(self, journal):
        ((pages,),) = await journal._connection.execute_fetchall("PRAGMA page_count")
        await journal._connection.execute_fetchall(f"PRAGMA max_page_count = {pages + 2}")
        yield
        await journal._connection.execute_fetchall("PRAGMA max_page_count = 1000000")


class TestSQLiteJournalWithNormalSynchronous(JournalContract):
    examples = 5

    def make(self, home) -> Journal:
        return at(Path(home.path), settings=JournalSettings(synchronous="NORMAL"))


async def filled(place: Path) -> None:
    journal = at(place)
    fence = await journal.open("me")
    await journal.append(Batch(rows=rows("a", b"zero", b"one", b"two"), launches=[record("a")]), fence)
    await journal.snapshot(Snapshot("a", 1, b"state"), fence)
    await journal.close()


def alter(place: Path, statement: str, *values) -> None:
    db = sqlite3.connect(place / "journal.sqlite")
    with db:
        db.execute(statement, values)
    db.close()


async def read(place: Path, *, read_only: bool = False):
    journal = at(place)
    await (journal.open_to_read() if read_only else journal.open("reader"))
    try:
        return await journal.read("a")
    finally:
        await journal.close()


# -- damage


@pytest.mark.parametrize(
    ("damage", "row"),
    [
        ("UPDATE facts SET body = x'00' WHERE sequence = 1", 1),
        ("DELETE FROM facts WHERE sequence = 0", 0),
        ("DELETE FROM facts WHERE sequence = 1", 1),
        ("UPDATE facts SET sequence = 7 WHERE sequence = 2", 2),
    ],
)
async def test_a_row_that_is_changed_or_missing_is_found_and_named(tmp_path, damage, row):
    await filled(tmp_path)
    alter(tmp_path, damage)
    with pytest.raises(JournalUnknown, match=f"execution a is damaged at row {row}"):
        await read(tmp_path)


async def test_a_damaged_snapshot_counts_as_none(tmp_path):
    await filled(tmp_path)
    alter(tmp_path, "UPDATE snapshots SET body = x'00'")
    journal = at(tmp_path)
    await journal.open("me")
    assert await journal.latest("a") is None
    await journal.close()


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_file_that_is_no_database_says_so(tmp_path, read_only):
    (tmp_path / "journal.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(JournalUnknown, match=r"journal.*sqlite"):
        await read(tmp_path, read_only=read_only)


# -- settings and format


async def test_commits_are_synchronous_unless_asked_otherwise(tmp_path):
    for settings, expected in ((None, 2), (JournalSettings(synchronous="NORMAL"), 1)):
        journal = at(tmp_path, settings=settings)
        await journal.open("me")
        assert await journal._connection.execute_fetchall("PRAGMA synchronous") == [(expected,)]
        assert await journal._connection.execute_fetchall("PRAGMA journal_mode") == [("wal",)]
        await journal.close()


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_newer_format_is_refused(tmp_path, read_only):
    await filled(tmp_path)
    alter(tmp_path, "UPDATE meta SET value = 99 WHERE key = 'format'")
    journal = at(tmp_path)
    with pytest.raises(ConfigurationError, match="format 99; this Wingbeat reads formats up to 1"):
        await (journal.open_to_read() if read_only else journal.open("me"))
    assert journal._db is None, "what was refused holds no connection"


async def test_a_newer_format_is_left_as_it_is(tmp_path):
    await filled(tmp_path)
    alter(tmp_path, "UPDATE meta SET value = 99 WHERE key = 'format'")
    alter(tmp_path, "DROP TABLE snapshots")
    with pytest.raises(ConfigurationError):
        await at(tmp_path).open("me")
    db = sqlite3.connect(tmp_path / "journal.sqlite")
    assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'snapshots'").fetchall()
    db.close()


# -- one writer, many readers


def connections(place: Path) -> list[str]:
    links = (Path("/proc/self/fd") / fd for fd in os.listdir("/proc/self/fd"))
    found = []
    for link in links:
        try:
            found.append(os.readlink(link))
        except OSError:
            continue
    return [name for name in found if name == str(place / "journal.sqlite")]


async def test_there_is_exactly_one_connection(tmp_path):
    journal = at(tmp_path)
    fence = await journal.open("me")
    await journal.append(Batch(rows=rows("a", b"0"), launches=[record("a")]), fence)
    await journal.snapshot(Snapshot("a", 0, b"s"), fence)
    await journal.read("a")
    assert len(connections(tmp_path)) == 1
    await journal.close()
    assert connections(tmp_path) == []


async def test_a_reader_beside_the_writer_sees_what_was_committed_and_writes_nothing(tmp_path):
    writer = at(tmp_path)
    fence = await writer.open("me")
    await writer.append(Batch(rows=rows("a", b"0"), launches=[record("a")]), fence)
    reader = at(tmp_path)
    await reader.open_to_read()
    assert len(await reader.read("a")) == 1
    await writer.append(Batch(rows=rows("a", b"1", start=1)), fence)
    assert len(await reader.read("a")) == 2
    with pytest.raises(JournalUnknown):
        await reader.append(Batch(rows=rows("a", b"2", start=2)), fence)
    await reader.close()
    await writer.append(Batch(rows=rows("a", b"2", start=2)), fence)
    await writer.close()


async def test_a_journal_that_was_closed_can_be_read(tmp_path):
    await filled(tmp_path)
    assert len(await read(tmp_path, read_only=True)) == 3


async def test_a_missing_journal_cannot_be_read(tmp_path):
    with pytest.raises(NotFound):
        await read(tmp_path, read_only=True)
    assert os.listdir(tmp_path) == [], "reading makes no file"


async def test_a_file_that_another_process_holds_is_waited_for_and_then_given_up(tmp_path):
    await filled(tmp_path)
    journal = at(tmp_path, settings=JournalSettings(busy_timeout_s=0.05))
    fence = await journal.open("me")
    other = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnknown, match="locked"):
        await journal.append(Batch(rows=rows("a", b"three", start=3)), fence)
    other.execute("ROLLBACK")
    other.close()
    await journal.append(Batch(rows=rows("a", b"three", start=3)), fence)
    await journal.close()


# -- crashes

WRITER = """
    import asyncio, sys
    from pathlib import Path
    from wingbeat.builtin.sqlite import SQLiteJournal
    from wingbeat.contracts.journal import Batch
    from wingbeat.testing.conformance.journal import record, rows

    async def main(place):
        journal = SQLiteJournal(place / "journal.sqlite")
        fence = await journal.open("victim")
        number = 0
        while True:
            a, b = f"a{number}", f"b{number}"
            await journal.append(Batch(rows=[*rows(a, b"0"), *rows(b, b"0")], launches=[record(a), record(b)]), fence)
            print(number, flush=True)
            number += 1

    asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
async def test_after_a_kill_what_was_acknowledged_is_there_and_batches_are_whole(tmp_path, acknowledged):
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        while (last := int(writer.stdout.readline())) < acknowledged:
            pass
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        last = max([last, *map(int, writer.stdout.read().split())])
    journal = at(tmp_path)
    await journal.open("me")
    for number in range(last + 1):
        assert len(await journal.read(f"a{number}")) == len(await journal.read(f"b{number}")) == 1
    names = {r.execution for r in await journal.records(limit=10**6)}
    assert {n[1:] for n in names if n[0] == "a"} == {n[1:] for n in names if n[0] == "b"}
    await journal.close()


# -- a full disk

FULL = """
    import asyncio, os, subprocess, sys
    from pathlib import Path
    from wingbeat.builtin.sqlite import SQLiteJournal
    from wingbeat.contracts.journal import Batch, Snapshot, StorageFull
    from wingbeat.testing.conformance.journal import record, rows

    place = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)

    async def main():
        journal = SQLiteJournal(place / "journal.sqlite")
        fence = await journal.open("me")
        ballast = place / "ballast"
        ballast.write_bytes(b"x" * 300_000)
        number, full = 0, 0
        while full < 3:
            launches = [record(f"e{number}")] if number % 2 else []
            try:
                await journal.append(Batch(rows=rows("a", os.urandom(20_000), start=number), launches=launches), fence)
                number += 1
            except StorageFull:
                full += 1
        try:
            await journal.snapshot(Snapshot("a", 0, os.urandom(60_000)), fence)
        except StorageFull:
            full += 1
        assert len(await journal.read("a")) == number, "reading goes on"
        ballast.unlink()
        await journal.append(Batch(rows=rows("a", os.urandom(20_000), start=number)), fence)
        assert len(await journal.read("a")) == number + 1
        await journal.close()
        print("went on after", number, "rows, full", full, "times")

    asyncio.run(main())
"""


def private_mounts() -> bool:
    return (
        os.geteuid() == 0
        and subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not private_mounts(), reason="mounting a small disk needs root and 'unshare -m'")
def test_a_full_disk_is_told_and_work_goes_on_when_there_is_room(tmp_path):
    command = ["unshare", "-m", sys.executable, "-c", textwrap.dedent(FULL), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "went on after" in done.stdout
    assert "full 4 times" in done.stdout


# -- cancellation


async def test_a_cancelled_append_leaves_no_transaction_open(tmp_path):
    journal = at(tmp_path)
    fence = await journal.open("me")
    for turns in range(20):
        task = asyncio.create_task(
            journal.append(Batch(rows=rows(f"e{turns}", b"0"), launches=[record(f"e{turns}")]), fence)
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # What was begun may go on still: asked in the connection's thread, it is asked behind that.
        assert not await journal._at_once(lambda db: db.in_transaction)
    await journal.close()


async def test_a_damaged_record_is_marked_and_the_others_are_whole(tmp_path):
    journal = at(tmp_path)
    fence = await journal.open("me")
    await journal.append(Batch(rows=[*rows("a", b"0"), *rows("b", b"0")], launches=[record("a"), record("b")]), fence)
    await journal.close()
    alter(tmp_path, "UPDATE executions SET inputs = ? WHERE id = 'a'", b"other")
    journal = at(tmp_path)
    await journal.open("me")
    assert {r.execution: r.damaged for r in await journal.records()} == {"a": True, "b": False}
    await journal.close()


async def test_who_is_fenced_out_is_told_so_when_it_launches_what_the_next_one_has_launched(tmp_path):
    first, second = at(tmp_path), at(tmp_path)
    old, new = await first.open("first"), await second.open("second")
    await second.append(Batch(rows=rows("a", b"0"), launches=[record("a")]), new)
    with pytest.raises(FencedOut):
        await first.append(Batch(rows=rows("a", b"0"), launches=[record("a")]), old)
    await first.close()
    await second.close()


async def test_a_log_that_cannot_be_made_is_an_error_and_not_another_mode(tmp_path):
    path = tmp_path / "journal.sqlite"
    held = sqlite3.connect(path, isolation_level=None)
    held.execute("CREATE TABLE other(x)")
    held.execute("BEGIN")
    held.execute("SELECT * FROM other").fetchall()
    journal = at(tmp_path, settings=JournalSettings(busy_timeout_s=0.1))
    with pytest.raises(JournalUnknown):
        await journal.open("me")
    held.close()
