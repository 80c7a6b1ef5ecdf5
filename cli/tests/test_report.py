"""What is told of one execution."""

import pytest

from wingbeat.contracts.engine import ExecutionView, NodeView
from wingbeat.contracts.places import SETTINGS_LABEL
from wingbeat.spec.phase import ExecutionPhase, NodePhase
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


@pytest.mark.parametrize(("cache", "told"), [("LOOKUP_FAILURE", True), ("PUT_FAILURE", True), ("POPULATED", False)])
def test_why_a_catalog_has_failed_is_told_also_of_what_has_succeeded(cache, told):
    why = "The catalog 'acme' failed: RuntimeError: BOOM"
    node = NodeView("n0", "flows.twice", NodePhase.SUCCEEDED, cache=cache, reason=why)
    view = ExecutionView("x", "flows.twice", ExecutionPhase.SUCCEEDED, 0.0, nodes=[node])
    assert any(why in line for line in describe(view, None, {}, History(), colour=False)) == told
