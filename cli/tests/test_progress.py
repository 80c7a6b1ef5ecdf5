"""Progress of executions with maps, branches, gates and dynamic workflows."""

import asyncio
import io
from typing import Any

import msgspec
import pytest

from wingbeat.base.errors import NotFound
from wingbeat.base.ids import child_execution_id
from wingbeat.contracts.engine import ExecutionView, GateView, NodeView
from wingbeat.spec.phase import ExecutionPhase, NodePhase
from wingbeat.types import Simple
from wingbeat_cli.below import LOOKED_AT_MAX, TOLD_MAX, Below
from wingbeat_cli.render.board import Board
from wingbeat_cli.render.progress import IDLE_S, PlainScreen
from wingbeat_cli.render.table import moment


def view_of(*nodes: str) -> ExecutionView:
    found = [NodeView(f"n{i}", name, NodePhase.NOT_STARTED) for i, name in enumerate(nodes)]
    return ExecutionView("e1", "flow.pipeline", ExecutionPhase.RUNNING, 0.0, nodes=found, began_at=1_700_000_000.0)


@pytest.fixture
def event(world):
    return world.published


def lines(board: Board) -> list[str]:
    return board.lines(board.now, 20)


def plain(view: ExecutionView, events: list[Any], *, wait_s: float = 0.0) -> str:
    stream = io.StringIO()

    async def show() -> None:
        screen = PlainScreen(stream)
        screen.begin(view)
        for each in events:
            screen.take(each)
        await asyncio.sleep(wait_s)
        screen.close()

    asyncio.run(show())
    return stream.getvalue()


def items(event, total: int, *, failing: int = 0, every_s: float = 0.01) -> list[Any]:
    events = [event("node", "RUNNING", "n0", reason=f"{total} items", evidence={"items": total})]
    for i in range(total):
        at = (i + 1) * every_s
        events += [event("attempt", "QUEUED", f"n0.{i}", at), event("attempt", "RUNNING", f"n0.{i}", at)]
        last = {"reason": f"ValueError: {i}"} if i < failing else {}
        events.append(event("node", "FAILED" if i < failing else "SUCCEEDED", f"n0.{i}", at, **last))
    return events


def test_map_is_one_line_with_counts(event):
    board = Board(view_of("flow.many", "flow.total"))
    for each in items(event, 40, failing=3):
        board.take(each)
    board.take(event("node", "RUNNING", "n0.0", cache=""))
    assert lines(board)[0].split("  ")[-1] == "37 of 40 done, 3 failed, 1 running"
    assert len(board.rows) == 2
    assert lines(board)[-1].startswith("RUNNING  0 of 2 done, 1 running, 1 waiting")
    board.take(event("node", "FAILED", "n0"))
    board.take(event("execution", "FAILED"))
    assert lines(board)[-1].startswith("FAILED  0 of 2 done, 1 failed, 1 not run")


def test_items_from_the_catalog_and_recovered_ones_are_counted(event):
    board = Board(view_of("flow.many"))
    board.take(event("node", "RUNNING", "n0", evidence={"items": 3}))
    board.take(event("cache", "HIT", "n0.0", cache="HIT"))
    board.take(event("node", "SUCCEEDED", "n0.0", cache="HIT"))
    board.take(event("node", "RECOVERED", "n0.1"))
    assert lines(board)[0].endswith("2 of 3 done, 1 from cache, 1 recovered")


def test_many_items_print_few_lines(event):
    said = plain(view_of("flow.many"), items(event, 5000, failing=100))
    assert said.count("\n") < 30
    assert said.count(" failed: ValueError") == 10
    assert "n0: further failures of its items are only counted\n" in said
    assert "n0 flow.many: " in said  # now and then


