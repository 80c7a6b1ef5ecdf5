"""Settings of places as they are written and shown."""

import click
import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.places import PlaceSettings, places_of
from wingbeat_cli.places import _MEMORY, NAMES, _value, setting_value


def test_every_setting_has_a_name_here():
    assert tuple(_MEMORY.get(name, name) for name in NAMES) == PlaceSettings.__struct_fields__


@pytest.mark.parametrize(
    ("name", "text", "value", "again"),
    [
        ("executions", "20", 20, "20"),
        ("cpu", "2.5", 2.5, "2.5"),
        ("mem", "16Gi", 16 * 2**30, "16.0 GiB"),
        ("pool", "gpu", "gpu", "gpu"),
        ("priority", "-3", -3, "-3"),
        ("labels", "team=eta,why=a=b", {"team": "eta", "why": "a=b"}, "team=eta,why=a=b"),
        ("retention_days", "30", 30.0, "30"),
    ],
)
def test_a_value_is_read_and_shown(name, text, value, again):
    assert _value(name, text) == value
    assert setting_value(_MEMORY.get(name, name), value) == again


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("executions", "many"),
        ("mem", "1 elephant"),
        ("labels", "team"),
        ("labels", "=x"),
        ("cpu", ""),
        ("memory_bytes", "1"),
    ],
)
def test_what_is_no_value_is_told(name, text):
    with pytest.raises(click.UsageError, match=name):
        _value(name, text)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("priority", "abc", "'abc' is no whole number"),
        ("executions", "1.5", "'1.5' is no whole number"),
        ("cpu", "x", "'x' is no number"),
    ],
)
def test_what_is_no_number_is_told_in_words(name, text, said):
    with pytest.raises(click.UsageError) as refused:
        _value(name, text)
    assert refused.value.message == f"{name}: {said}"


def test_an_admin_without_settings_says_so():
    with pytest.raises(ConfigurationError, match="keeps no settings of places"):
        places_of(object())
