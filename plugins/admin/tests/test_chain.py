"""The audit log is a chain of digests: what is changed, taken out or put in by hand is noticed; sweeping keeps it whole."""

import sqlite3

import pytest

from wingbeat.base.errors import InputError
from wingbeat.contracts.access import AuditEntry, Outcome
from wingbeat_admin.local import audit, chain, schema
from wingbeat_admin.local.chain import Walk
from wingbeat_admin.local.schema import open_file

DAY_S = 86_400.0


def entry(number):
    return AuditEntry(0.0, "apikey:ci", "launch", f"thing {number}", Outcome.ALLOWED, "maps", "production")


def add(db, numbers, at=1000.0, days=365):
    for number in numbers:
        audit.append(db, entry(number), at + number, days)


def verified(db, held=""):
    walk = Walk(held)
    while walk.go_on(db):
        pass
    return walk.found()


@pytest.fixture
def db(tmp_path):
    found = open_file(tmp_path / "admin.sqlite")
    yield found
    found.close()


def test_what_was_written_is_whole(db):
    assert verified(db).count == 0
    add(db, range(1, 8))
    found = verified(db)
    assert (found.wrong, found.first, found.count, found.before) == ([], 1, 7, 0)
    assert found.newest.startswith("7:")
    add(db, range(8, 10))
    assert verified(db, found.newest).wrong == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE audit SET principal = 'user:eve' WHERE number = 4", "entry 4 is not what was written"),
        ("UPDATE audit SET at = at + 1e-6 WHERE number = 1", "entry 1 is not what was written"),
        ("UPDATE audit SET digest = NULL WHERE number = 4", "entry 4 is not what was written"),
        ("DELETE FROM audit WHERE number = 1", "entry 1 is not there"),
        ("DELETE FROM audit WHERE number IN (3, 4)", "entries 3 to 4 are not there"),
        ("DELETE FROM audit WHERE number > 5", "entries 6 to 7 are not there"),
        ("DELETE FROM audit", "entries 1 to 7 are not there"),
        (
            f"INSERT INTO audit SELECT 8, {audit.COLUMNS}, digest FROM audit WHERE number = 7",
            "entry 8 is not what was written",
        ),
    ],
)
def test_what_was_changed_by_hand_is_noticed(db, change, told):
    add(db, range(1, 8))
    db.execute(change)
    assert told in verified(db).wrong


def test_a_chain_that_was_written_anew_is_told_by_a_digest_that_was_kept(db):
    add(db, range(1, 8))
    kept = verified(db).newest
    db.execute("DELETE FROM audit")
    db.execute("DELETE FROM sqlite_sequence")
    audit._set_mark(db, audit.NEWEST, 0, b"")
    add(db, [1, 2, 33, 4, 5, 6, 7, 8])
    assert verified(db).wrong == []
    assert verified(db, kept).wrong == ["entry 7 has another digest than it had: the log up to it was written anew"]
    assert verified(db, f"99:{'0' * 64}").wrong == ["entry 99 is not there"]
    for none in ("7", f"7:{'g' * 64}", f"-1:{'0' * 64}"):
        with pytest.raises(InputError):
            Walk(none)


def test_sweeping_leaves_an_anchor(db):
    add(db, range(1, 8))
    kept = verified(db).newest
    add(db, [8], at=1000.0 + 2 * DAY_S, days=1)
    assert [number for (number,) in db.execute("SELECT number FROM audit ORDER BY number")] == [8]
    found = verified(db)
    assert (found.wrong, found.first, found.count) == ([], 8, 1)
    assert verified(db, kept).wrong == []
    older = f"6:{kept.partition(':')[2]}"
    assert verified(db, older).wrong == ["entry 6 is not kept any more: nothing can be said of it"]
    db.execute("UPDATE audit SET object = 'x'")
    assert verified(db).wrong


def test_an_entry_of_a_later_clock_keeps_those_behind_it(db):
    add(db, [1, 2])
    audit.append(db, entry(3), 1000.0 + 30 * DAY_S, 365)
    add(db, [4, 5])
    add(db, [6], at=1000.0 + 3 * DAY_S, days=1)
    assert [number for (number,) in db.execute("SELECT number FROM audit ORDER BY number")] == [3, 4, 5, 6]
    assert verified(db).wrong == []


def test_a_long_log_is_gone_along_in_parts_also_while_it_grows_and_is_swept(db, monkeypatch):
    monkeypatch.setattr(chain, "PART", 3)
    add(db, range(1, 11))
    walk, number = Walk(""), 11
    assert walk.go_on(db)
    add(db, [number], at=1000.0 + 2 * DAY_S, days=1)  # sweeps those that were looked at, and more
    while walk.go_on(db):
        pass
    assert walk.found().wrong == []


def test_what_is_older_than_digests_has_none(tmp_path, monkeypatch):
    before = schema._STEPS[: schema._STEPS.index(audit.CHAIN)]
    with monkeypatch.context() as older:
        older.setattr(schema, "_STEPS", before)
        older.setattr(schema, "FORMAT", len(before))
        db = open_file(tmp_path / "admin.sqlite")
        for _ in range(3):
            db.execute(f"INSERT INTO audit ({audit.COLUMNS}) VALUES (1, '', '', '', 'allowed', '', '', '', '')")
        db.execute("DELETE FROM audit WHERE number = 2")
        db.close()
    db = open_file(tmp_path / "admin.sqlite")
    found = verified(db)
    assert (found.wrong, found.count, found.before, found.newest) == ([], 0, 2, "")
    add(db, [4, 5])
    found = verified(db)
    assert (found.wrong, found.first, found.count, found.before) == ([], 4, 2, 2)
    add(db, [6], at=1000.0 + 900 * DAY_S)
    assert verified(db).wrong == []
    db.close()


def test_an_entry_and_its_digest_are_one_transaction(db):
    add(db, [1, 2])
    db.execute("BEGIN")
    audit.append(db, entry(3), 1003.0, 365)
    db.execute("ROLLBACK")
    add(db, [3])
    assert verified(db).wrong == []
    assert verified(db).count == 3
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT INTO audit (number) VALUES (9)")
