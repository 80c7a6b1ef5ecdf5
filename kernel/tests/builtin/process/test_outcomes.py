"""How an attempt's end is told: what the function returned, what it raised, how its process died."""

from pathlib import Path

import pytest

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Failed, Succeeded
from wingbeat.runtime import limits
from wingbeat.spec.literal import Inline

pytestmark = pytest.mark.anyio


async def test_a_function_that_returns_succeeds_with_encoded_outputs_and_evidence(world):
    world.module("m", "def double(x: int) -> int:\n    return 2 * x\n")
    outcome = await world.run(world.request("m:double", inputs={"x": 21}))
    assert isinstance(outcome, Succeeded)
    assert outcome.outputs == {"o0": Inline(42)}
    assert outcome.evidence["exit_code"] == 0
    assert outcome.evidence["max_rss_bytes"] > 2**20


async def test_a_users_error_has_its_class_its_line_and_a_trace_without_frames_of_ours(world):
    world.module(
        "m",
        """
        def inner():
            raise ValueError("no good")

        def fail() -> int:
            try:
                inner()
            except ValueError as error:
                error.add_note("a note")
                raise RuntimeError("outer") from error
        """,
    )
    outcome = await world.run(world.request("m:fail"))
    assert isinstance(outcome, Failed)
    error = outcome.error
    assert (error.code, error.kind, error.retryable) == ("RuntimeError", ErrorKind.USER, True)
    assert error.message == "outer (m.py:10)"
    assert "ValueError: no good" in error.trace
    assert "a note" in error.trace
    assert "direct cause" in error.trace
    assert "wingbeat" not in error.trace
    log = Path(error.evidence["log"]).read_text()
    assert log.endswith("RuntimeError: outer\n")
    assert "wingbeat" not in log, "nor are any in the log"


async def test_a_gate_inside_of_a_task_fails_it_as_nothing_would_wait(world):
    world.module(
        "m",
        """
        from wingbeat import approve

        def hasty() -> None:
            approve("go")
        """,
    )
    outcome = await world.run(world.request("m:hasty"))
    assert "m.hasty calls the gate 'go', and a task does not wait (m.py:5)" in outcome.error.message


async def test_a_return_value_of_another_type_names_task_output_and_both_types(world):
    world.module("m", "def wrong() -> int:\n    return 'text'\n")
    outcome = await world.run(world.request("m:wrong"))
    assert outcome.error.code == "TypeError"
    assert outcome.error.kind is ErrorKind.USER
    for part in ("m.wrong", "o0", "int", "str"):
        assert part in outcome.error.message


async def test_an_error_that_derives_from_non_retryable_is_not_retryable(world):
    world.module(
        "m",
        """
        from wingbeat.base.errors import NonRetryable
        class Hopeless(NonRetryable): pass
        def fail() -> int:
            raise Hopeless("no use")
        """,
    )
    outcome = await world.run(world.request("m:fail"))
    assert (outcome.error.code, outcome.error.retryable) == ("Hopeless", False)
    assert "no use" in outcome.error.message


@pytest.mark.parametrize(
    ("body", "code", "kind", "word"),
    [
        ("os.kill(os.getpid(), 9)", "Killed", ErrorKind.SYSTEM, "SIGKILL"),
        ("os.kill(os.getpid(), 15)", "Killed", ErrorKind.SYSTEM, "SIGTERM"),
        ("os.kill(os.getpid(), 11)", "Crashed", ErrorKind.USER, "SIGSEGV"),
        ("os.abort()", "Crashed", ErrorKind.USER, "SIGABRT"),
        ("os._exit(3)", "Exited", ErrorKind.USER, "code 3"),
        ("os._exit(0)", "Exited", ErrorKind.USER, "code 0"),
        ("os._exit(79)", "Exited", ErrorKind.USER, "code 79"),
        ("sys.exit(4)", "SystemExit", ErrorKind.USER, "sys.exit(4)"),
    ],
)
async def test_every_way_in_which_a_process_can_end_is_told_apart(world, body, code, kind, word):
    world.module("m", f"import os, sys\ndef die() -> int:\n    {body}\n    return 1\n")
    outcome = await world.run(world.request("m:die"))
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.error.kind, outcome.error.retryable) == (code, kind, True)
    assert word in outcome.error.message


def _can_limit_memory():
    groups = limits.plan("/probe", None, 2**30)
    if not groups:
        return False
    try:
        Path(groups[0]).mkdir()
        Path(groups[0]).rmdir()
    except OSError:
        return False
    return True


def _groups_left(folder):
    return [group for group in limits.plan(str(folder), None, 1) if Path(group).exists()]


@pytest.mark.skipif(not _can_limit_memory(), reason="no control group for memory can be made here")
async def test_going_over_the_memory_limit_says_how_much_and_what_to_raise(world):
    world.module(
        "m",
        """
        def eat() -> int:
            data = []
            while True:
                data.append(bytearray(b"x" * 2**22))
        """,
    )
    request = world.request("m:eat", memory=100 * 2**20)
    outcome = await world.run(request)
    assert (outcome.error.code, outcome.error.kind, outcome.error.retryable) == ("OutOfMemory", ErrorKind.USER, True)
    assert "100.0 MiB" in outcome.error.message
    assert "Resources(mem=" in outcome.error.message
    assert outcome.error.evidence["oom"] is True
    assert not _groups_left(world.attempt(request.id))


async def test_a_cpu_limit_sets_the_threads_of_numeric_libraries(world):
    world.module("m", "import os\ndef threads() -> int:\n    return int(os.environ['OMP_NUM_THREADS'])\n")
    outcome = await world.run(world.request("m:threads", cpu=2))
    assert outcome.outputs["o0"] == Inline(2)


async def test_what_proves_who_launches_is_not_for_tasks(world, monkeypatch):
    monkeypatch.setenv("WINGBEAT_API_KEY", "wb_secret")
    monkeypatch.setenv("OTHER", "there")
    world.module(
        "m", "import os\ndef seen() -> list[str]:\n    return sorted({*os.environ} & {'WINGBEAT_API_KEY', 'OTHER'})\n"
    )
    outcome = await world.run(world.request("m:seen"))
    assert outcome.outputs["o0"] == Inline(["OTHER"])


async def test_a_module_that_cannot_be_imported_is_the_users_error(world):
    world.module("m", "import not_there\ndef f() -> int:\n    return 1\n")
    outcome = await world.run(world.request("m:f"))
    assert outcome.error.code == "ModuleNotFoundError"
    assert "not_there" in outcome.error.message
    assert "m.py:1" in outcome.error.message


async def test_a_function_that_is_not_in_its_module_is_named(world):
    world.module("m", "")
    outcome = await world.run(world.request("m:gone"))
    assert outcome.error.retryable is False
    assert "'gone'" in outcome.error.message


async def test_an_input_of_another_type_is_named(world):
    world.module("m", "def f(x: int) -> int:\n    return x\n")
    outcome = await world.run(world.request("m:f", inputs={"x": "text"}))
    assert outcome.error.code == "TypeError"
    assert "input x" in outcome.error.message
