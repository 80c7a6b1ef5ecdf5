import io
import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from wingbeat.base.errors import LimitReached, NoRoom
from wingbeat.base.ids import attempt_folder
from wingbeat.contracts.engine import FailedItem, GateView, ItemsView, NodeReuse, NodeView, RecoveryPlan, ReuseDecision
from wingbeat.contracts.executor import Progress
from wingbeat.spec.entities import Closure, NodeSpec, Number, OverrideSpec
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import ExecutionPhase, NodePhase
from wingbeat.types import Simple
from wingbeat.types.model import RecordField, RecordType
from wingbeat_cli.commands.logs import Printer
from wingbeat_cli.errors import exit_status
from wingbeat_cli.overview import COMMANDS, overview
from wingbeat_cli.render import report
from wingbeat_cli.render.progress import PlainScreen
from wingbeat_cli.render.table import moment


def test_get_executions_lists_the_newest_first(world, wingbeat):
    answer = wingbeat("get", "executions")
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[0] == ["ID", "WORKFLOW", "PHASE", "CREATED", "TOOK"]
    assert [line[0] for line in lines[1:]] == ["e3", "e2", "e1"]
    assert lines[1][-2:] == ["2.5", "s"]


def test_get_executions_as_json_goes_on_behind_the_last(world, wingbeat):
    first = json.loads(wingbeat("get", "executions", "--limit", "2", "-o", "json").out)
    assert [each["id"] for each in first["items"]] == ["e3", "e2"]
    second = json.loads(wingbeat("get", "executions", "--after", first["next"], "--limit", "2", "-o", "json").out)
    assert [each["id"] for each in second["items"]] == ["e1"]
    assert second["next"] is None
    assert second["items"][0]["created_at"] == "2023-11-14T22:13:21+00:00"


def test_get_executions_without_a_home_is_an_empty_list(world, wingbeat):
    world.home.rmdir()
    assert json.loads(wingbeat("get", "executions", "-o", "json").out) == {"items": [], "next": None}


def test_get_execution_is_what_run_prints(world, wingbeat):
    ran = wingbeat("run", "flow.py", "pipeline", "--x", "3", "-o", "json").out
    assert wingbeat("get", "execution", "e1", "-o", "json").out == ran


def test_describe_shows_everything(world, wingbeat):
    world.fail()
    answer = wingbeat("describe", "execution", "e1")
    assert answer.status == 0
    for text in (
        "execution  e1",
        "took       12.5 s",
        "  x = 3",
        "n0    flow.one  SUCCEEDED  HIT",
        "from e0/n0/0",
        "error in n1",
    ):
        assert text in answer.out


def test_describe_as_json_has_history_inputs_and_trace(world, wingbeat):
    world.fail()
    found = json.loads(wingbeat("describe", "execution", "e1", "-o", "json").out)
    assert found["inputs"] == {"x": 3}
    assert [each["phase"] for each in found["nodes"][1]["history"]] == ["RETRYABLE_FAILED", "SUCCEEDED"]
    assert found["error"]["trace"].startswith("Traceback")


@pytest.mark.parametrize(
    "line", [["describe", "execution", "e9"], ["logs", "e9"], ["get", "execution", "e9"], ["abort", "e9"]]
)
def test_unknown_execution_ends_with_4(world, wingbeat, line):
    answer = wingbeat(*line)
    assert answer.status == 4
    assert answer.err == "error: there is no execution e9\n  wingbeat get executions\n"


def test_reading_without_a_home_ends_with_4(world, wingbeat):
    world.home.rmdir()
    answer = wingbeat("describe", "execution", "e1")
    assert answer.status == 4
    assert "nothing has run here yet" in answer.err


def write_log(world: Any, node: str, attempt: int, text: bytes) -> None:
    path = world.home / "attempts" / attempt_folder("e1", node, attempt) / "log"
    path.parent.mkdir(parents=True)
    path.write_bytes(text)


def test_logs_of_an_execution_have_headings_and_show_the_last_attempt(world, wingbeat):
    write_log(world, "n1", 0, b"first\n")
    write_log(world, "n1", 1, b"second\n")
    answer = wingbeat("logs", "e1")
    assert answer.out.startswith("==> n1 flow.two, attempt 1 <==\nsecond")
    assert "first" not in answer.out


