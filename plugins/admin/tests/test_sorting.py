"""Lists in every order: pages have what stays as it is once, whatever becomes of others; and files of before are sorted, too."""

import itertools
import random

import msgspec
import pytest

from wingbeat.base.errors import InputError, NotFound
from wingbeat.contracts.admin import BY_LABEL, CAUSE_LABEL, ENTITY_LABEL, EntityQuery, ExecutionQuery
from wingbeat.contracts.artifacts import USES_LABEL
from wingbeat.contracts.engine import Change, Summary
from wingbeat.spec.phase import ExecutionPhase
from wingbeat_admin.local import history, schema, selecting, sorting
from wingbeat_admin.local.history import Values
from wingbeat_admin.local.schema import open_file
from wingbeat_admin.local.store import Store

RUNNING, SUCCEEDED, FAILED = ExecutionPhase.RUNNING, ExecutionPhase.SUCCEEDED, ExecutionPhase.FAILED
SORTS = (
    "created_at", "ended_at", "duration", "name", "version", "workflow", "phase", "by", "inputs.n", "outputs.o0", "labels.team",
)  # fmt: skip


def execution(number, phase=SUCCEEDED, took=1.0, *, name="w", version="v1", by="", labels=None):
    begin = 1000.0 + number
    given = {
        "project": "eta",
        "domain": "production",
        ENTITY_LABEL: f"eta/production/{name}@{version}",
        **(labels or {}),
    }
    given |= {BY_LABEL: by} if by else {}
    return Summary(f"e{number}", f"m.{name}", phase, begin, begin + took if phase.terminal else None, given)


def note(store, *summaries):
    store.project([Change(store.cursor() + 1 + n, each) for n, each in enumerate(summaries)], 0.0)


def values(store, **inputs):
    """Give executions an input `n`."""
    store.add_values([Values(id, mark, {"n": inputs[id]}, {}) for id, mark in store.unread(1000) if id in inputs])


def listed(store, sort, limit=2, between=lambda: None, **query):
    """All pages, and what happens between them."""
    found, after = [], ""
    while True:
        page = store.executions(ExecutionQuery(sort=sort, limit=limit, after=after, **query))
        found += [each.id for each in page.items]
        after = page.following
        if not after:
            return found
        between()


@pytest.fixture
def store(tmp_path):
    found = Store(open_file(tmp_path / "admin.sqlite"))
    yield found
    found.close()


@pytest.mark.parametrize("most", [0, 1000])
def test_every_sort_goes_both_ways(store, monkeypatch, most):
    """Whether executions are gone along in their order, or found by conditions and sorted."""
    monkeypatch.setattr(selecting, "SORTED_MAX", most)
    note(
        store,
        execution(0, took=3.0, name="b", version="v10", by="user:zoe", labels={"team": "maps"}),
        execution(1, FAILED, took=2.0, name="a", version="v9", by="user:ana", labels={"team": "10"}),
        execution(2, RUNNING, name="a", version="v9", labels={"team": "9"}),
    )
    values(store, e0="10", e1="9.5", e2="sf")
    expected = {
        "created_at": ["e0", "e1", "e2"],
        "ended_at": ["e0", "e1"],
        "duration": ["e1", "e0"],
        "name": ["e1", "e2", "e0"],
        "version": ["e1", "e2", "e0"],
        "workflow": ["e1", "e2", "e0"],
        "phase": ["e1", "e2", "e0"],
        "by": ["e1", "e0"],
        "inputs.n": ["e1", "e0", "e2"],
        "outputs.o0": [],
        "labels.team": ["e2", "e1", "e0"],
    }
    assert set(expected) == set(SORTS)
    for sort, ids in expected.items():
        for query in ({}, {"project": "eta"}, {"within": ("eta/*", "maps/*")}, {"since": 0.0}):
            assert listed(store, sort, **query) == ids, (sort, query)
            assert listed(store, f"-{sort}", **query) == ids[::-1], (sort, query)
        assert listed(store, sort, project="maps") == []
        assert listed(store, sort, values=("inputs.n<=10",)) == [id for id in ids if id != "e2"]
        assert listed(store, sort, values=("inputs.n!=10",)) == [id for id in ids if id != "e0"]


