import json

import pytest

from wingbeat.base.errors import CompileError, ConflictError, InputError
from wingbeat.spec.entities import Closure, Interface, Variable, WorkflowSpec
from wingbeat.types import Simple

PLACE = {"project": "default", "domain": "development"}


def test_run_prints_outputs_and_a_line_for_each_change(world, wingbeat):
    answer = wingbeat("run", "flow.py", "pipeline", "--x", "3")
    assert answer.status == 0
    assert answer.out == "o0 = 8\n"
    assert answer.err == (
        "execution e1: flow.pipeline, 2 nodes\n"
        "n0 flow.one HIT\n"
        "n1 flow.two RUNNING\n"
        "n1 flow.two attempt 0 failed, will be tried again: ValueError: not yet\n"
        "n1 flow.two RUNNING (attempt 1)\n"
        "n1 flow.two SUCCEEDED 12.3 s (attempt 1)\n"
        "SUCCEEDED  2 of 2 done (1 from cache)  12.5 s\n"
    )
    assert world.launched == [{"inputs": {"x": 3}, "name": None, "resume": True, **PLACE}]


def test_run_prints_one_object_as_json(world, wingbeat):
    answer = wingbeat("run", "flow.py", "pipeline", "--x", "3", "-o", "json")
    assert json.loads(answer.out) == {
        "id": "e1",
        "phase": "SUCCEEDED",
        "outputs": {"o0": 8},
        "nodes": [
            {
                "id": "n0",
                "task": "flow.one",
                "name": "",
                "of": "",
                "phase": "SUCCEEDED",
                "cache": "HIT",
                "attempts": 0,
                "reason": "",
                "gate": None,
                "until": None,
                "items": None,
            },
            {
                "id": "n1",
                "task": "flow.two",
                "name": "",
                "of": "",
                "phase": "SUCCEEDED",
                "cache": "POPULATED",
                "attempts": 2,
                "reason": "",
                "gate": None,
                "until": None,
                "items": None,
            },
        ],
        "error": None,
    }


def test_run_that_fails_shows_the_users_error_and_where_the_log_is(world, wingbeat):
    world.fail()
    world.events = [world.published("node", "FAILED", "n1", 12.5, reason="ValueError: a bug in the last step")]
    answer = wingbeat("run", "flow.py", "pipeline", "--x", "3")
    assert answer.status == 1
    assert answer.out == ""
    assert answer.err == (
        "execution e1: flow.pipeline, 2 nodes\n"
        "n1 flow.two FAILED: ValueError: a bug in the last step\n"
        "error in n1 (flow.two): ValueError: a bug in the last step\n"
        "  Traceback (most recent call last):\n"
        '    File "flow.py", line 3, in two\n'
        "  ValueError: a bug in the last step\n"
        "log: wingbeat logs e1 n1\n"
        "when it is mended: wingbeat recover e1 flow.py pipeline keeps what succeeded\n"
    )


def test_the_command_that_recovers_can_be_copied_where_the_file_is_known(world, wingbeat):
    world.fail()
    (world.home.parent / "my flow.py").write_text("")
    recover = "when it is mended: wingbeat recover e1 "
    assert f"{recover}'my flow.py' pipeline keeps" in wingbeat("run", "my flow.py", "pipeline", "--x", "3").err
    assert f"{recover}flow.py pipeline keeps" in wingbeat("recover", "e0", "flow.py", "pipeline").err
    assert f"{recover}FILE ENTITY keeps" in wingbeat("recover", "e0").err
    world.view.labels["wingbeat/entity"] = "maps/production/roads.build@v1"
    assert f"{recover}maps/production/roads.build@NEW keeps" in wingbeat("recover", "e0").err


def test_failed_run_as_json_has_the_error(world, wingbeat):
    world.fail()
    answer = wingbeat("run", "flow.py", "pipeline", "--x", "3", "-o", "json")
    found = json.loads(answer.out)
    assert (answer.status, found["phase"], found["outputs"]) == (1, "FAILED", None)
    assert found["error"] == {
        "code": "ValueError",
        "message": "ValueError: a bug in the last step",
        "kind": "USER",
        "node": "n1",
    }


