"""What lists are sorted by, and versions as they are counted."""

import random

import pytest

from wingbeat.base.errors import InputError
from wingbeat.spec.identity import version_key
from wingbeat.spec.sorts import ENTITY_SORTS, EXECUTION_SORTS, Sort


@pytest.mark.parametrize(
    ("text", "sort"),
    [
        ("name", Sort("name")),
        ("-duration", Sort("duration", descending=True)),
        ("inputs.city", Sort("inputs", "city")),
        ("-outputs.o0", Sort("outputs", "o0", descending=True)),
        ("labels.acme.org/team", Sort("labels", "acme.org/team")),
    ],
)
def test_sorts_are_read(text, sort):
    assert EXECUTION_SORTS.parse(text) == sort


@pytest.mark.parametrize(
    "text",
    ["", "-", "--name", "name\n", "name;", "inputs", "inputs.", "inputs.a.b", "inputs.1", "labels.a b", "x" * 1000],
)
def test_what_is_none_is_refused_with_all_that_there_are(text):
    with pytest.raises(InputError) as refused:
        EXECUTION_SORTS.parse(text)
    assert "created_at, ended_at, duration, name, " in refused.value.hint
    assert "inputs.NAME, outputs.NAME, labels.NAME" in refused.value.hint
    assert len(str(refused.value)) < 400


def test_a_list_that_has_no_values_is_not_sorted_by_one():
    with pytest.raises(InputError, match="'inputs.n'") as refused:
        ENTITY_SORTS.parse("inputs.n")
    assert refused.value.hint == "It is one of created_at, name, version; with '-' before it, the greatest first."


def test_numbers_in_versions_count_as_numbers():
    versions = ["1.9", "1.10", "1.10-rc1", "2024", "10000", "v2", "v9", "v10", "v0100"]
    random.Random(1).shuffle(shuffled := versions.copy())  # not for secrets
    assert sorted(shuffled, key=version_key) == versions
    assert version_key("v0") == version_key("v000") < version_key("v1")
