"""Where executions come from, also those that others have launched as their children."""

import pytest

from wingbeat.contracts.admin import ENTITY_LABEL
from wingbeat.contracts.artifacts import USES_LABEL, Tie
from wingbeat.contracts.engine import Change, Summary
from wingbeat.spec.phase import ExecutionPhase
from wingbeat_admin.local import artifacts, schema
from wingbeat_admin.local.schema import open_file
from wingbeat_admin.local.store import PARENT_LABEL, Store

PLACE = {"project": "eta", "domain": "production"}


@pytest.fixture
def store(tmp_path):
    found = Store(open_file(tmp_path / "admin.sqlite"))
    yield found
    found.close()


def note(store, **labels):
    for id, given in labels.items():
        phase = ExecutionPhase.SUCCEEDED
        store.project([Change(store.cursor() + 1, Summary(id, "m.w", phase, 1.0, 2.0, {**PLACE, **given}))], 0.0)


def family(store):
    """A parent that took an artifact, its child, and the child of that."""
    note(
        store,
        parent={ENTITY_LABEL: "eta/production/w@v1", USES_LABEL: '{"n":"eta/production/a@maker"}'},
        child={PARENT_LABEL: "parent/n0"},
        grandchild={PARENT_LABEL: "child/n1/x"},
    )


TAKEN = Tie("eta/production/a@maker", "taken by", "parent")
FIRST, SECOND = Tie("parent", "launched", "child"), Tie("child", "launched", "grandchild")


def test_children_are_tied_to_their_parents(store):
    family(store)
    assert store.lineage("parent").effects == [FIRST, SECOND]
    assert store.lineage("grandchild").sources[:3] == [SECOND, FIRST, TAKEN]
    elsewhere = ("maps/*",)
    note(store, foreign={"project": "maps", PARENT_LABEL: "parent/n2"})
    assert store.lineage("foreign", elsewhere).sources == []


def test_what_is_of_places_where_one_may_not_look_is_counted(store):
    family(store)
    note(
        store,
        foreign={"project": "maps", PARENT_LABEL: "parent/n2", USES_LABEL: '{"n":"eta/production/a@maker"}'},
        twice={"project": "maps", PARENT_LABEL: "parent/n3"},
        behind={"project": "maps", PARENT_LABEL: "foreign/n0"},
    )
    found = store.lineage("parent", ("eta/*",))
    assert (found.effects, found.effects_elsewhere, found.sources_elsewhere) == ([FIRST, SECOND], 2, 0)
    found = store.lineage("foreign", ("maps/*",))
    assert (found.sources, found.sources_elsewhere) == ([], 2), "its parent, and what it took"
    assert [tie.target for tie in found.effects] == ["behind"]
    assert store.lineage("parent").effects_elsewhere == 0, "all is seen"
    store.forget(["parent"])
    assert store.lineage("foreign", ("maps/*",)).sources_elsewhere == 1, "what is not known any more is not hidden"


def test_children_are_forgotten(store):
    family(store)
    store.forget(["child"])
    assert store.lineage("parent").effects == []
    assert store.lineage("grandchild").sources == []


def test_children_of_a_file_of_before_are_tied_from_then_on(tmp_path, monkeypatch):
    before = schema._STEPS[: schema._STEPS.index(artifacts.CHILDREN)]
    with monkeypatch.context() as older:
        older.setattr(schema, "_STEPS", before)
        older.setattr(schema, "FORMAT", len(before))
        store = Store(open_file(tmp_path / "admin.sqlite"))
        for id in ("parent", "old"):
            store.db.execute(
                "INSERT INTO executions (id, workflow, phase, created_at, project, domain, name, entity, cause, labels) "
                "VALUES (?, 'm.w', 'SUCCEEDED', 1.0, 'eta', 'production', '', '', '', '{}')",
                (id,),
            )
        store.close()
    store = Store(open_file(tmp_path / "admin.sqlite"))
    note(store, new={PARENT_LABEL: "parent/n0"})
    assert store.lineage("parent").effects == [Tie("parent", "launched", "new")]
    store.close()