@pytest.mark.parametrize(("phase", "status"), [("ABORTED", 7), ("TIMED_OUT", 8)])
def test_other_ends_have_their_own_status(world, wingbeat, phase, status):
    world.fail(phase)
    assert wingbeat("run", "flow.py", "pipeline", "--x", "3").status == status


def test_resumed_run_says_so(world, wingbeat):
    world.created = False
    answer = wingbeat("run", "flow.py", "pipeline", "--x", "3")
    assert answer.err.startswith("resuming e1, which had not ended (--fresh starts anew)\n")


def test_named_run_that_is_there_says_so(world, wingbeat):
    world.created = False
    answer = wingbeat("run", "flow.py", "pipeline", "--x", "3", "--name", "e1")
    assert answer.err.startswith("execution e1 is there already\n")
    assert world.launched[0]["name"] == "e1"


@pytest.mark.parametrize(
    "line",
    [
        ["run", "--fresh", "--name", "a", "flow.py", "pipeline", "--x=3"],
        ["run", "flow.py", "pipeline", "--x", "3", "--fresh", "--name", "a"],
        ["run", "--name", "b", "--fresh", "flow.py", "pipeline", "--input", "x=3", "--name", "a"],
    ],
)
def test_options_of_ours_stand_before_or_behind(world, wingbeat, line):
    assert wingbeat(*line).status == 0
    assert world.launched == [{"inputs": {"x": 3}, "name": "a", "resume": False, **PLACE}]


def test_a_run_is_in_a_project_and_a_domain(world, wingbeat):
    assert wingbeat("run", "-p", "maps", "flow.py", "pipeline", "--x", "3", "-d", "production").status == 0
    assert world.launched == [
        {"inputs": {"x": 3}, "name": None, "resume": True, "project": "maps", "domain": "production"}
    ]


def test_where_the_line_says_no_place_the_settings_do(world, wingbeat):
    settings = ("--set", "project.name=eta", "--set", "project.domain=staging")
    assert wingbeat(*settings, "run", "flow.py", "pipeline", "--x", "3").status == 0
    assert wingbeat(*settings, "run", "flow.py", "pipeline", "--x", "3", "-d", "production").status == 0
    assert [(each["project"], each["domain"]) for each in world.launched] == [("eta", "staging"), ("eta", "production")]
    answer = wingbeat("run", "-p", "Not A Project", "flow.py", "pipeline", "--x", "3")
    assert (answer.status, len(world.launched)) == (2, 2)
    assert "cannot name a project" in answer.err


def test_input_whose_name_is_an_option_of_ours_is_given_by_name(world, wingbeat):
    world.closure = world.closure_of(Variable("name", Simple("str")), Variable("from", Simple("int")))
    assert wingbeat("run", "flow.py", "pipeline", "--input", "name=Ann", "--from", "2").status == 0
    assert world.launched == [{"inputs": {"name": "Ann", "from": 2}, "name": None, "resume": True, **PLACE}]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "error: input 'x' is missing; give it as --x INT\n"),
        (["--x", "three"], "error: input 'x': expected int, got 'three'\n"),
        (["--input", "y=3"], "error: there is no input 'y'; the inputs are: x\n"),
        (["--x", "3", "--input", "x=3"], "error: input 'x' is given twice\n"),
        (["--input", "x"], "error: --input takes NAME=VALUE, not 'x'\n"),
    ],
)
def test_wrong_inputs_end_with_2_before_anything_runs(world, wingbeat, line, message):
    answer = wingbeat("run", "flow.py", "pipeline", *line)
    assert answer.status == 2
    assert answer.err == f"{message}  see: wingbeat run flow.py pipeline --help\n"
    assert world.launched == []


@pytest.mark.parametrize("form", ["--learning-rate", "--learning_rate"])
def test_underscores_may_be_hyphens(world, wingbeat, form):
    world.closure = world.closure_of(Variable("learning_rate", Simple("float")), Variable("dry_run", Simple("bool")))
    assert wingbeat("run", "flow.py", "pipeline", form, "0.1", "--no_dry-run").status == 0
    assert world.launched[0]["inputs"] == {"learning_rate": 0.1, "dry_run": False}