@pytest.mark.parametrize("sort", SORTS)
def test_pages_have_what_stays_once_whatever_becomes_of_others(store, sort):
    """Others begin, end and are forgotten between pages, also the one that a page has ended with."""
    dice, count = random.Random(sort), itertools.count()  # not for secrets
    for _ in range(10):
        phases = {}

        def add(*chosen, phases=phases):
            number, phase = next(count), dice.choice(chosen)
            phases[f"e{number}"] = phase
            name, version, by = dice.choice("ab"), dice.choice(["v1", "v2"]), dice.choice(["", "user:x"])
            took, labels = dice.choice([1.0, 2.0]), {"team": dice.choice("ab")}
            note(store, execution(number, phase, took, name=name, version=version, by=by, labels=labels))
            values(store, **{f"e{number}": dice.choice(["1", "2", "x"])})

        for _ in range(8):
            add(RUNNING, SUCCEEDED, FAILED)
        way = dice.choice(["", "-"]) + sort
        before, touched = listed(store, way, 100), set()

        def between(phases=phases, touched=touched):
            id, what = dice.choice(sorted(phases)), dice.choice(["begin", "end", "forget"])
            if what == "begin":
                add(RUNNING, SUCCEEDED)
            elif what == "end" and phases[id] is RUNNING:
                phases[id] = FAILED
                touched.add(id)
                note(store, execution(int(id[1:]), FAILED, 9.0))
            elif what == "forget" and sort != "created_at":  # its pages are behind an execution that is there
                touched.add(id)
                store.forget([id])

        found = listed(store, way, dice.choice([1, 2, 3]), between)
        assert [id for id in found if id in before and id not in touched] == [id for id in before if id not in touched]
        store.forget(list(phases))


def test_a_page_that_is_none_or_of_another_list_is_refused(store):
    note(store, *(execution(number) for number in range(3)))
    values(store, e0="1")
    following = store.executions(ExecutionQuery(sort="name", limit=1)).following
    with pytest.raises(InputError, match="sorted by name, not by -name"):
        store.executions(ExecutionQuery(sort="-name", after=following))
    for wrong in (following[:-3], following + "!", "~", "~AAAA", following.replace("~", "~~"), "e9"):
        with pytest.raises(NotFound):
            store.executions(ExecutionQuery(sort="name", after=wrong))
    with pytest.raises(NotFound, match="it has nothing to be sorted by: inputs.n"):
        store.executions(ExecutionQuery(sort="inputs.n", after="e1"))
    with pytest.raises(NotFound):
        store.executions(ExecutionQuery(sort="name", after="e1", within=("maps/*",)))


@pytest.mark.parametrize(
    ("sort", "query"),
    [
        ("phase", {"phase": SUCCEEDED}),
        ("name", {"entity": "eta/production/w"}),
        ("version", {"entity": "eta/production/w@v1"}),
        ("workflow", {"workflow": "m.w"}),
        ("inputs.n", {"values": ("inputs.n=1",)}),
        ("inputs.n", {"values": ("inputs.n=1", "inputs.n>0", "inputs.n<2"), "project": "eta"}),
        ("labels.team", {"labels": {"team": "maps"}}),
        ("labels.size", {"labels": {"size": "10"}}),
    ],
)
@pytest.mark.parametrize("most", [0, 1000])
def test_what_is_equal_goes_by_launch(store, monkeypatch, sort, query, most):
    """The condition leaves one key: pages go on within it."""
    monkeypatch.setattr(selecting, "SORTED_MAX", most)
    note(store, *(execution(number, labels={"team": "maps", "size": "10"}) for number in range(5)))
    note(store, execution(5, FAILED, name="x", labels={"team": "eta", "size": "10.0"}))
    values(store, e0="1", e1="1.0", e2="1", e3="1", e4="1", e5="5")
    ids = [f"e{number}" for number in range(5)]
    assert listed(store, sort, **query) == ids
    assert listed(store, f"-{sort}", **query) == ids[::-1]


