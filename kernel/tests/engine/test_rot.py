"""Bits that flip in what the journal has of executions as a whole: none that has not ended is overlooked, none ends twice."""

import contextlib
import random
import sqlite3

import pytest

from wingbeat.base.errors import JournalUnknown, WingbeatError
from wingbeat.contracts.executor import Failed
from wingbeat.spec.literal import Inline
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.fakes import ScriptedExecutor, success
from wingbeat.testing.plans import Job, make_closure

ONE = make_closure({"a": Job()}, returns=["a"])
FLIPS = 150
RUNNING, DONE, FAILED = ("run-a", "run-b", "run-c"), ("done-a", "done-b"), ("failed-a",)
TREES = ("executions", "executions_live", "executions_key", "meta")


def behaviour(request):
    if request.id.startswith("run"):
        return None
    return Failed(ErrorInfo("Bad", "bad", retryable=False)) if request.id.startswith("failed") else success(7)


@pytest.fixture
async def rotten(bench):
    """A journal with executions that have ended, and some that have not."""
    bench.executor.behaviour = behaviour
    async with bench.engine() as engine:
        for name in (*RUNNING, *DONE, *FAILED):
            await engine.launch(bench.request(ONE, name))
        for name in (*DONE, *FAILED):
            await engine.wait(name)
    return bench


def change(bench, statement, *values):
    with contextlib.closing(sqlite3.connect(bench.place / "journal.sqlite")) as db, db:
        assert db.execute(statement, values).rowcount == 1


def stored(bench, name):
    with contextlib.closing(sqlite3.connect(bench.place / "journal.sqlite")) as db:
        return db.execute("SELECT phase, ended_at IS NULL FROM executions WHERE id = ?", (name,)).fetchone()


async def check(bench, told=lambda: ""):
    """Open it: what had not ended goes on, or is told; what had ended is as it was."""
    bench.executor = ScriptedExecutor(lambda _: success(8))
    async with bench.engine() as engine:
        aside = {*engine.quarantined, *engine._recovery._aside}
        for name in RUNNING:
            try:
                assert await engine.wait(name) == "SUCCEEDED"
                assert (await engine.describe(name)).outputs == {"o0": Inline(8)}
            except JournalUnknown:
                raise  # nobody overlooks that
            except WingbeatError as error:
                told_of = name in aside or name in told()
                assert told_of, f"{name} is overlooked: {error}"  # noqa: PT017  # else it is as it should be
        for name in (*DONE, *FAILED):
            assert f"{name}/a/0" not in bench.executor.submitted
            with contextlib.suppress(WingbeatError):
                assert await engine.wait(name) == ("FAILED" if name in FAILED else "SUCCEEDED")
            with contextlib.suppress(WingbeatError):
                view = await engine.describe(name)
                assert (view.phase, view.outputs) in (("FAILED", None), ("SUCCEEDED", {"o0": Inline(7)}))
        with contextlib.suppress(WingbeatError):
            phases = {summary.id: summary.phase for summary in await engine.executions()}
            assert {phases[name] for name in DONE if name in phases} <= {"SUCCEEDED"}
    assert max(bench.executor.submitted.values(), default=0) <= 1


@pytest.mark.parametrize(
    "what", ["phase = 'FAILED'", "phase = 'RUNNIOG'", "ended_at = 0", "phase = 'FAILED', ended_at = 7.5"]
)
@pytest.mark.parametrize("index", ["", "executions_live"])
async def test_one_that_looks_ended_and_is_not_goes_on(rotten, what, index):
    if index:  # as where the bit flipped before the index was made
        change(rotten, f"UPDATE executions SET {what} WHERE id = 'run-b'")
    else:
        with contextlib.closing(sqlite3.connect(rotten.place / "journal.sqlite")) as db, db:
            (made,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'executions_live'").fetchone()
            db.execute("DROP INDEX executions_live")
            db.execute(f"UPDATE executions SET {what} WHERE id = 'run-b'")
            db.execute(made)
    await check(rotten)
    assert stored(rotten, "run-b") == ("SUCCEEDED", 0)
    await check_ended(rotten, "run-b")


@pytest.mark.parametrize("what", ["phase = 'RUNNING'", "ended_at = NULL", "ended_at = 8.0", "end_crc = 5"])
@pytest.mark.parametrize("name", ["done-a", "failed-a"])
async def test_one_that_has_ended_stays_so(rotten, what, name):
    change(rotten, f"UPDATE executions SET {what} WHERE id = ?", name)
    await check_ended(rotten, name)
    await check(rotten)
    await check_ended(rotten, name)


async def check_ended(bench, name):
    """It is known to have ended by who waits for it, by a list, and by nobody is it taken up."""
    phase = "FAILED" if name in FAILED else "SUCCEEDED"
    async with bench.engine() as engine:
        assert name not in engine._lives
        assert await engine.wait(name) == phase
        (summary,) = [summary for summary in await engine.executions() if summary.id == name]
        assert (summary.phase, summary.ended_at) == (phase, (await engine.describe(name)).ended_at)


async def test_a_count_that_is_wrong_is_put_right(rotten, caplog):
    change(rotten, "UPDATE meta SET value = 1 WHERE key = 'live'")
    await check(rotten)
    assert "looks at all" in caplog.text
    caplog.clear()
    async with rotten.engine():
        assert "looks at all" not in caplog.text


async def test_a_journal_from_before_there_was_a_count_gets_one(rotten, caplog):
    with contextlib.closing(sqlite3.connect(rotten.place / "journal.sqlite")) as db, db:
        db.execute("ALTER TABLE executions DROP COLUMN end_crc")
        db.execute("DELETE FROM meta WHERE key = 'live'")
    await check(rotten)
    async with rotten.engine():
        assert not caplog.text
    with contextlib.closing(sqlite3.connect(rotten.place / "journal.sqlite")) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'live'").fetchone() == (0,)


async def test_one_whose_record_is_gone_is_named(rotten, caplog):
    change(rotten, "DELETE FROM executions WHERE id = 'run-b'")
    await check(rotten, lambda: caplog.text)
    assert "record of execution run-b is not in the journal any more" in caplog.text


async def test_no_flipped_bit_hides_one_that_has_not_ended_or_revives_one_that_has(rotten, caplog):
    dice, path = random.Random(4), rotten.place / "journal.sqlite"
    whole = path.read_bytes()
    size = int.from_bytes(whole[16:18], "big")
    with contextlib.closing(sqlite3.connect(path)) as db:
        pages = [page for name, page in db.execute("SELECT name, rootpage FROM sqlite_master") if name in TREES]
    assert len(pages) == len(TREES)
    refused = 0
    for _ in range(FLIPS):
        # Where something is: the header and the pointers of a page, or its cells at the end.
        page, part = dice.choice(pages), dice.choice((range(64), range(size - 1200, size)))
        at = (page - 1) * size + dice.choice(part)
        bit = 1 << dice.randrange(8)
        for left in rotten.place.glob("journal.sqlite-*"):
            left.unlink()
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        caplog.clear()
        try:
            await check(rotten, lambda: caplog.text)
        except WingbeatError:
            refused += 1
        except AssertionError as error:
            raise AssertionError(f"bit {bit} of byte {at}, page {page}: {error}\n{caplog.text}") from error
    assert refused < FLIPS / 2