def test_unknown_option_ends_with_2(world, wingbeat):
    answer = wingbeat("run", "flow.py", "pipeline", "--y", "3")
    assert answer.status == 2
    assert "--y" in answer.err


def test_missing_file_ends_with_2(world, wingbeat):
    answer = wingbeat("run", "nothing.py", "pipeline")
    assert (answer.status, answer.err.partition("\n")[0]) == (2, "error: there is no file nothing.py")


def test_run_without_entity_says_what_there_is(world, wingbeat):
    answer = wingbeat("run", "flow.py")
    assert answer.status == 2
    assert "name what to run; flow.py has: pipeline, one" in answer.err
    assert "flow.py has: pipeline, one" in wingbeat("run", "flow.py", "--help").out


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (CompileError("flow.py:3: no", hint="do"), 3, "error: flow.py:3: no\n  do\n"),
        (
            InputError("Input 'x' of flow.pipeline takes int: no"),
            2,
            "error: Input 'x' of flow.pipeline takes int: no\n",
        ),
        (ConflictError("the name is taken"), 6, "error: the name is taken\n"),
    ],
)
def test_errors_of_the_kernel_are_told_without_a_traceback(world, wingbeat, error, status, text):
    world.fails = error
    answer = wingbeat("run", "flow.py", "pipeline", "--x", "3", "-o", "json")
    assert (answer.status, answer.err) == (status, text)
    assert json.loads(answer.out)["error"]["code"] == type(error).__name__


def test_unexpected_error_leaves_a_traceback_in_the_home(world, wingbeat):
    world.fails = ZeroDivisionError("oops")
    answer = wingbeat("run", "flow.py", "pipeline", "--x", "3")
    assert answer.status == 70
    (kept,) = (world.home / "errors").iterdir()
    assert str(kept) in answer.err
    assert "Traceback" not in answer.err
    assert "ZeroDivisionError: oops" in kept.read_text()


def test_help_of_an_entity_shows_types_defaults_and_docs(world, wingbeat, monkeypatch):
    monkeypatch.setenv("COLUMNS", "102")
    world.closure = world.closure_of(
        Variable("x", Simple("int"), doc="How many."),
        Variable("dry_run", Simple("bool"), False),
        Variable("day", Simple("date")),
        Variable("name", Simple("str"), "Ann"),
    )
    answer = wingbeat("run", "flow.py", "pipeline", "--help")
    assert answer.status == 0
    assert answer.out == HELP


HELP = """\
Usage: wingbeat run flow.py pipeline [INPUTS]

  Add and double.

  Outputs:
    o0: int

  Inputs whose names are options:
    --input name=STR  [default: Ann]

Options:
  --x INT                         How many.  [required]
  --dry-run / --no-dry-run        [default: false]
  --day DATE                      [required]
  --input NAME=VALUE              Give any input, also one whose name is an option of its own.
  --name ID                       Id of the execution; the same name again starts nothing new.
  --fresh                         Start anew, also if the same run did not finish.
  -p PROJECT                      Whose it is; else that of project.name.
  -d DOMAIN                       Where it is used; else project.domain.
  -o, --output [table|json|yaml]  Form of the output.  [default: table]
  -h, --help                      Show this message and exit.
"""


def test_what_is_indented_in_a_docstring_keeps_its_lines_in_the_help(world, wingbeat):
    workflow = WorkflowSpec(
        "flow.pipeline", Interface((), ()), doc="Add, then\ndouble.\n\nReturns:\n    What came out."
    )
    world.closure = Closure("d", {"d": workflow})
    out = wingbeat("run", "flow.py", "pipeline", "--help").out
    assert "  Add, then double.\n\n  Returns:\n      What came out.\n" in out


def test_settings_of_the_command_are_given_to_the_kernel_and_to_the_compile(world, wingbeat):
    wingbeat("--set", "process.slots=2", "--set", "kernel.catalog=none", "run", "flow.py", "pipeline", "--x", "3")
    assert world.settings == [{"process": {"slots": "2"}, "kernel": {"catalog": "none"}}] * 2
