"""A file that runs a workflow whenever it is imported."""

import pytest

from wingbeat import CompileError
from wingbeat.kernel import compile_file

SCRIPT = """
from wingbeat import run, task

@task
def one() -> int:
    return 1

print(run(one))
"""


def test_a_file_that_runs_a_workflow_at_its_top_level_is_told_to_guard_it(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "script.py").write_text(SCRIPT)
    with pytest.raises(CompileError, match="top level of script runs a workflow") as refused:
        compile_file(str(tmp_path / "script.py"), "one", tmp_path / "home")
    assert "__main__" in refused.value.hint