def test_what_items_run_goes_when_they_end_and_failures_stay(event):
    board = Board(view_of("flow.row"))
    board.take(event("node", "RUNNING", "n0", evidence={"items": 2}))
    for item in (0, 1):
        board.take(event("scope", "RUNNING", f"n0.{item}", task="flow.row", evidence={"nodes": 2}))
        board.take(event("attempt", "QUEUED", f"n0.{item}.n0", task="flow.square"))
        board.take(event("attempt", "RUNNING", f"n0.{item}.n0"))
    assert list(board.rows) == ["n0", "n0.0.n0", "n0.1.n0"]
    board.take(event("node", "SUCCEEDED", "n0.0.n0"))
    board.take(event("scope", "SUCCEEDED", "n0.0"))
    board.take(event("node", "SUCCEEDED", "n0.0"))
    board.take(event("node", "FAILED", "n0.1.n0", reason="ValueError: no"))
    board.take(event("scope", "FAILING", "n0.1"))
    board.take(event("scope", "FAILED", "n0.1"))
    board.take(event("node", "FAILED", "n0.1", reason="ValueError: no"))
    assert list(board.rows) == ["n0", "n0.1.n0"]
    assert board.counts() == "0 of 1 done, 1 running"


def single(event, item: str, *inner: Any, phase: str = "SUCCEEDED", **last: Any) -> list[Any]:
    """An item that runs a workflow of one node: that node has the item's id."""
    begun = event("scope", "RUNNING", item, task="flow.single", evidence={"nodes": 1})
    return [begun, *inner, *(event(kind, phase, item, **last) for kind in ("node", "scope", "node"))]


def test_an_item_and_its_only_node_are_counted_once(event):
    begun = event("node", "RUNNING", "n0", reason="3 items", evidence={"items": 3})
    runs = [[event("attempt", phase, f"n0.{i}") for phase in ("QUEUED", "RUNNING")] for i in range(3)]
    ended = [
        *single(event, "n0.0", *runs[0]),
        *single(event, "n0.1", *runs[1], phase="FAILED", reason="ValueError: no"),
    ]
    board = Board(view_of("flow.single"))
    for each in (begun, *ended, *single(event, "n0.2", *runs[2])[:3]):
        board.take(each)
    assert lines(board)[0].split("  ")[-1] == "1 of 3 done, 1 failed, 1 running"
    assert list(board.rows) == ["n0"]
    assert plain(view_of("flow.single"), [begun, *ended]).count("n0.1 flow.single failed: ValueError: no\n") == 1


def test_a_workflow_of_one_node_inside_another_is_counted_once(event):
    board = Board(view_of("flow.outer"))
    board.take(event("node", "RUNNING", "n0", evidence={"items": 2}))
    for each in single(event, "n0.0", *single(event, "n0.0", event("attempt", "RUNNING", "n0.0"))):
        board.take(each)
    assert lines(board)[0].split("  ")[-1] == "1 of 2 done"


def test_the_failure_of_the_only_call_of_a_workflow_inside_another_is_told_once(event):
    failures = [event("node", "FAILED", "n0", at, reason="no", task="flow.bad") for at in (1, 2)]
    told = plain(view_of("flow.bad"), [event("attempt", "RUNNING", "n0", task="flow.bad"), *failures])
    assert told.count("n0 flow.bad FAILED") == 1


def test_a_map_that_an_item_runs_alone_counts_its_own_items(event):
    board = Board(view_of("flow.nest"))
    board.take(event("node", "RUNNING", "n0", evidence={"items": 1}))
    inner = [event("node", "RUNNING", "n0.0", evidence={"items": 2}), event("attempt", "RUNNING", "n0.0.1")]
    inner.append(event("node", "SUCCEEDED", "n0.0.0"))
    told = single(event, "n0.0", *inner)
    for each in told[:4]:
        board.take(each)
    assert list(board.rows) == ["n0", "n0.0"]
    assert lines(board)[1].split("  ")[-1] == "1 of 2 done, 1 running"
    for each in told[4:]:
        board.take(each)
    assert list(board.rows) == ["n0"]
    assert lines(board)[0].split("  ")[-1] == "1 of 1 done"


def test_gates_that_items_are_can_be_answered(event):
    begun = event("node", "RUNNING", "n0", evidence={"items": 2})
    told = [single(event, item, a_gate(event, item, "ok", approval=True, type="")) for item in ("n0.0", "n0.1")]
    said = plain(view_of("flow.asks"), [begun, *told[0][:2], *told[1][:2]], wait_s=3 * IDLE_S)
    assert said.endswith("until it is answered:\n  wingbeat approve e1 n0.0\n  wingbeat approve e1 n0.1\n")
    board = Board(view_of("flow.asks"))
    for each in (begun, *told[0], *told[1][:2]):
        board.take(each)
    assert [board.answer(row) for row in board.waiting()] == ["wingbeat approve e1 ok"]
    assert board.counts() == "0 of 1 done, 1 running"


