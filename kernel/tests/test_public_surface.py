"""What users import, and what an import costs."""

import subprocess
import sys

import pytest

import wingbeat

NAMES = {
    "Artifact",
    "Inputs",
    "Newest",
    "OnArtifact",
    "OnVersion",
    "Cache",
    "Columns",
    "CompileError",
    "Concurrency",
    "ConflictError",
    "Cron",
    "Directory",
    "Environment",
    "Execution",
    "ExecutionFailed",
    "Failure",
    "FailurePolicy",
    "File",
    "FixedRate",
    "Format",
    "HashWith",
    "InputError",
    "Kernel",
    "LaunchPlan",
    "LimitReached",
    "NonRetryable",
    "NotFound",
    "Notify",
    "OnEnd",
    "OnSuccess",
    "Pickle",
    "Pool",
    "Resources",
    "Retry",
    "Secret",
    "Task",
    "Timeout",
    "WingbeatError",
    "Workflow",
    "approve",
    "case",
    "cond",
    "current",
    "gather",
    "map_task",
    "reference",
    "run",
    "sleep",
    "step",
    "task",
    "wait_for_input",
    "where",
    "workflow",
}
HEAVY = {
    "asyncio",
    "anyio",
    "pluggy",
    "structlog",
    "aiosqlite",
    "sqlite3",
    "numpy",
    "pandas",
    "pyarrow",
    "polars",
    "ssl",
    "email",
}


def imported(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_public_names_are_these():
    assert set(wingbeat.__all__) == NAMES, "a new public name is a promise: add it here too"
    assert dir(wingbeat) == wingbeat.__all__


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_public_name_is_there(name):
    assert getattr(wingbeat, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = wingbeat.nothing


@pytest.mark.parametrize(
    "statement",
    [
        "import wingbeat",
        "from wingbeat import task, workflow, Resources, Cache, Environment, Retry, Timeout, current, step",
        "import wingbeat.author.task",
    ],
)
def test_what_authors_import_is_light(statement):
    assert imported(statement) & HEAVY == set()


@pytest.mark.parametrize(
    "module",
    [
        "attempt",
        "job",
        "outputs",
        "call",
        "compile",
        "errors",
        "storageio",
        "inside",
        "deck",
        "steps",
        "secrets",
        "logfilter",
    ],
)
def test_what_runs_in_a_tasks_process_needs_msgspec_and_the_standard_library_only(module):
    code = f"""
import sys
class Others:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {{"wingbeat", "msgspec"}} | sys.stdlib_module_names:
            raise ModuleNotFoundError(f"not there: {{name}}", name=name)
sys.meta_path.insert(0, Others())
import wingbeat.runtime.{module}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