@pytest.mark.parametrize(
    ("label", "value", "expected"),
    [
        ("project", "eta", ["e0", "e1"]),
        ("project", "maps", []),
        ("domain", "production", ["e0", "e1"]),
        (ENTITY_LABEL, "eta/production/w@v1", ["e0", "e1"]),
        (CAUSE_LABEL, "m1", ["e1"]),
        (CAUSE_LABEL, "", []),
        (BY_LABEL, "user:ana", ["e0"]),
    ],
)
def test_labels_that_are_ours_are_looked_for(store, label, value, expected):
    note(store, execution(0, by="user:ana"), execution(1, labels={CAUSE_LABEL: "m1"}))
    assert listed(store, "created_at", labels={label: value}) == expected


@pytest.mark.parametrize("label", [USES_LABEL, "wingbeat/parent", "wingbeat/nothing"])
def test_labels_that_the_history_does_not_have_are_told(store, label):
    for query in (ExecutionQuery(labels={label: "x"}), ExecutionQuery(sort=f"labels.{label}")):
        with pytest.raises(InputError, match="does not have the label") as told:
            store.executions(query)
        assert f"found by project, domain, {ENTITY_LABEL}, {CAUSE_LABEL}, " in told.value.hint


def test_nothing_is_sorted_by_a_cause(store):
    with pytest.raises(InputError, match="does not have the label"):
        store.executions(ExecutionQuery(sort=f"labels.{CAUSE_LABEL}"))


SPANS = {"e0": "PT9H", "e1": "PT10M", "e2": "P1D", "e3": "-PT1M", "e4": "sf"}
MOMENTS = {
    "e0": "2026-03-29T05:00:00+02:00[Europe/Berlin]", "e1": "2026-03-28T23:30:00-05:00", "e2": "2026-10-25T02:30:00+01:00",
    "e3": "2026-03-29T02:59:59+00:00", "e4": "-",
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "condition", "expected"),
    [
        (SPANS, "", ["e3", "e1", "e0", "e2", "e4"]),
        (SPANS, "inputs.n>PT9H", ["e2"]),
        (SPANS, "inputs.n>=PT540M", ["e0", "e2"]),
        (SPANS, "inputs.n=PT600S", ["e1"]),
        (SPANS, "inputs.n!=PT600S", ["e3", "e0", "e2", "e4"]),
        (SPANS, "inputs.n<0", ["e3"]),
        (SPANS, "inputs.n>9h", ["e4"]),
        (SPANS, "inputs.n<9h", []),
        (MOMENTS, "", ["e3", "e0", "e1", "e2", "e4"]),
        (MOMENTS, "inputs.n=2026-03-29T03:00Z", ["e0"]),
        (MOMENTS, "inputs.n>=2026-03-29T03:00Z", ["e0", "e1", "e2"]),
        (MOMENTS, "inputs.n>=2026-03-30", ["e2"]),
    ],
)
@pytest.mark.parametrize("few", [0, 1000])
def test_moments_and_durations_are_compared_as_such(store, monkeypatch, given, condition, expected, few):
    monkeypatch.setattr(selecting, "FEW", few)
    note(store, *(execution(number) for number in range(5)))
    values(store, **given)
    more = {"values": (condition,)} if condition else {}
    assert listed(store, "inputs.n", **more) == expected
    assert sorted(listed(store, "created_at", **more)) == sorted(expected)


