"""Inputs and outputs in a command."""

from hypothesis import given
from hypothesis import strategies as st

from wingbeat_container.placeholders import filled, used, wrong


def test_inputs_and_outputs_are_put_in():
    command = ("awk", "{{inputs.program}}", "{{inputs.words}}>{{outputs.o0}}")
    texts = {"program": "{ print }", "words": "/wingbeat/files/0/a.txt"}
    assert filled(command, texts, {"o0": "/o"}) == ["awk", "{ print }", "/wingbeat/files/0/a.txt>/o"]
    assert used(command) == {"program", "words"}


def test_what_is_put_in_is_not_looked_at_again():
    assert filled(["{{inputs.a}}"], {"a": "{{inputs.b}}", "b": "no"}, {}) == ["{{inputs.b}}"]


def test_other_braces_are_left_alone():
    command = ["{{.State.Status}}", "awk '{{ print }}'", "{{}}", "{{ input_files }}", "{inputs.a}"]
    assert filled(command, {}, {}) == command
    assert list(wrong(command, [], [])) == []


def test_what_names_nothing_is_found():
    command = ["{{inputs.m}}", "{{.inputs.n}}", "{{ inputs.n }}", "{{outputs.n}}", "{{inputs.n}}", "{{input.n}}"]
    found = dict(wrong(command, ["n"], ["o0"]))
    assert list(found) == ["{{inputs.m}}", "{{.inputs.n}}", "{{ inputs.n }}", "{{outputs.n}}", "{{input.n}}"]
    assert found["{{inputs.m}}"] == "The inputs of the task are: n."
    assert found["{{.inputs.n}}"] == "Write {{inputs.NAME}}, without a dot before it and without spaces."


@given(st.lists(st.text(alphabet="{}inputs.ao ", max_size=30)))
def test_a_checked_command_can_be_filled(command):
    if not list(wrong(command, ["a"], ["o"])):
        assert len(filled(command, {"a": "1"}, {"o": "2"})) == len(command)
