"""What begins and ends, from what is told."""

from wingbeat.contracts.observer import Published
from wingbeat_telemetry import track
from wingbeat_telemetry.track import Began, Ended, Tracker


def told(*events, execution="e"):
    """Events as (kind, phase, node, attempt, at, more)."""
    tracker, changes = Tracker(), []
    for kind, phase, node, attempt, at, *more in events:
        given = {"task": f"of {node}" if node else "flow"} | (more[0] if more else {})
        changes += tracker.take(Published(execution, 0, at, kind, phase, node, attempt, **given))
    return tracker, changes


def ended(changes):
    return [(c.kind, c.node, c.attempt, c.phase, c.began_at, c.ended_at) for c in changes if isinstance(c, Ended)]


BEGAN = ("execution", "RUNNING", "", 0, 1.0)


def test_a_node_with_two_attempts():
    _, changes = told(
        BEGAN,
        ("attempt", "QUEUED", "n0", 0, 1.0),
        ("attempt", "RUNNING", "n0", 0, 2.0),
        ("attempt", "RETRYABLE_FAILED", "n0", 0, 3.0, {"error": {"code": "ValueError"}}),
        ("attempt", "QUEUED", "n0", 1, 4.0),
        ("attempt", "RUNNING", "n0", 1, 6.0),
        ("node", "SUCCEEDED", "n0", 1, 9.0),
        ("execution", "SUCCEEDED", "", 0, 9.5),
    )
    assert ended(changes) == [
        ("attempt", "n0", 0, "RETRYABLE_FAILED", 2.0, 3.0),
        ("attempt", "n0", 1, "SUCCEEDED", 6.0, 9.0),
        ("node", "n0", -1, "SUCCEEDED", 1.0, 9.0),
        ("execution", "", -1, "SUCCEEDED", 1.0, 9.5),
    ]
    assert [c.queued_s for c in changes if isinstance(c, Began) and c.kind == "attempt"] == [1.0, 2.0]
    assert [c.earlier for c in changes if isinstance(c, Ended) and c.kind == "attempt"] == [-1, 0]


def test_what_never_ran_has_no_begin():
    _, changes = told(
        BEGAN,
        ("attempt", "QUEUED", "n0", 0, 1.0),
        ("node", "ABORTED", "n0", 0, 3.0),
        ("node", "SUCCEEDED", "n1", 0, 3.0, {"cache": "HIT"}),
        ("node", "SKIPPED", "n2", 0, 3.0),
    )
    assert ended(changes) == [
        ("attempt", "n0", 0, "ABORTED", None, 3.0),
        ("node", "n0", -1, "ABORTED", 1.0, 3.0),
        ("node", "n1", -1, "SUCCEEDED", None, 3.0),
    ]


def test_the_only_node_of_an_item_has_the_items_id_and_both_are_one():
    _, changes = told(
        BEGAN,
        ("node", "RUNNING", "n0", 0, 1.0, {"evidence": {"items": 1}}),
        ("scope", "RUNNING", "n0.0", 0, 2.0, {"task": "inner"}),
        ("attempt", "QUEUED", "n0.0", 0, 2.0, {"task": "one"}),
        ("attempt", "RUNNING", "n0.0", 0, 3.0, {"task": "one"}),
        ("node", "SUCCEEDED", "n0.0", 0, 4.0, {"task": "one"}),
        ("scope", "SUCCEEDED", "n0.0", 0, 4.5, {"task": "inner"}),
        ("node", "SUCCEEDED", "n0.0", 0, 4.5, {"task": "inner"}),
        ("node", "SUCCEEDED", "n0", 0, 5.0),
    )
    assert ended(changes) == [
        ("attempt", "n0.0", 0, "SUCCEEDED", 3.0, 4.0),
        ("node", "n0.0", -1, "SUCCEEDED", 2.0, 4.5),
        ("node", "n0", -1, "SUCCEEDED", 1.0, 5.0),
    ]
    ends = [c for c in changes if isinstance(c, Ended)]
    assert [c.name for c in ends] == ["one", "inner", "of n0"]
    assert [(c.parent, c.item) for c in ends[1:]] == [("n0", True), ("", False)]