def test_logs_of_a_node_and_attempt(world, wingbeat):
    write_log(world, "n1", 0, b"first\n")
    assert wingbeat("logs", "e1", "n1", "--attempt", "0").out == "first\n"
    assert wingbeat("logs", "e1", "flow.two", "--attempt", "0").out == "first\n"


def test_logs_of_a_gang_are_those_of_all_its_members(world, wingbeat):
    write_log(world, "n1", 0, b"first\n")
    other = world.home / "attempts" / "e1" / "n1.0" / "members" / "worker-1"
    other.mkdir(parents=True)
    (other / "log").write_text("second\n")
    expected = "first\n==> n1 flow.two, attempt 0, worker-1 <==\nsecond\n"
    assert wingbeat("logs", "e1", "n1", "--attempt", "0").out == expected


def test_logs_of_a_cached_node_say_why_there_is_none(world, wingbeat):
    answer = wingbeat("logs", "e1", "n0")
    assert (answer.status, answer.err) == (0, "n0 flow.one: no log (taken from e0/n0/0)\n")


def test_logs_of_an_attempt_that_never_was_end_with_4_and_say_which_there_are(world, wingbeat):
    for line, error in (
        (["n1", "--attempt", "7"], "7 of n1 flow.two\n  attempts of n1 flow.two: 0 to 1\n"),
        (["n0", "--attempt", "0"], "0 of n0 flow.one\n  attempts of n0 flow.one: none (taken from e0/n0/0)\n"),
        (
            ["--attempt", "7"],
            "7 of any node\n  attempts of n0 flow.one: none (taken from e0/n0/0); n1 flow.two: 0 to 1\n",
        ),
    ):
        answer = wingbeat("logs", "e1", *line)
        assert (answer.status, answer.err) == (4, f"error: execution e1 has no attempt {error}")
    assert wingbeat("logs", "e1", "n1", "--attempt", "1").status == 0  # which was, and printed nothing


def test_the_lineage_of_nothing_is_a_mistake(world, wingbeat):
    answer = wingbeat("lineage", "")
    assert (answer.status, answer.err) == (
        2,
        "error: name an artifact, or the id of an execution\n  see: wingbeat lineage --help\n",
    )


def test_logs_of_an_unknown_node_end_with_4(world, wingbeat):
    answer = wingbeat("logs", "e1", "n7")
    assert (answer.status, answer.err) == (4, "error: execution e1 has no node n7\n  its nodes: n0, n1\n")


def test_logs_follow_until_the_end(world, wingbeat):
    write_log(world, "n1", 0, b"first\n")
    write_log(world, "n1", 1, b"second\n")
    assert wingbeat("logs", "e1", "n1", "--follow").out == "first\nsecond\n"


def write_turns(world, *logs):
    """Logs of the turns of a body, the last of which has not suspended."""
    for number, text in enumerate(logs):
        write_log(world, "n1", number, text)
        if number < len(logs) - 1:
            (world.home / "attempts" / attempt_folder("e1", "n1", number) / "suspended").touch()


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ([b"one\n", b"one\ntwo\n", b"one\ntwo\nthree\n"], b"one\ntwo\nthree\n"),
        ([b"one\n", b"one\n", b"one\ntwo"], b"one\ntwo"),
        ([b"", b"one\n", b"one\none\n"], b"one\none\n"),
        ([b"at 1\none\n", b"at 2\none\ntwo\n"], b"at 1\none\nat 2\none\ntwo\n"),  # it does not say the same
        ([b"one\ntwo\n", b"one\n"], b"one\ntwo\n"),  # it has not come so far yet
        ([b"one", b"one two\n"], b"oneone two\n"),
        (
            [b"2026-01-02 03:04:05,678 INFO a\n", b"2026-01-02 03:04:06,001 INFO a\n2026-01-02 03:04:06,002 INFO b\n"],
            b"2026-01-02 03:04:05,678 INFO a\n2026-01-02 03:04:06,002 INFO b\n",
        ),
    ],
)
def test_what_a_turn_says_again_is_followed_once(world, wingbeat, turns, said):
    write_turns(world, *turns)
    assert wingbeat("logs", "e1", "n1", "--follow").out.encode() == said
    assert wingbeat("logs", "e1", "n1").out.encode() == turns[-1]