def test_skipped_arms_are_shown(event):
    board = Board(view_of("branch", "flow.big", "flow.small"))
    board.take(event("node", "RUNNING", "n0", evidence={"arm": 1, "skipped": ["n1"]}))
    assert board.rows["n1"].phase == "SKIPPED"
    assert board.counts() == "0 of 3 done, 1 running, 1 skipped, 1 waiting"
    coloured = board.lines(board.now, 20, colour=True)
    assert coloured[1].startswith("\x1b[2mn1")


def test_turns_of_a_body_are_no_attempts(event):
    events = [event("attempt", "QUEUED", "n0"), event("attempt", "RUNNING", "n0")]
    for turn in range(1, 4):
        events += [
            event("scope", "RUNNING", f"n0.square-{turn}", task="flow.square", evidence={"nodes": 1}),
            event("node", "DYNAMIC_RUNNING", "n0"),
            event("attempt", "QUEUED", f"n0.square-{turn}", task="flow.square"),
            event("attempt", "RUNNING", f"n0.square-{turn}"),
            event("node", "SUCCEEDED", f"n0.square-{turn}"),
            event("scope", "SUCCEEDED", f"n0.square-{turn}"),
            event("attempt", "QUEUED", "n0", attempt=turn),
            event("attempt", "RUNNING", "n0", attempt=turn),
        ]
    events.append(event("node", "SUCCEEDED", "n0", attempt=3))
    said = plain(view_of("flow.search"), events)
    assert said.splitlines()[1:] == [
        "n0 flow.search RUNNING",
        *(f"n0.square-{i} flow.square {what}" for i in (1, 2, 3) for what in ("RUNNING", "SUCCEEDED 0 ms")),
        "n0 flow.search SUCCEEDED 0 ms",
    ]


def test_what_a_body_is_going_to_call_is_not_counted(event):
    board = Board(view_of("flow.search"))
    board.take(event("attempt", "RUNNING", "n0"))
    board.take(event("scope", "RUNNING", "n0.square-0", task="flow.square", evidence={"nodes": 1}))
    board.take(event("node", "DYNAMIC_RUNNING", "n0"))
    board.take(event("node", "SUCCEEDED", "n0.square-0"))
    assert board.counts() == "1 done, more may come, 1 running"
    board.take(event("node", "SUCCEEDED", "n0"))
    assert board.counts() == "2 of 2 done"


def test_called_workflow_with_several_nodes_has_a_row(event):
    board = Board(view_of("flow.search"))
    row = board.take(event("scope", "RUNNING", "n0.row-0", task="flow.row", evidence={"nodes": 3}))
    assert row is not None
    assert (row.task, row.phase) == ("flow.row", "RUNNING")
    board.take(event("scope", "SUCCEEDED", "n0.row-0", 2))
    assert board.rows["n0.row-0"].phase == "SUCCEEDED"
    assert board.take(event("scope", "RUNNING", "on_failure", task="flow.report", evidence={"nodes": 1})) is None


def a_gate(event, node: str = "n0", name: str = "threshold", **more: Any) -> Any:
    evidence = {"gate": name, "approval": False, "type": "float", **more}
    return event("node", "RUNNING", node, reason=f"waiting for input {name!r}", evidence=evidence)


def test_gate_shows_for_what_it_waits_and_what_answers_it(event):
    board = Board(view_of("wait for threshold", "approve deploy"))
    board.take(a_gate(event))
    board.take(a_gate(event, "n1", "deploy", approval=True, type=""))
    assert lines(board)[2:4] == [
        "answer n0 with: wingbeat signal e1 threshold FLOAT",
        "answer n1 with: wingbeat approve e1 deploy",
    ]
    assert board.counts() == "0 of 2 done, 2 to be answered"


def test_a_command_can_be_copied_whatever_the_gate_is_called(event):
    board = Board(view_of("approve ship it"))
    board.take(a_gate(event, "n0", "ship it", approval=True, type=""))
    assert "answer n0 with: wingbeat approve e1 'ship it'" in lines(board)


def test_gates_of_one_name_are_answered_by_their_nodes(event):
    board = Board(view_of("wait for threshold", "wait for threshold"))
    board.take(a_gate(event))
    board.take(a_gate(event, "n1"))
    assert "answer n1 with: wingbeat signal e1 n1 FLOAT" in lines(board)


