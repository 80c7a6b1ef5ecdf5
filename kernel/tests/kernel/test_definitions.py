"""What a file or a folder defines, to be registered."""

import pytest

from wingbeat import CompileError, InputError
from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.admin import Kind
from wingbeat.kernel import definitions_of, left_out_of, problems_of

FILE = """
from wingbeat import Cron, LaunchPlan, task, workflow

@task
def one(n: int) -> int:
    return n + 1

@workflow
def flow(n: int) -> int:
    "Adds one."
    return one(n)

@workflow
async def moving(n: int) -> int:
    return await one(n)

nightly = LaunchPlan(flow, name="nightly", inputs={"n": 1}, trigger=Cron("0 3 * * *"))
"""


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "project"
    place.mkdir()
    (place / "wingbeat.toml").write_text("")
    (place / "flows.py").write_text(FILE)
    return place


def found(path, tmp_path):
    return {each.name: each for each in definitions_of(str(path), tmp_path / "home")}


def test_a_file_defines_tasks_workflows_and_launch_plans(folder, tmp_path):
    definitions = found(folder / "flows.py", tmp_path)
    assert {name: each.kind for name, each in definitions.items()} == {
        "flows.flow": Kind.WORKFLOW, "flows.moving": Kind.WORKFLOW, "flows.one": Kind.TASK, "nightly": Kind.LAUNCHPLAN,
    }  # fmt: skip
    for each in definitions.values():
        assert each.closure.bundle.startswith("sha256:")
        assert each.closure.environment.startswith("sha256:")
    nightly = definitions["nightly"]
    assert nightly.plan.workflow == nightly.closure.root == definitions["flows.flow"].closure.root
    assert [variable.default for variable in nightly.interface.inputs] == [1]
    assert [each.digest for each in found(folder / "flows.py", tmp_path).values()] == [
        each.digest for each in definitions.values()
    ]


def test_a_folder_is_looked_through(folder, tmp_path):
    (folder / "more").mkdir()
    (folder / "more" / "others.py").write_text(
        "from flows import one\nfrom wingbeat import workflow\n\n@workflow\ndef two(n: int) -> int:\n    return one(one(n))\n"
    )
    (folder / "plain.py").write_text("raise SystemExit('never imported: it does not speak of us')".replace("us", "it"))
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.py").write_text("import wingbeat\nraise SystemExit\n")
    assert {"flows.flow", "flows.one", "others.two"} <= {*found(folder, tmp_path)}


def test_scripts_of_a_folder_are_not_imported_unless_they_are_named(folder, tmp_path):
    script = "from wingbeat import run\nfrom flows import flow\nopen('ran', 'w').close()\nrun(flow, n=1)\n"
    (folder / "more").mkdir()
    (folder / "more" / "script.py").write_text(script.replace("'ran'", repr(str(tmp_path / "ran"))))
    (folder / "more" / "helped.py").write_text("from helpers import made\nours = made()\n")
    (folder / "helpers.py").write_text(
        "import flows\nfrom wingbeat import LaunchPlan\ndef made(): return LaunchPlan(flows.flow)\n"
    )
    assert {"flows.flow", "nightly"} <= {*found(folder, tmp_path)}
    assert left_out_of(str(folder)) == [str(folder / "helpers.py"), str(folder / "more" / "script.py")]
    assert left_out_of([str(folder / "more")]) == [str(folder / "more" / "script.py")]
    assert left_out_of(str(folder / "more" / "script.py")) == []
    assert not (tmp_path / "ran").exists()
    with pytest.raises(CompileError):  # what runs there is refused
        found(folder / "more" / "script.py", tmp_path)


def test_what_is_wrong_with_what_is_told_of_launch_plans_too(folder, tmp_path):
    (folder / "flows.py").write_text(FILE.replace('inputs={"n": 1}', 'inputs={"m": 1}'))
    problems = problems_of(str(folder / "flows.py"), tmp_path / "home")
    assert {name: bool(why) for name, why in problems.items()} == {
        "one": False, "flow": False, "moving": False, "nightly": True,
    }  # fmt: skip
    assert "has no input 'm'" in problems["nightly"]


def test_everything_that_is_wrong_is_told_at_once(folder, tmp_path):
    (folder / "flows.py").write_text(FILE.replace("return one(n)", "return one()").replace('inputs={"n": 1}, ', ""))
    with pytest.raises(CompileError) as told:
        found(folder, tmp_path)
    assert "flow" in str(told.value)
    assert "nightly" in str(told.value)


def test_names_are_one_space(folder, tmp_path):
    (folder / "flows.py").write_text(FILE.replace('name="nightly"', 'name="flows.flow"'))
    with pytest.raises(CompileError, match="two of the name 'flows.flow': a workflow and a launch plan"):
        found(folder, tmp_path)


@pytest.mark.parametrize("content", [None, "", "import wingbeat\n"])
def test_nothing_is_told(folder, tmp_path, content):
    (folder / "flows.py").unlink()
    if content is not None:
        (folder / "flows.py").write_text(content)
    with pytest.raises(InputError, match="no workflow"):
        found(folder, tmp_path)
    with pytest.raises(InputError, match="no file or folder"):
        found(folder / "nowhere", tmp_path)


@pytest.mark.parametrize("name", ["Makefile", "notes.txt", "flows"])
def test_a_file_that_is_not_named_as_python_is_told_so(folder, tmp_path, name):
    (folder / name).write_text("all:\n\techo no Python\n")
    with pytest.raises(ConfigurationError, match=f"{name} cannot be imported: the name of a Python file ends in '.py'"):
        found(folder / name, tmp_path)


def test_a_file_whose_name_is_no_text_is_told_so(folder, tmp_path):
    (folder / "\udcff.py").write_text(FILE)
    with pytest.raises(ConfigurationError, match="its name is no text"):
        found(folder / "\udcff.py", tmp_path)


@pytest.mark.parametrize("text", ["x = 1\0", "x = " + "-" * 50_000 + "1", "x = " + "(" * 5000])
def test_a_file_that_python_cannot_read_is_told_so(folder, tmp_path, text):
    (folder / "odd.py").write_text(f"from wingbeat import task\n{text}\n")
    with pytest.raises(CompileError, match=r"odd.py: (SyntaxError|MemoryError|RecursionError)"):
        found(folder, tmp_path)
