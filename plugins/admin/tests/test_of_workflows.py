"""What launch plans launch are executions of their workflows, too: they start what waits for those, and are listed with those."""

import pytest

from wingbeat import OnEnd, OnSuccess
from wingbeat.contracts.admin import ENTITY_LABEL, ExecutionQuery
from wingbeat.contracts.engine import Change, Summary
from wingbeat.spec.identity import parse_identity
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import launchplan
from wingbeat.testing.conformance.admin_stage import workflow as defined
from wingbeat_admin.local import history, inventory, schema, selecting, sorting
from wingbeat_admin.local.schema import open_file
from wingbeat_admin.local.store import Store
from wingbeat_admin.local.watched import warnings_of

TWICE = "wingbeat.testing.conformance.engine_flows.twice"
"""The name of the workflow itself, under which it is registered by files."""
SOURCE, PLAN, WAITS = f"maps/production/{TWICE}", "maps/production/daily", "eta/production/waits"
N = {"inputs": {"n": 1}}


@pytest.fixture
def store(tmp_path):
    found = Store(open_file(tmp_path / "admin.sqlite"))
    yield found
    found.close()


def put(store, definition, project="maps", *, version="v1", active=False):
    id = parse_identity(f"{project}/production/{definition.name}@{version}")
    store.register([id], [definition], 0.0, "me")
    if active:
        trigger = definition.plan.trigger
        store.activate(id, getattr(trigger, "workflow", ""), None, 0.0)
    return id


def ended(store, id, entity, phase=ExecutionPhase.SUCCEEDED):
    place = dict(zip(("project", "domain"), entity.split("/"), strict=False))
    one = Summary(id, TWICE, phase, 1.0, 2.0, {**place, ENTITY_LABEL: entity})
    return store.project([Change(store.cursor() + 1, one)], 2.0).launches


def waits(store, watched):
    trigger = OnSuccess(watched, inputs={"n": "o0"})
    return put(store, launchplan(flows.twice, "waits", trigger=trigger), "eta", active=True)


def test_an_end_through_a_launch_plan_starts_what_waits_for_the_workflow(store):
    put(store, defined(flows.twice, TWICE))
    put(store, launchplan(flows.twice, "daily", **N))
    waits(store, SOURCE)
    put(store, launchplan(flows.twice, "both", trigger=OnEnd(PLAN), **N), "eta", active=True)
    assert ended(store, "direct", f"{SOURCE}@v1") == 1
    assert ended(store, "planned", f"{PLAN}@v1") == 2
    assert ended(store, "planned", f"{PLAN}@v1") == 0, "it was decided"
    assert ended(store, "failed", f"{PLAN}@v1", ExecutionPhase.FAILED) == 1, "what waits for any end"
    due = {(one.entity, one.cause) for one in store.ready(10.0, 100)}
    every = {"eta/production/waits@v1": ("direct", "planned"), "eta/production/both@v1": ("planned", "failed")}
    assert due == {(entity, cause) for entity, causes in every.items() for cause in causes}


def test_only_a_workflow_that_is_registered_beside_the_plan_counts(store):
    put(store, defined(flows.twice, TWICE), "eta")
    put(store, launchplan(flows.twice, "daily", **N))
    waits(store, SOURCE)
    assert ended(store, "planned", f"{PLAN}@v1") == 0
    put(store, defined(flows.twice, TWICE), version="v9")
    assert ended(store, "later", f"{PLAN}@v1") == 1, "whatever its version: the plan has its own"
    assert ended(store, "gone", "maps/production/daily@v2") == 0


def test_a_launch_plan_that_waits_for_its_own_workflow_does_not_start_itself(store):
    """As one that tries again what has failed."""
    put(store, defined(flows.twice, TWICE))
    put(store, launchplan(flows.twice, "daily", **N))
    plan = launchplan(flows.twice, "again", trigger=OnEnd(SOURCE), **N)
    id = put(store, plan, active=True)
    assert warnings_of(store, id, plan, plan.plan) == []
    assert ended(store, "direct", f"{SOURCE}@v1") == 1
    assert ended(store, "planned", f"{PLAN}@v1") == 1
    assert ended(store, "its own", str(id)) == 0
    put(store, launchplan(flows.twice, "third", trigger=OnEnd(SOURCE), **N), active=True)
    waits(store, SOURCE)
    assert ended(store, "next", f"{SOURCE}@v1") == 3
    assert ended(store, "started", str(id)) == 1, "nor one of the same kind, for ever in turn; but what others have"


def test_a_circle_through_the_workflow_of_a_launch_plan_is_told(store):
    put(store, defined(flows.twice, TWICE))
    put(store, launchplan(flows.twice, "daily", trigger=OnSuccess(WAITS), **N), active=True)
    plan = launchplan(flows.twice, "waits", trigger=OnSuccess(SOURCE), **N)
    (told,) = warnings_of(store, put(store, plan, "eta"), plan, plan.plan)
    assert told == f"its own executions start it again, by way of {SOURCE}, and there is no end to it"
    store.deactivate(parse_identity(f"{PLAN}@v1").entity)
    assert warnings_of(store, parse_identity(f"{WAITS}@v1"), plan, plan.plan) == []


