import json
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wingbeat.base.errors import CompileError
from wingbeat_cli.render.yaml import rewritten

CORE_NUMBER = re.compile(
    r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
"""What the core schema of YAML 1.2 takes for a number."""

texts = (
    st.text()
    | st.from_regex(CORE_NUMBER, fullmatch=True)
    | st.sampled_from(["no", "~", "null", "12e4567", "1:30", "a\n b \n"])
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_yaml_holds_what_json_holds(value: Any):
    text = rewritten(json.dumps({"value": value}))
    assert text.startswith("---\n")
    assert yaml.safe_load(text) == {"value": value}


@given(st.from_regex(CORE_NUMBER, fullmatch=True))
def test_text_is_no_number_for_readers_of_yaml_1_2(text: str):
    assert rewritten(json.dumps({"version": text})) == f"---\nversion: '{text}'\n"


def test_yaml_is_in_blocks_and_readable():
    trace = 'Traceback:\n  File "flow.py"\nValueError: naïve'
    same = ["x"]
    document = {
        "at": "2023-11-14T22:13:20+00:00",
        "error": {"trace": trace, "node": "n1"},
        "a": same,
        "b": same,
        "none": [],
    }
    assert rewritten(json.dumps(document)) == (
        "---\nat: '2023-11-14T22:13:20+00:00'\nerror:\n  trace: |-\n    Traceback:\n      File \"flow.py\"\n"
        "    ValueError: naïve\n  node: n1\na:\n- x\nb:\n- x\nnone: []\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        ["run", "flow.py", "pipeline", "--x", "3"],
        ["get", "executions", "--limit", "2"],
        ["get", "execution", "e1"],
        ["describe", "execution", "e1"],
        ["explain", "cache", "e1", "n1"],
        ["recover", "e1", "--plan"],
        ["abort", "e1"],
        ["evict", "cache", "--all"],
        ["version"],
        ["get", "execution", "e9"],
        ["explain", "cache", "e1"],
    ],
    ids=" ".join,
)
def test_every_command_says_in_yaml_what_it_says_in_json(world, wingbeat, line: list[str]):
    as_json, as_yaml = wingbeat(*line, "-o", "json"), wingbeat(*line, "-o", "yaml")
    assert as_yaml.status == as_json.status
    assert as_yaml.err == as_json.err
    assert yaml.safe_load(as_yaml.out) == json.loads(as_json.out)


@pytest.mark.parametrize("form", [["-o", "yaml"], ["-oyaml"], ["--output", "yaml"], ["--output=yaml"]], ids=" ".join)
def test_what_fails_before_the_options_are_read_is_a_document(world, wingbeat, form: list[str]):
    world.fails = CompileError("no such task")
    answer = wingbeat("run", "flow.py", "pipeline", "--x", "3", *form)
    assert (answer.status, yaml.safe_load(answer.out)["error"]["message"]) == (3, "no such task")
    assert "error: no such task" in answer.err


def test_the_library_is_imported_by_who_asks_for_yaml():
    code = (
        "import sys; from wingbeat_cli.group import invoke; "
        "invoke(['version', '-o', 'json']); assert 'yaml' not in sys.modules; "
        "invoke(['version', '-o', 'yaml']); assert 'yaml' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
