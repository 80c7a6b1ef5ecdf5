"""Which environments a file declares, read without running it."""

import pytest

from wingbeat import CompileError
from wingbeat.kernel.compiling import declared_environments
from wingbeat.spec.entities import EnvironmentSpec


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("E = Environment(packages=['a==1'], python='3.12')", EnvironmentSpec(("a==1",), (), "3.12")),
        ("E = wingbeat.Environment(['a==1'])", EnvironmentSpec(("a==1",))),
        ("PACKAGES = ['a==1']\nE = Environment(packages=PACKAGES)", EnvironmentSpec(("a==1",))),
        ("E = Environment(requirements='r.txt')", EnvironmentSpec((), ("b==2",))),
    ],
)
def test_an_environment_of_constants_is_found(tmp_path, source, expected):
    (tmp_path / "r.txt").write_text("b==2\n")
    file = tmp_path / "flow.py"
    file.write_text(source)
    assert declared_environments(str(file)) == ([expected], 0)


@pytest.mark.parametrize(
    "call", ["Environment(packages=[NAME])", "Environment(**MORE)", "Environment(packages=make())"]
)
def test_one_that_is_computed_is_counted(tmp_path, call):
    file = tmp_path / "flow.py"
    file.write_text(f"E = {call}")
    assert declared_environments(str(file)) == ([], 1)


def test_one_that_is_wrong_is_told_with_the_line_of_the_file(tmp_path):
    file = tmp_path / "flow.py"
    file.write_text("import missing\nE = Environment(packages=['not a req!!'])\n")
    with pytest.raises(CompileError, match=r"'not a req!!' is no requirement \(flow.py:2\)"):
        declared_environments(str(file))
