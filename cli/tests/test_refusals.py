"""What has not started, on the command line."""

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.refusals import Refusal
from wingbeat_cli.refusals import _parts, refusing
from wingbeat_cli.render import document


def test_an_admin_that_keeps_none_is_told_plainly():
    with pytest.raises(ConfigurationError, match="does not keep what was refused"):
        refusing(object())


def test_a_launch_plan_is_named_whole_or_by_its_name():
    assert _parts("maps/production/weekly@v1", "", "") == ("maps", "production", "weekly")
    assert _parts("weekly", "maps", "") == ("maps", "", "weekly")


def test_one_as_a_document():
    found = Refusal("x1", "maps/production/weekly@v1", "tick 2026-03-01T06:00:00+00:00", 0.0, "it was under way")
    assert document.refusal(found) == {
        "id": "x1",
        "entity": "maps/production/weekly@v1",
        "cause": "tick 2026-03-01T06:00:00+00:00",
        "at": "1970-01-01T00:00:00+00:00",
        "reason": "it was under way",
    }