def test_a_body_has_an_attempt_for_each_turn():
    _, changes = told(
        BEGAN,
        ("attempt", "QUEUED", "n0", 0, 1.0),
        ("attempt", "RUNNING", "n0", 0, 1.5),
        ("scope", "RUNNING", "n0.double", 0, 2.0),
        ("node", "DYNAMIC_RUNNING", "n0", 0, 2.0),
        ("attempt", "QUEUED", "n0.double", 0, 2.0),
        ("attempt", "RUNNING", "n0.double", 0, 2.5),
        ("node", "SUCCEEDED", "n0.double", 0, 3.0),
        ("scope", "SUCCEEDED", "n0.double", 0, 3.0),
        ("attempt", "QUEUED", "n0", 1, 3.0),
        ("attempt", "RUNNING", "n0", 1, 4.0),
        ("node", "SUCCEEDED", "n0", 1, 5.0),
    )
    assert ended(changes) == [
        ("attempt", "n0", 0, "SUSPENDED", 1.5, 2.0),
        ("attempt", "n0.double", 0, "SUCCEEDED", 2.5, 3.0),
        ("node", "n0.double", -1, "SUCCEEDED", 2.0, 3.0),
        ("attempt", "n0", 1, "SUCCEEDED", 4.0, 5.0),
        ("node", "n0", -1, "SUCCEEDED", 1.0, 5.0),
    ]


def test_a_child_knows_who_launched_it():
    tracker, _ = told(BEGAN, ("node", "RUNNING", "n0", 0, 1.0, {"evidence": {"child": "c"}}))
    tracker.take(Published("c", 0, 2.0, "execution", "RUNNING", task="child"))
    (end,) = tracker.take(Published("c", 1, 3.0, "execution", "FAILED", task="child", reason="no"))
    assert isinstance(end, Ended)
    assert (end.caller, end.reason) == ("e/n0", "no")


def test_an_end_without_its_begin_is_an_end():
    _, changes = told(("node", "SUCCEEDED", "n0", 0, 3.0), ("execution", "SUCCEEDED", "", 0, 4.0))
    assert ended(changes) == [("node", "n0", -1, "SUCCEEDED", None, 3.0), ("execution", "", -1, "SUCCEEDED", None, 4.0)]


def size(tracker):
    return len(tracker._executions), tracker._nodes, sum(len(e.nodes) for e in tracker._executions.values())


def test_nothing_is_kept_of_what_is_over():
    tracker = Tracker()
    for number in range(10_000):
        name = f"e{number}"
        tracker.take(Published(name, 0, 1.0, "execution", "RUNNING", task="flow"))
        for node in ("n0", "n1"):
            tracker.take(Published(name, 1, 1.0, "attempt", "QUEUED", node, 0))
            tracker.take(Published(name, 2, 1.0, "attempt", "RUNNING", node, 0))
        tracker.take(Published(name, 3, 1.0, "node", "SUCCEEDED", "n0", 0))
        tracker.take(Published(name, 4, 1.0, "execution", "SUCCEEDED", task="flow"))
    assert size(tracker) == (0, 0, 0)


def test_what_never_ends_is_bounded(monkeypatch):
    monkeypatch.setattr(track, "EXECUTIONS_MAX", 10)
    monkeypatch.setattr(track, "NODES_MAX", 25)
    tracker = Tracker()
    for number in range(100):
        tracker.take(Published(f"e{number}", 0, 1.0, "execution", "RUNNING", task="flow"))
        for node in ("n0", "n1", "n2"):
            tracker.take(Published(f"e{number}", 1, 1.0, "attempt", "QUEUED", node, 0))
    executions, counted, nodes = size(tracker)
    assert executions == 10
    assert counted == nodes <= 25