def test_moments_and_durations_of_a_file_of_before_are_compared_as_such(tmp_path, monkeypatch):
    before = schema._STEPS[: schema._STEPS.index(history.TIMES)]
    with monkeypatch.context() as older:
        older.setattr(schema, "_STEPS", before)
        older.setattr(schema, "FORMAT", len(before))
        older.setattr(history, "number_of", lambda text: None)
        store = Store(open_file(tmp_path / "admin.sqlite"))
        for number in range(5):
            row = (f"e{number}", 1000.0 + number, 1001.0 + number)
            store.db.execute(
                "INSERT INTO executions (id, workflow, phase, created_at, ended_at, project, domain, name, entity, cause, labels) "
                "VALUES (?, 'm.w', 'SUCCEEDED', ?, ?, 'eta', 'production', 'w', 'eta/production/w@v1', '', '{}')",
                row,
            )
            history.mark_unread(store.db, row[0])
        values(store, **SPANS)
        assert listed(store, "inputs.n", values=("inputs.n>PT9H",)) == []
        store.close()
    store = Store(open_file(tmp_path / "admin.sqlite"))
    assert listed(store, "inputs.n") == ["e3", "e1", "e0", "e2", "e4"]
    assert listed(store, "inputs.n", values=("inputs.n>PT9H",)) == ["e2"]
    store.close()


@pytest.mark.parametrize("sort", [each for each in SORTS if each != "created_at"])
def test_a_long_history_is_not_sorted_but_gone_along(store, sort):
    found = sorting.sorting_of(sort)
    having, given_ = found.having()
    where = f"project = 'eta' AND {having} AND {found.behind((5, 'x'))[0]}"
    query = f"EXPLAIN QUERY PLAN SELECT id FROM {found.source(along=True)} WHERE {where} ORDER BY {found.order} LIMIT 2"
    plan = [row[3] for row in store.db.execute(query, (*given_, "x", 5))]
    assert not [step for step in plan if "TEMP B-TREE" in step or "SCAN" in step], plan


def test_a_file_of_before_is_sorted(tmp_path, monkeypatch):
    before = schema._STEPS[: schema._STEPS.index(sorting.SCHEMA)]
    with monkeypatch.context() as older:
        older.setattr(schema, "_STEPS", before)
        older.setattr(schema, "FORMAT", len(before))
        db = open_file(tmp_path / "admin.sqlite")
        for number, (version, text, value) in enumerate((("v10", "10", 10.0), ("v9", "9", 9.0), ("v9", "sf", None))):
            row = (number, f"e{number}", f"eta/production/w@{version}")
            db.execute(
                "INSERT INTO executions VALUES (?, ?, 'm.w', 'SUCCEEDED', 1, 2, 'eta', 'production', 'w', ?, '', '{}')",
                row,
            )
            db.execute("INSERT INTO execution_values VALUES (?, 'inputs', 'n', ?, ?)", (number, text, value))
        for version, by in (("v10", "ana"), ("v9", "")):
            body = {"interface": {"inputs": [], "outputs": []}, "created_at": 1.0, **({"by": by} if by else {})}
            db.execute(
                "INSERT INTO entities (project, domain, name, version, kind, digest, closure, body) "
                "VALUES ('eta', 'production', 'w', ?, 'workflow', '', '', ?)",
                (version, msgspec.json.encode(body)),
            )
        db.close()
    store = Store(open_file(tmp_path / "admin.sqlite"))
    assert listed(store, "version") == ["e1", "e2", "e0"]
    assert listed(store, "-inputs.n") == ["e2", "e0", "e1"]
    assert listed(store, "-duration") == ["e2", "e1", "e0"]
    assert [each.id for each in store.entities(EntityQuery(by="ana")).items] == ["eta/production/w@v10"]
    found = store.entities(EntityQuery(sort="version")).items
    assert [each.id for each in found] == ["eta/production/w@v9", "eta/production/w@v10"]
    store.close()