def test_what_is_said_again_little_by_little_is_not_printed(tmp_path, capfdbinary):
    first, second = tmp_path / "0", tmp_path / "1"
    node = NodeView("n1", "flow.search", NodePhase.DYNAMIC_RUNNING)
    printer = Printer(heading=True)
    first.write_bytes(b"one\ntwo\n")
    printer.print(node, 0, first)
    for text in (b"", b"o", b"one\nt", b"one\ntwo\n", b"one\ntwo\nth", b"one\ntwo\nthree\n"):
        second.write_bytes(text)
        printer.print(node, 1, second, first)
    said = b"==> n1 flow.search, attempt 0 <==\none\ntwo\n==> n1 flow.search, attempt 1 <==\nthree\n"
    assert capfdbinary.readouterr().out == said


def write_deck(world, node, attempt, text="page"):
    path = world.home / "attempts/e1" / f"{node}.{attempt}" / "deck.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_last_page_of_a_node_is_found(world, wingbeat, tmp_path):
    first = write_deck(world, "n1", 0)
    assert wingbeat("deck", "e1", "n1").out == f"{first}\n"
    second = write_deck(world, "n1", 1, "second")
    assert wingbeat("deck", "e1", "flow.two").out == f"{second}\n"
    assert wingbeat("deck", "e1", "n1", "--attempt", "0").out == f"{first}\n"
    answer = wingbeat("deck", "e1", "n1", "--out", str(tmp_path / "copy.html"))
    assert (answer.status, answer.out) == (0, "")
    assert (tmp_path / "copy.html").read_text() == "second"
    answer = wingbeat("deck", "e1", "n1", "--out", str(tmp_path / "no" / "copy.html"))
    assert answer.status == 1
    assert "copy.html" in answer.err


@pytest.mark.parametrize(("works", "status"), [(True, 0), (False, 1)])
def test_a_page_is_opened_in_the_browser(world, wingbeat, monkeypatch, works, status):
    import webbrowser

    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or works)
    path = write_deck(world, "n1", 1)
    answer = wingbeat("deck", "e1", "n1", "--open")
    assert (answer.status, opened) == (status, [path.as_uri()])
    assert answer.out == ""


def test_a_node_without_a_page_says_so(world, wingbeat):
    answer = wingbeat("deck", "e1", "n1", "--attempt", "1")
    assert answer.status == 4
    assert answer.err.startswith("error: node n1 of execution e1, attempt 1, has made no page\n  ")
    assert wingbeat("deck", "e1", "n7").status == 4


def advanced(world, fraction, text):
    node = world.view.nodes[1]
    attempts = [*node.attempts[:-1], replace(node.attempts[-1], progress=Progress(fraction, text, 1.0))]
    return replace(world.view, nodes=[world.view.nodes[0], replace(node, attempts=attempts, phase="RUNNING")])


def test_the_same_node_tells_how_far_it_is_now_and_then(world, monkeypatch):
    stream = io.StringIO()
    screen = PlainScreen(stream)
    screen.begin(world.view)
    assert not screen.advancing
    screen.take(world.published("attempt", "RUNNING", "n1", 0.2))
    assert screen.advancing
    for i in range(50):
        screen.advance(advanced(world, i / 100, f"row {i}"))
    monkeypatch.setattr("wingbeat_cli.render.progress.AGAIN_S", 0)
    screen.advance(advanced(world, 0.999, "last"))
    screen.advance(advanced(world, 0.999, "last"))
    lines = [line for line in stream.getvalue().splitlines() if "%" in line]
    assert lines == ["n1 flow.two RUNNING 0 %: row 0", "n1 flow.two RUNNING 99 %: last"]


def test_recover_follows_the_new_execution(world, wingbeat):
    answer = wingbeat("recover", "e0")
    assert answer.status == 0
    assert answer.err.startswith("recovering e0 as e1\n")
    assert world.recovered == [("e0", None)]


def test_recover_with_a_file_takes_the_new_version(world, wingbeat):
    assert wingbeat("recover", "e0", "flow.py", "pipeline").status == 0
    assert world.recovered == [("e0", world.closure)]
    assert wingbeat("recover", "e0", "flow.py").status == 2