def test_run_that_only_waits_says_so_once(event):
    events = [event("attempt", "QUEUED", "n1"), a_gate(event), event("node", "SUCCEEDED", "n1")]
    said = plain(view_of("wait for threshold", "flow.one"), events, wait_s=3 * IDLE_S)
    assert said.endswith("nothing goes on until it is answered:\n  wingbeat signal e1 threshold FLOAT\n")
    assert said.count("nothing goes on") == 1


@pytest.mark.parametrize(
    "busy",
    [
        [("attempt", "QUEUED", "n1", {})],
        [("node", "RUNNING", "n1", {"child": "e1-abc"})],
        [("node", "RUNNING", "n1", {"gate": ""})],
        [("node", "RUNNING", "n1", {"items": 2}), ("attempt", "RUNNING", "n1.0", {})],
    ],
)
def test_run_that_does_something_beside_waiting_does_not_say_so(event, busy):
    events = [a_gate(event), *(event(kind, phase, node, evidence=said) for kind, phase, node, said in busy)]
    said = plain(view_of("wait for threshold", "flow.one"), events, wait_s=2 * IDLE_S)
    assert "nothing goes on" not in said


def test_a_sleep_says_until_when(event):
    view = view_of("sleep")
    told = event("node", "RUNNING", "n0", reason="sleeping", evidence={"gate": ""})
    board = Board(view)
    board.take(told)
    sleeping = [NodeView("n0", "sleep", NodePhase.RUNNING, until=1_700_003_600.0)]
    later = msgspec.structs.replace(view, nodes=sleeping)
    assert [row.id for row in board.advance(later)] == ["n0"]
    assert board.advance(later) == []
    until = moment(1_700_003_600.0)
    assert lines(board)[0].endswith(f"sleeping until {until}")
    stream = io.StringIO()
    screen = PlainScreen(stream)
    screen.begin(view)
    screen.take(told)
    screen.advance(later)
    assert stream.getvalue().endswith(f"n0 sleep RUNNING: sleeping\nn0 sleep RUNNING until {until}\n")
    board.take(event("node", "SUCCEEDED", "n0"))
    assert until not in lines(board)[0]


class Family:
    """An engine of executions, by their ids."""

    def __init__(self, *views: ExecutionView) -> None:
        self.views = {view.id: view for view in views}

    async def describe(self, execution: str) -> ExecutionView:
        if execution not in self.views:
            raise NotFound(execution)
        return self.views[execution]


def waiting_for(id_: str, *nodes: NodeView) -> ExecutionView:
    return ExecutionView(id_, f"flow.{id_}", ExecutionPhase.RUNNING, 0.0, nodes=list(nodes))


def asking(id_: str, name: str) -> ExecutionView:
    gate = NodeView("n0", name, NodePhase.RUNNING, gate=GateView(name, Simple("bool"), True))
    return waiting_for(id_, gate)


def test_gates_of_child_executions_and_of_theirs_are_told_once_with_what_answers_them(event):
    board = Board(view_of("flow.child"))
    board.take(event("node", "RUNNING", "n0", reason="execution kid", evidence={"child": "kid"}))
    assert list(board.children.values()) == ["kid"]
    inner = child_execution_id("kid", "n1")
    kid = waiting_for("kid", NodeView("n0", "flow.done", NodePhase.SUCCEEDED), NodeView("n1", "l", NodePhase.RUNNING))
    below = Below(Family(kid, asking(inner, "let go")))
    said = f"flow.{inner} waits for 'let go' (approval), in a child execution: wingbeat approve {inner} 'let go'"
    assert asyncio.run(below.told(board.children.values())) == [said]
    assert asyncio.run(below.told(board.children.values())) == []
    board.take(event("node", "SUCCEEDED", "n0"))
    assert not board.children


def test_gates_of_very_many_child_executions_are_bounded():
    family = Family(*(asking(f"kid{i}", "go") for i in range(LOOKED_AT_MAX + 9)))
    below = Below(family)
    told = asyncio.run(below.told(list(family.views)))
    assert len(told) == TOLD_MAX + 1
    assert told[-1].startswith("more gates wait")
    assert asyncio.run(below.told(list(family.views))) == []
