"""What is told of one execution."""

from wingbeat.contracts.engine import ExecutionView
from wingbeat.contracts.places import SETTINGS_LABEL
from wingbeat.spec.phase import ExecutionPhase
from wingbeat_cli.render.report import History, describe


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