@pytest.mark.parametrize("what", ["recover", "relaunch"])
def test_another_registered_version_is_named_by_its_reference(world, wingbeat, what):
    reference = "maps/production/roads.build@v2"
    answer = wingbeat(what, "e0", reference, "--no-wait")
    assert (answer.status, answer.out, answer.err) == (0, "e1\n", "")
    assert world.recovered.pop() == ("e0", reference)
    for line in (["nothing.py", "pipeline"], ["nothing.py"], ["maps/production/roads.build@v2", "pipeline"]):
        answer = wingbeat(what, "e0", *line)
        assert (answer.status, "there is no file" in answer.err) == (2, True)
    assert world.recovered == []


def test_who_leaves_a_recovery_is_told_its_id(world, wingbeat):
    world.holds = True
    answer = wingbeat("recover", "e0", "--no-wait", "-o", "json")
    assert json.loads(answer.out) == {"id": "e1", "created": True, "recovered": 0}
    assert "no process runs this home now" in answer.err


def test_plan_of_a_recovery_launches_nothing(world, wingbeat):
    answer = wingbeat("recover", "e0", "flow.py", "pipeline", "--plan")
    assert answer.status == 0
    assert answer.out == (
        "NODE  TASK       DECISION  REASON\n"
        "n0    flow.one   REUSED\n"
        "n1    flow.many  OPEN      3 of 5 items can be kept; by its inputs\n"
        "n2    flow.two   RUNS      the code of flow.two changed\n"
        "n3    flow.old   GONE      the workflow does not have it any more\n"
        "flow.pipeline: 1 kept, 1 decided when it starts, 1 run again, 1 gone; nothing was launched\n"
    )
    assert (world.recovered, world.planned) == ([], [world.closure])


def test_plan_of_a_recovery_as_json(world, wingbeat):
    found = json.loads(wingbeat("recover", "e0", "--plan", "-o", "json").out)
    assert found["execution"] == "e0"
    assert [node["decision"] for node in found["nodes"]] == ["REUSED", "OPEN", "RUNS", "GONE"]
    assert found["nodes"][1]["items"] == {"total": 5, "kept": 3}
    assert found["more"] == 0


def test_plan_of_a_recovery_says_how_many_calls_it_does_not_list():
    opened = [NodeReuse(f"n0.trial-{i}", "flow.trial", ReuseDecision.OPEN, "perhaps") for i in range(1000)]
    body = NodeReuse("n0", "flow.search", ReuseDecision.OPEN, "its body runs again; 1050 of 1060 calls may be kept")
    lines = report.recovery(RecoveryPlan("e0", "flow.search", [body, *opened], more=60), colour=False)
    assert len(lines) == 1 + 1000 + 2
    assert lines[1].endswith("its body runs again; 1050 of 1060 calls may be kept")
    assert lines[-2] == "and 61 more"
    assert lines[-1] == "flow.search: 1001 decided when it starts, 60 calls not listed; nothing was launched"


SETTINGS = RecordType("Settings", (RecordField("rate", Simple("float")),))


@pytest.fixture
def gates(world):
    world.view = world.view_of(ExecutionPhase.RUNNING)
    world.gates = {
        "threshold": GateView("threshold", Simple("float")),
        "settings": GateView("settings", SETTINGS),
        "deploy": GateView("deploy", Simple("bool"), approval=True),
    }
    return world


@pytest.mark.parametrize(
    ("line", "signalled"),
    [
        (["signal", "e1", "threshold", "0.5"], ("e1", "threshold", 0.5)),
        (["signal", "e1", "threshold", "-2.5"], ("e1", "threshold", -2.5)),
        (["signal", "e1", "settings", '{"rate": 1.5}'], ("e1", "settings", {"rate": 1.5})),
        (["signal", "e1", "settings", "--input", "settings.json"], ("e1", "settings", {"rate": 2.5})),
        (["signal", "e1", "deploy", "false"], ("e1", "deploy", False)),
        (["approve", "e1", "deploy"], ("e1", "deploy", True)),
        (["reject", "e1", "deploy"], ("e1", "deploy", False)),
    ],
)
def test_gate_is_answered_by_a_value_of_its_type(gates, wingbeat, tmp_path, line, signalled):
    (tmp_path / "settings.json").write_text('{"rate": 2.5}')
    answer = wingbeat(*line)
    assert (answer.status, answer.out, answer.err) == (0, f"e1: {line[2]!r} is answered\n", "")
    assert gates.signalled == [signalled]


