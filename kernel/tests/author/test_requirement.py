"""Requirements that no installer would take."""

import pytest

from wingbeat import CompileError, Environment
from wingbeat.author.requirement import wrong_requirement

TAKEN = r"""
numpy
a.b_c-d===1.0+local
numpy == 2.1.*
numpy>=1, <2,
numpy (>=1.0,<2)
numpy==1!2.0
numpy==v1.0
numpy[]
numpy [a,b-c] >= 1 ; python_version < "3.12"
numpy;python_version<"3"
numpy @ https://example.invalid/n.zip
numpy@file:///x/n.whl ; os_name == "posix"
git+https://example.invalid/a.git@main#egg=b
https://example.invalid/n.zip
./x
../x
/x/n.whl
n-1.0-py3-none-any.whl
n.tar.gz
-e ./x
-r other.txt
--index-strategy first-index
numpy==1 --hash=sha256:00
numpy  # why
# nothing
${HOME}/x
""".splitlines()

REFUSED = r"""
not a req!!
numpy=1.0
numpy=>1
numpy 1.0
numpy>
numpy==
numpy==latest
==1.0
numpy>=1 <2
numpy,pandas
numpy pandas
numpy[
numpy]
numpy-
_numpy
nümpy
numpy!
numpy @
numpy>=1;
@
""".splitlines()[1:]


@pytest.mark.parametrize("line", TAKEN)
def test_what_uv_takes_is_not_refused(line):
    assert wrong_requirement([line]) is None


@pytest.mark.parametrize("line", REFUSED)
def test_nonsense_is_found_with_its_number(line):
    assert wrong_requirement(["numpy", line]) == (2, line)


def test_lines_that_go_on_are_left_alone():
    assert wrong_requirement(["numpy==1 \\", "    --hash=sha256:00 \\", "  what ever", "pandas"]) is None


def test_an_environment_names_the_line_of_the_user():
    with pytest.raises(CompileError) as told:
        Environment(packages=["numpy", "not a req!!"])
    line = told.traceback[0].lineno + 1
    assert told.value.message == (
        f"Environment(packages=…): 'not a req!!' is no requirement (test_requirement.py:{line})."
    )
    assert "numpy==2.1.0" in told.value.hint


def test_a_text_in_the_place_of_a_list_is_told():
    with pytest.raises(CompileError, match=r"packages='numpy'\) is a text .*test_requirement") as told:
        Environment(packages="numpy")  # type: ignore[arg-type]
    assert told.value.hint == "Write a list: packages=['numpy']."


def test_a_file_of_requirements_is_named_with_its_line(tmp_path):
    (tmp_path / "r.txt").write_text("# ours\nnumpy==2.1.0 \\\n  --hash=sha256:00\nnot a req!!\n")
    with pytest.raises(CompileError, match=r"^'not a req!!' is no requirement \(r.txt:4\)"):
        Environment(requirements="r.txt").spec(tmp_path)