def test_a_launch_plan_whose_outputs_are_others_is_told(store):
    put(store, defined(flows.twice, TWICE))
    put(store, launchplan(flows.twice, "daily", **N), active=True)
    plan = launchplan(flows.twice, "waits", trigger=OnSuccess(SOURCE, inputs={"n": "o0"}))
    id = put(store, plan, "eta")
    assert warnings_of(store, id, plan, plan.plan) == []
    put(store, launchplan(flows.shout, "daily", inputs={"text": "x"}), version="v2")
    as_of_another_version = "UPDATE entities SET launches = ? WHERE name = 'daily'"
    store.db.execute(as_of_another_version, (TWICE,))
    store.activate(parse_identity(f"{PLAN}@v2"), "", None, 0.0)
    (told,) = warnings_of(store, id, plan, plan.plan)
    assert told.startswith(f"what {PLAN}@v2 launches does not start it: 'n' takes int, and 'o0' of {PLAN}@v2 is str")


def listed(store, entity, **query):
    return [each.id for each in store.executions(ExecutionQuery(entity=entity, **query)).items]


def history_of(store):
    for number, entity in enumerate((f"{SOURCE}@v1", f"{PLAN}@v1", f"{PLAN}@v2", f"{SOURCE}@v2", f"{WAITS}@v1")):
        ended(store, f"e{number}", entity)


def check_listed(store):
    assert listed(store, SOURCE) == ["e3", "e2", "e1", "e0"]
    assert listed(store, f"{SOURCE}@v1") == ["e1", "e0"]
    assert listed(store, PLAN) == ["e2", "e1"]
    assert listed(store, f"{PLAN}@v2") == ["e2"]
    assert listed(store, SOURCE, sort="name") == ["e1", "e2", "e0", "e3"]
    assert listed(store, f"{SOURCE}@v2", sort="-version") == ["e3", "e2"]


@pytest.mark.parametrize("most", [0, 1000])
def test_a_workflow_is_listed_with_what_its_launch_plans_launch(store, monkeypatch, most):
    monkeypatch.setattr(selecting, "SORTED_MAX", most)
    for version in ("v1", "v2"):
        put(store, defined(flows.twice, TWICE), version=version)
        put(store, launchplan(flows.twice, "daily", **N), version=version)
    history_of(store)
    check_listed(store)


def test_a_file_of_before_lists_it_so_too(tmp_path, monkeypatch):
    path = tmp_path / "admin.sqlite"
    store = Store(open_file(path))
    for version in ("v1", "v2"):
        put(store, defined(flows.twice, TWICE), version=version)
        put(store, launchplan(flows.twice, "daily", **N), version=version)
    history_of(store)
    before = schema._STEPS.index(inventory.LAUNCHING)
    assert schema._STEPS[before : before + 2] == (inventory.LAUNCHING, history.RUNS)
    for statement in (
        "DROP INDEX executions_by_runs", "DROP INDEX executions_by_run_version", "ALTER TABLE executions DROP COLUMN runs",
        "ALTER TABLE entities DROP COLUMN launches", f"PRAGMA user_version = {before}",
    ):  # fmt: skip
        store.db.execute(statement)
    store.close()
    monkeypatch.setattr(schema, "_STEPS", schema._STEPS[: before + 2])
    monkeypatch.setattr(schema, "FORMAT", before + 2)
    store = Store(open_file(path))
    check_listed(store)
    waits(store, SOURCE)
    assert ended(store, "planned", f"{PLAN}@v1") == 1
    store.close()


@pytest.mark.parametrize("entity", [SOURCE, f"{SOURCE}@v1", PLAN, f"{PLAN}@v1"])
def test_a_long_history_of_one_is_found_by_an_index(store, entity):
    put(store, launchplan(flows.twice, "daily", **N))
    one = selecting._of_entity(store.db, entity)
    query = f"EXPLAIN QUERY PLAN SELECT id FROM executions WHERE {one.text} ORDER BY number DESC LIMIT 2"
    plan = [row[3] for row in store.db.execute(query, one.values)]
    assert not [step for step in plan if "TEMP B-TREE" in step or "SCAN" in step], plan
    assert ("run" in plan[0]) == entity.startswith(SOURCE), plan


def test_a_few_of_a_long_history_are_found_before_they_are_sorted(store):
    """Not gone along in the order of their names, over all that is in their place."""
    query = ExecutionQuery(entity=f"{SOURCE}@v1", sort="name")
    found = sorting.sorting_of("name")
    one = selecting._of_entity(store.db, query.entity)
    assert not selecting.is_gone_along(store.db, found, [one])
    statement = f"SELECT id FROM {found.source(along=False)} WHERE {one.text} ORDER BY {found.order_of_few} LIMIT 2"
    (step, *_) = [row[3] for row in store.db.execute(f"EXPLAIN QUERY PLAN {statement}", one.values)]
    assert "executions_by_run_version" in step