def test_what_has_ended_had_this_answer(gates, wingbeat):
    gates.view = gates.view_of(ExecutionPhase.SUCCEEDED)
    answer = wingbeat("approve", "e1", "deploy")
    assert (answer.status, answer.out) == (0, "e1: 'deploy' was answered so already\n")


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        (["signal", "e1", "threshold", "half"], 2, "error: 'threshold': expected float, got 'half'\n"),
        (["signal", "e1", "threshold"], 2, "error: give the value: as VALUE, or as JSON by --input FILE\n"),
        (["signal", "e1", "threshold", "1", "--input", "x"], 2, "error: give the value: "),
        (["signal", "e1", "settings", "--input", "none.json"], 2, "error: cannot read none.json: No such file"),
        (["signal", "e1", "settings", "--input", "flow.py"], 2, "error: 'settings': expected Settings as JSON ("),
        (["signal", "e1", "other", "1"], 4, "error: Execution 'e1' has no gate 'other'.\n"),
        (["approve", "e1", "threshold"], 2, "error: 'threshold' waits for a value (float), not for approval; "),
    ],
)
def test_wrong_answer_changes_nothing(gates, wingbeat, line, status, said):
    answer = wingbeat(*line)
    assert answer.status == status
    assert answer.err.startswith(said)
    assert gates.signalled == []


def test_who_answers_is_told_when_nobody_goes_on_with_it(gates, wingbeat):
    gates.holds = True
    gates.view = replace(gates.view, phase=ExecutionPhase.RUNNING)
    answer = wingbeat("approve", "e1", "deploy", "-o", "json")
    assert json.loads(answer.out) == {"execution": "e1", "name": "deploy", "value": True}
    assert answer.err.startswith("no process runs this home now")
    gates.view = replace(gates.view, phase=ExecutionPhase.SUCCEEDED)
    assert wingbeat("approve", "e1", "deploy").err == ""  # the same once more, after the end


def a_map(world, *, failed: int = 2) -> None:
    items = ItemsView(50, 50 - failed, failed, failures=[FailedItem(3, "ValueError: three"), FailedItem(17)])
    found = NodeView("n0", "flow.many", NodePhase.FAILED, items=items, reason="item 3: ValueError: three")
    world.view = msgspec.structs.replace(world.view, nodes=[found, *world.view.nodes[1:]])
    world.events = [world.published("node", "FAILED", "n0.17", reason="ValueError: seventeen")]


def test_failed_map_says_which_items_failed_and_why(world, wingbeat):
    world.fail()
    a_map(world, failed=30)
    said = wingbeat("describe", "execution", "e1").out
    assert "20 of 50 done, 30 failed; item 3: ValueError: three" in said
    assert "failed items of n0\n  n0.3   ValueError: three\n  n0.17  ValueError: seventeen\n  and 28 more\n" in said
    assert "log of one: wingbeat logs e1 n0.3\n" in said


def test_describe_says_why_attempts_were_tried_again(world, wingbeat):
    node = world.view.nodes[1]
    lost = [
        replace(each, error=ErrorInfo("OutOfMemory", "It used 2 GiB.", node="n1")) for each in 12 * node.attempts[:1]
    ]
    world.view = replace(world.view, nodes=[replace(node, attempts=[*lost, node.attempts[-1]])])
    said = wingbeat("describe", "execution", "e1").out.partition("attempts that were tried again\n")[2].splitlines()
    assert said[0].split() == ["n1", "attempt", "0", "OutOfMemory:", "It", "used", "2", "GiB."]
    assert len(said) <= 22


