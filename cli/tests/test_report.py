"""What is told of one execution."""

import pytest

from wingbeat.contracts.engine import ExecutionView, GateView, NodeView
from wingbeat.contracts.places import SETTINGS_LABEL
from wingbeat.spec.phase import ExecutionPhase, NodePhase
from wingbeat.types import EnumType, LiteralValues, Simple
from wingbeat_cli.render import waiting
from wingbeat_cli.render.board import Board
from wingbeat_cli.render.report import History, answers, describe, values


def test_what_an_execution_got_of_its_place_is_listed_with_who_says_so():
    labels = {
        "team": "eta",
        SETTINGS_LABEL: '{"memory_bytes":[1073741824,"maps/*"],"failure_policy":["FAIL_IMMEDIATELY","*/*"]}',
    }
    view = ExecutionView("x", "flows.twice", ExecutionPhase.RUNNING, 0.0, labels=labels)
    lines = [" ".join(line.split()) for line in describe(view, None, {}, History(), colour=False)]
    assert "labels team=eta" in lines
    start = lines.index("settings")
    assert lines[start + 1 : start + 3] == ["mem 1.0 GiB maps/*", "failure_policy FAIL_IMMEDIATELY */*"]


@pytest.mark.parametrize(("cache", "told"), [("LOOKUP_FAILURE", True), ("PUT_FAILURE", True), ("POPULATED", False)])
def test_why_a_catalog_has_failed_is_told_also_of_what_has_succeeded(cache, told):
    why = "The catalog 'acme' failed: RuntimeError: BOOM"
    node = NodeView("n0", "flows.twice", NodePhase.SUCCEEDED, cache=cache, reason=why)
    view = ExecutionView("x", "flows.twice", ExecutionPhase.SUCCEEDED, 0.0, nodes=[node])
    assert any(why in line for line in describe(view, None, {}, History(), colour=False)) == told


def test_long_values_are_shortened_for_people_who_are_told_where_all_of_it_is():
    short, long = values({"few": [1, 2], "many": list(range(100_000))}, "-o json has all")
    assert short == "few = [1, 2]"
    assert len(long) < 2100
    assert long.endswith("… and 686890 characters more: -o json has all")
    view = ExecutionView("x", "flows.twice", ExecutionPhase.SUCCEEDED, 0.0)
    lines = describe(view, {"o0": "x" * 5000}, {"text": "y" * 5000}, History(), colour=False)
    assert max(map(len, lines)) < 2100


def test_what_is_told_of_a_node_with_a_long_id_stands_below_it():
    deep = ".".join(["n0", *[f"a_rather_long_name-{i}" for i in range(10)]])
    nodes = [NodeView(id_, "flows.twice", NodePhase.SUCCEEDED) for id_ in ("n0", deep)]
    view = ExecutionView("x", "flows.twice", ExecutionPhase.SUCCEEDED, 0.0, nodes=nodes)
    lines = describe(view, None, {}, History(), colour=False)
    id_line = lines.index(f"  {deep}")
    assert max(len(line) for line in lines if line != f"  {deep}") <= 80
    assert lines[id_line - 1].index("flows.twice") == lines[id_line + 1].index("flows.twice")
    (_, second, _) = Board(view).lines(0.0, 20)
    assert len(second) <= 80, "in a table that is drawn again and again the middle is left out"
    assert second.startswith("n0.a_rather")
    assert second.split()[0].endswith("name-9")


def test_for_what_it_waits_is_a_document_by_node():
    nodes = [
        NodeView("n0", "flows.train", NodePhase.QUEUED),
        NodeView("n1", "go", NodePhase.RUNNING, gate=GateView("go", Simple("bool"), True), until=60.0),
    ]
    view = ExecutionView("x", "flows.twice", ExecutionPhase.RUNNING, 0.0, nodes=nodes)
    text = (
        "n0: waiting for pool 'gpu': 2 of 2 slots are held by a/n0/0, b/n3/1, …; 3 before it\n"
        "n1: waiting for approval 'go'\n… and 7 more"
    )
    told = waiting.document(text, view, "")
    assert told["explanation"] == text
    assert told["reason"] == "… and 7 more"
    first, second = told["waiting"]
    assert (first["node"], first["task"], first["phase"]) == ("n0", "flows.train", "QUEUED")
    assert first["held_by"] == ["a/n0/0", "b/n3/1"]
    assert (second["gate"]["name"], second["until"]) == ("go", "1970-01-01T00:01:00+00:00")

    held = "x has not begun: waiting for its turn: 1 of 1 of limit 'night' is held by first (which cannot go on)"
    told = waiting.document(held, view, "")
    assert (told["waiting"], told["held_by"]) == ([], ["first"])


def test_what_answers_a_gate_names_the_values_that_there_are():
    gates = [
        NodeView(f"n{i}", "", NodePhase.RUNNING, gate=GateView(f"g{i}", type_))
        for i, type_ in enumerate(
            (EnumType("Colour", ("RED", "BLUE")), LiteralValues((1, "many")), Simple("int"), Simple("str"))
        )
    ]
    view = ExecutionView("e1", "flow", ExecutionPhase.RUNNING, 0.0, nodes=gates)
    assert [command.split()[-1] for _, _, command in answers(view)] == ["RED|BLUE", "1|many", "INT", "STR"]