@pytest.mark.parametrize(("made", "last"), [(3, "n0.2  attempt 0  resources.memory 128.0 MiB"), (50, "and more")])
def test_options_of_items_that_have_ended_come_from_the_journal(world, wingbeat, made, last):
    a_map(world, failed=0)
    chosen = {"chosen": {"resources.memory_bytes": float(2**27)}}
    world.events = [world.published("attempt", "QUEUED", f"n0.{i}", evidence=chosen) for i in range(made)]
    assert "options chosen" not in wingbeat("describe", "execution", "e1").out  # no option depends on the call
    override = OverrideSpec(formulas={"resources.memory_bytes": Number(1.0)})
    workflow = msgspec.structs.replace(world.closure.workflow, nodes=(NodeSpec("n0", override=override),))
    world.closure = Closure("d", {"d": workflow})
    said = wingbeat("describe", "execution", "e1").out
    found = said.partition("options chosen for attempts\n")[2].partition("\n\n")[0].splitlines()
    assert found[-1].strip() == last
    assert len(found) == min(made, 21)


def test_items_under_way_are_bounded(world, wingbeat):
    a_map(world, failed=0)
    items = [NodeView(f"n0.{i}", "flow.many", NodePhase.RUNNING) for i in range(100)]
    inner = [NodeView(f"n0.{i}.n{k}", "flow.one", NodePhase.RUNNING) for i in range(100) for k in range(2)]
    world.view = msgspec.structs.replace(world.view, nodes=[*world.view.nodes, *items, *inner])
    said = wingbeat("describe", "execution", "e1").out
    assert said.count("\n  n0.") == 20
    assert "and 280 more; -o json has all" in said
    assert len(json.loads(wingbeat("describe", "execution", "e1", "-o", "json").out)["nodes"]) == 302


def test_log_of_an_item_that_runs_a_workflow_is_that_of_what_runs_in_it(world, wingbeat):
    world.fail()
    a_map(world, failed=1)
    phases = {"n0.3.n0": NodePhase.SUCCEEDED, "n0.3.n1": NodePhase.FAILED, "n0.31.n1": NodePhase.FAILED}
    inner = [NodeView(id_, "flow.one", phase) for id_, phase in phases.items()]
    world.view = msgspec.structs.replace(world.view, nodes=[*world.view.nodes, *inner])
    assert "log of one: wingbeat logs e1 n0.3.n1\n" in wingbeat("describe", "execution", "e1").out
    for node in phases:
        write_log(world, node, 0, f"{node} says\n".encode())
    said = wingbeat("logs", "e1", "n0.3").out
    assert "n0.3.n0 says" in said
    assert "n0.3.n1 says" in said
    assert "n0.31.n1 says" not in said


def test_log_of_an_item_that_has_ended_is_found(world, wingbeat):
    a_map(world)
    write_log(world, "n0.17", 0, b"first\n")
    write_log(world, "n0.17", 1, b"second\n")
    assert wingbeat("logs", "e1", "n0.17").out == "second\n"
    assert wingbeat("logs", "e1", "n0.17", "--attempt", "0").out == "first\n"
    assert wingbeat("logs", "e1", "n0.4").err.startswith("n0.4 flow.many: no log (it was cached or recovered, ")
    unknown = wingbeat("logs", "e1", "n0.50")
    assert (unknown.status, unknown.err) == (
        4, "error: execution e1 has no node n0.50\n  n0 has 50 items, from 0 on\n"
    )  # fmt: skip


def test_logs_of_a_map_are_bounded_and_have_those_that_failed(world, wingbeat):
    a_map(world)
    for item in range(30):
        write_log(world, f"n0.{item}", 0, f"item {item}\n".encode())
    answer = wingbeat("logs", "e1", "n0")
    assert answer.out.count("==> n0.") == 20
    assert "==> n0.17 flow.many, attempt 0 <==\nitem 17\n" in answer.out
    assert answer.err == "n0 has 10 more items with logs: wingbeat logs e1 n0.N prints one\n"


def test_describe_says_until_when_something_waits(world, wingbeat):
    found = [
        NodeView("n0", "sleep", NodePhase.RUNNING, reason="sleeping for 1h 0m", until=1_700_003_600.0),
        NodeView("n1", "flow.one", NodePhase.SUCCEEDED, until=1_700_003_600.0),
    ]
    world.view = msgspec.structs.replace(world.view, nodes=found)
    until = moment(1_700_003_600.0)
    said = wingbeat("describe", "execution", "e1").out
    assert f"sleeping for 1h 0m until {until}\n" in said
    assert said.count(until) == 1
    told = json.loads(wingbeat("describe", "execution", "e1", "-o", "json").out)["nodes"]
    assert told[0]["until"] == "2023-11-14T23:13:20+00:00"


def test_log_of_the_last_turn_of_a_dynamic_workflow_is_found(world, wingbeat):
    found = NodeView("n0", "flow.search", NodePhase.DYNAMIC_RUNNING)
    world.view = msgspec.structs.replace(world.view, nodes=[found])
    write_log(world, "n0", 0, b"one\n")
    write_log(world, "n0", 1, b"one\ntwo\n")
    write_log(world, "n0.square-0", 0, b"square\n")
    assert wingbeat("logs", "e1", "n0").out == "one\ntwo\n"


def test_explain_cache(world, wingbeat):
    assert wingbeat("explain", "cache", "e1", "n1").out == "MISS: input 'x' differs\n"
    as_json = json.loads(wingbeat("explain", "cache", "e1", "n1", "-o", "json").out)
    assert as_json == {"execution": "e1", "node": "n1", "explanation": "MISS: input 'x' differs"}
    assert wingbeat("explain", "cache", "e1", "n9").status == 4


def test_abort_gives_the_reason(world, wingbeat):
    answer = wingbeat("abort", "e1", "--reason", "wrong data")
    assert (answer.status, answer.out) == (0, "e1 SUCCEEDED\n")
    assert world.aborted == ["wrong data"]


def test_version(wingbeat):
    found = json.loads(wingbeat("version", "-o", "json").out)
    assert found["wingbeat"] == found["wingbeat-cli"]
    assert wingbeat("--version").out == f"wingbeat {found['wingbeat']}\n"


def test_unknown_command_names_the_nearest(wingbeat):
    answer = wingbeat("rum")
    assert answer.status == 2
    assert answer.err == "error: there is no command 'rum'. Did you mean 'run'?\n  see: wingbeat --help\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(wingbeat, name):
    answer = wingbeat(name, "--help")
    assert answer.status == 0
    assert answer.out.startswith(f"Usage: wingbeat {name} ")


def test_help_is_the_overview(wingbeat):
    assert wingbeat("--help").out == overview()
    assert all(f"  {name} " in overview() for name in COMMANDS)


def modules_after(*line: str) -> set[str]:
    code = f"import sys\nsys.argv = ['wingbeat', *{line!r}]\n"
    code += "from wingbeat_cli.main import main\nmain()\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_imports_nothing_heavy():
    modules_after("--help")  # what plugins offer is remembered from now on
    assert not modules_after("--help") & {"click", "rich", "msgspec", "asyncio", "importlib.metadata", "wingbeat"}


def test_help_of_a_command_imports_neither_kernel_nor_rich():
    assert not modules_after("get", "--help") & {"rich", "asyncio", "wingbeat.kernel", "importlib.metadata"}


def test_many_nodes_are_counted_and_only_the_interesting_are_shown(world):
    from wingbeat_cli.render.board import Board

    board = Board(world.view)
    for i in range(1000):
        board.take(world.published("attempt", "RUNNING", f"n{i}", i / 100))
        if i % 10:
            board.take(world.published("node", "SUCCEEDED", f"n{i}", i / 100 + 1))
    board.take(world.published("node", "FAILED", "n50", 20, reason="ValueError: no"))
    lines = board.lines(board.now, 10)
    assert len(lines) == 11
    assert any(line.startswith("n50") and "ValueError: no" in line for line in lines)
    assert lines[-1] == "SUCCEEDED  900 of 1000 done, 1 failed, 99 running  20.0 s"


def test_evict_cache_says_how_much_and_that_values_stay(world, wingbeat):
    done = wingbeat("evict", "cache", "--task", "flow.two", "--older-than", "1h30m")
    assert (done.status, done.out) == (0, "evicted 3 entries of 2.0 KiB; the values themselves stay in storage\n")
    assert world.evicted == [{"key": None, "task": "flow.two", "older_than": 5400.0, "everything": False}]
    done = wingbeat("evict", "cache", "--all", "-o", "json")
    assert json.loads(done.out) == {"entries": 3, "bytes": 2048}
    assert world.evicted[1] == {"key": None, "task": None, "older_than": None, "everything": True}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "say which entries: --task, --key, --older-than, or --all"),
        (["--all", "--key", "sha256:1"], "--all takes everything"),
        (["--older-than", "soon"], "--older-than: 'soon' is not a duration"),
    ],
)
def test_an_eviction_that_says_nothing_clear_is_refused(world, wingbeat, options, said):
    done = wingbeat("evict", "cache", *options)
    assert done.status == 2
    assert said in done.err
    assert world.evicted == []


def test_an_eviction_makes_no_home(world, wingbeat):
    world.home.rmdir()
    done = wingbeat("evict", "cache", "--all")
    assert done.status == 4
    assert "nothing has run here yet" in done.err
    assert not world.home.exists()


def test_what_nobody_drives_is_marked_in_the_table_only(world, wingbeat):
    world.view = world.view_of(ExecutionPhase.RUNNING)
    assert "no kernel" not in wingbeat("get", "executions").out
    world.held = False
    assert wingbeat("get", "executions").out.count("RUNNING (no kernel)") == 3
    assert {each["phase"] for each in json.loads(wingbeat("get", "executions", "-o", "json").out)["items"]} == {
        "RUNNING"
    }
    told = wingbeat("describe", "execution", "e1").out
    assert "RUNNING (no kernel)" in told
    assert "it goes on when a kernel holds the home" in told
    assert json.loads(wingbeat("describe", "execution", "e1", "-o", "json").out)["phase"] == "RUNNING"
    world.view = world.view_of()
    assert "no kernel" not in wingbeat("get", "executions").out
    assert "no kernel" not in wingbeat("describe", "execution", "e1").out
    world.view = world.view_of(ExecutionPhase.RUNNING)
    assert "no kernel" not in wingbeat("--set", "kernel.engine=another", "get", "executions").out
    assert "goes on with all of them" in " ".join(wingbeat("get", "executions", "--help").out.split())


@pytest.mark.parametrize(("code", "shown"), [("TypeError", False), ("OutputsNotFound", False), ("Killed", True)])
def test_numbers_of_the_process_are_shown_for_what_they_explain(world, wingbeat, code, shown):
    error = ErrorInfo(
        code, "o0 is no int.", evidence={"pid": 123, "pod": "p7", "max_rss_bytes": 5, "cpu_s": 0.1}, node="n1"
    )
    world.view = world.view_of(ExecutionPhase.FAILED, error)
    out = wingbeat("describe", "execution", "e1").out
    assert ("pid: 123" in out) is shown
    assert "pod: p7" in out
    assert json.loads(wingbeat("describe", "execution", "e1", "-o", "json").out)["error"]["evidence"]["pid"] == 123


def test_a_server_is_named_beside_other_settings(world, wingbeat, monkeypatch):
    monkeypatch.setenv("WINGBEAT_ENDPOINT", "http://127.0.0.1:1")
    wingbeat("--set", "admin.timeout_s=3", "get", "execution", "e1")
    wingbeat("--endpoint", "http://127.0.0.1:2", "get", "execution", "e1")
    wingbeat("--endpoint", "", "get", "execution", "e1")
    assert world.settings == [
        {"kernel": {"engine": "http"}, "admin": {"timeout_s": "3", "endpoint": "http://127.0.0.1:1"}},
        {"kernel": {"engine": "http"}, "admin": {"endpoint": "http://127.0.0.1:2"}},
        {},
    ]


def test_an_engine_that_the_settings_choose_needs_no_home(world, wingbeat, monkeypatch):
    world.home.rmdir()
    monkeypatch.setattr(sys.modules["wingbeat.kernel"], "engine_of", lambda settings: "http")
    answer = wingbeat("get", "executions", "-o", "json")
    assert [each["id"] for each in json.loads(answer.out)["items"]] == ["e3", "e2", "e1"]
    assert wingbeat("describe", "execution", "e1").status == 0


def test_to_wait_is_advised_only_where_that_makes_room():
    assert [exit_status(error("x")) for error in (LimitReached, NoRoom)] == [75, 6]
