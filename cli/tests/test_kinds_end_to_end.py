"""Maps, branches, gates, dynamic workflows and handlers as a user of the command meets them, with the real kernel."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

FLOW = """
import os, time
from dataclasses import dataclass
from pathlib import Path
from wingbeat import Concurrency, Failure, LaunchPlan, approve, cond, current, gather, map_task, task, wait_for_input, workflow

ROOT = Path(os.environ["TEST_ROOT"])

@dataclass
class Settings:
    rate: float
    names: list[str]

def mark(text):
    with (ROOT / "marks").open("a") as file:
        file.write(text + "\\n")

@task
def square(x: int) -> int:
    mark(f"square-{x}")
    print("squaring", x)
    while x > 3 and not (ROOT / "go").exists():
        time.sleep(0.01)
    if x == 3 and not (ROOT / "mended").exists():
        time.sleep(1)  # until the others have ended
        raise ValueError(f"{x} is not liked")
    return x * x

@task
def total(xs: list[int]) -> int:
    return sum(xs)

@workflow
def squares(xs: list[int]) -> int:
    return total(map_task(square)(xs))

@workflow
def size(x: int) -> int:
    return cond(x > 10, lambda: square(x), lambda: total([x]))

@workflow
async def search(n: int) -> int:
    print("searching", n)
    found = await gather(*(square(x) for x in range(4, n + 4)))
    return await total(found) + await row([0, 1])

@workflow
def row(xs: list[int]) -> int:
    return total(map_task(square)(total_of(xs)))

@task
def total_of(xs: list[int]) -> list[int]:
    return xs

@task
def deploy(settings: Settings, threshold: float) -> str:
    return f"{settings.names} at {threshold}"

@workflow
def release() -> str:
    return deploy(wait_for_input("settings", Settings), approve("deploy", wait_for_input("threshold", float)))

@workflow
def asked(x: int) -> int:
    return approve("ok", x)

released = LaunchPlan(asked, name="flow.released")

@workflow
def asked_below(x: int) -> int:
    return released(x)

@workflow
def fragile(xs: list[int]) -> list[int | None]:
    return map_task(LaunchPlan(picky, name="flow.picked"), min_success_ratio=0.0)(xs)

@workflow
def picky(x: int) -> int:
    return refuse(x)

@task
def refuse(x: int) -> int:
    raise ValueError(f"{x} is refused")

@workflow
def all_asked(xs: list[int]) -> list[int]:
    return map_task(asked)(xs)

@workflow
async def asking(n: int) -> float:
    return n + await wait_for_input("threshold", float)

@workflow
async def forgetful(n: int) -> int:
    return total([n])

@workflow
async def failing(n: int) -> int:
    raise ValueError("no")

@workflow(retries=1)
async def twice(n: int) -> int:
    print("once more", current().attempt)
    if await total([n, n]) and not current().attempt:
        raise ValueError("not at first")
    return n

@task
def clean(error: Failure) -> None:
    print("cleaning after", error.code)

@workflow(concurrency=Concurrency(name="squares"))
def alone(x: int) -> int:
    return square(x)

@workflow(concurrency=Concurrency(name="squares", on_limit="skip"))
def skipping(x: int) -> int:
    return square(x)

@workflow(concurrency=Concurrency(name="squares", on_limit="fail"))
def refusing(x: int) -> int:
    return square(x)

@workflow(on_failure=clean)
def handled(x: int) -> int:
    return square(x)
"""


class Shell:
    """A folder with a workflow and a home, and the command in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.started: list[subprocess.Popen[str]] = []
        self.environment = {**os.environ, "WINGBEAT_HOME": str(root / "home"), "TEST_ROOT": str(root)}
        self.command = str(Path(sys.executable).with_name("wingbeat"))
        (root / "flow.py").write_text(FLOW)

    def __call__(self, *line: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.command, *line], capture_output=True, text=True, cwd=self.root, env=self.environment, timeout=50,
            check=False,
        )  # fmt: skip
        assert done.returncode == status, (line, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *line: str, status: int = 0) -> Any:
        return json.loads(self(*line, "-o", "json", status=status).stdout)

    def start(self, *line: str) -> subprocess.Popen[str]:
        started = subprocess.Popen(
            [self.command, *line], cwd=self.root, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(started)
        return started

    def marks(self) -> list[str]:
        path = self.root / "marks"
        return path.read_text().split() if path.exists() else []

    def until(self, condition: Any, what: str) -> None:
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end, f"not within 30 s: {what}"
            time.sleep(0.02)

    def until_waiting(self, id_: str, gate: str) -> None:
        def waits() -> bool:
            done = subprocess.run(
                [self.command, "describe", "execution", id_], capture_output=True, text=True, cwd=self.root,
                env=self.environment, timeout=50, check=False,
            )  # fmt: skip
            return f"'{gate}'" in done.stdout

        self.until(waits, f"{id_} waits for {gate}")


@pytest.fixture
def shell(tmp_path):
    made = Shell(tmp_path)
    yield made
    (tmp_path / "go").touch()
    for process in made.started:  # those of tests that failed
        process.kill()
        process.communicate()


def test_map_that_failed_is_looked_at_and_recovered(shell):
    done = shell("run", "flow.py", "squares", "--xs", "[0, 1, 3]", "--name", "mine", status=1)
    assert "n0 flow.square RUNNING: 3 items\n" in done.stderr
    assert "n0.2 flow.square failed: 3 is not liked" in done.stderr
    assert "log: wingbeat logs mine n0.2\n" in done.stderr
    described = shell("describe", "execution", "mine").stdout
    assert "failed items of n0\n  n0.2  3 is not liked" in described
    assert shell("logs", "mine", "n0.2").stdout.startswith("squaring 3\n")
    assert shell("logs", "mine", "n0.0").stdout == "squaring 0\n"
    plan = shell.json("recover", "mine", "--plan")
    assert [node["decision"] for node in plan["nodes"]] == ["OPEN", "RUNS"]
    assert plan["nodes"][0]["items"] == {"total": 3, "kept": 2}
    (shell.root / "mended").touch()
    again = shell.json("recover", "mine", "--name", "again")
    assert (again["id"], again["outputs"]) == ("again", {"o0": 10})
    assert again["nodes"][0]["items"]["succeeded"] == 3
    assert shell.marks().count("square-0") == 1
    assert "execution again is there already\n" in shell("recover", "mine", "--name", "again").stderr
    flow = shell.root / "flow.py"
    flow.write_text(flow.read_text().replace("return sum(", "return -sum("))
    new = shell("relaunch", "mine", "flow.py", "squares", "--name", "new")
    assert new.stdout == "o0 = -10\n"
    assert shell.marks().count("square-0") == 2
    assert "name the workflow too: wingbeat relaunch ID" in shell("relaunch", "mine", "flow.py", status=2).stderr


def test_branch_shows_what_was_skipped(shell):
    done = shell("run", "flow.py", "size", "--x", "3")
    assert done.stderr.splitlines()[-1].startswith("SUCCEEDED  2 of 3 done, 1 skipped")


def test_dynamic_workflow_runs_and_its_calls_have_logs(shell):
    (shell.root / "go").touch()
    done = shell("run", "flow.py", "search", "--n", "2", "--name", "mine")
    assert done.stdout == f"o0 = {16 + 25 + 0 + 1}\n"
    lines = done.stderr.splitlines()
    assert lines.count("n0 flow.search RUNNING") == 1
    assert "n0.square-0 flow.square RUNNING" in lines
    assert "n0.row-0 flow.row RUNNING" in lines
    assert shell("logs", "mine", "n0").stdout == "searching 2\n"
    assert shell("logs", "mine", "n0", "--follow").stdout == "searching 2\n"  # which every turn has said
    assert shell("logs", "mine", "n0.square-1").stdout == "squaring 5\n"
    assert shell("logs", "mine", "n0.row-0.n1.1").stdout == "squaring 1\n"
    assert "is not cached" in shell("explain", "cache", "mine", "n0.square-1").stdout
    assert "is not cached" in shell("explain", "cache", "mine", "n0.row-0.n1.1").stdout


def test_attempts_of_a_body_are_counted_without_its_turns(shell):
    done = shell("run", "flow.py", "twice", "--n", "2", "--name", "e1")
    told = done.stderr.splitlines()
    assert "n0 flow.twice attempt 0 failed, will be tried again: not at first (flow.py:105)" in told
    assert "n0 flow.twice RUNNING (attempt 1)" in told
    assert (
        "  n0  attempt 0  ValueError: not at first (flow.py:105)"
        in shell("describe", "execution", "e1").stdout.splitlines()
    )
    history = json.loads(shell("describe", "execution", "e1", "-o", "json").stdout)["nodes"][0]["history"]
    assert [(each["attempt"], each["phase"]) for each in history] == [(0, "RETRYABLE_FAILED"), (1, "SUCCEEDED")]
    for attempt in ("0", "1"):
        assert shell("logs", "e1", "n0", "--attempt", attempt).stdout.startswith(f"once more {attempt}\n")
    assert shell("logs", "e1", "n0", "--attempt", "2", status=4).stderr == (
        "error: execution e1 has no attempt 2 of n0 flow.twice\n  attempts of n0 flow.twice: 0 to 1\n"
    )


def test_gates_are_answered_from_another_command(shell):
    running = shell.start("run", "flow.py", "release", "--name", "mine")
    shell.until_waiting("mine", "threshold")
    assert shell("signal", "mine", "threshold", "half", status=2).stderr.startswith(
        "error: 'threshold': expected float"
    )
    shell("signal", "mine", "threshold", "0.5")
    shell.until_waiting("mine", "deploy")
    assert "wingbeat approve mine deploy\n" in shell("describe", "execution", "mine").stdout
    found = shell.json("get", "execution", "mine")
    assert {"name": "deploy", "type": "bool", "approval": True} in [node["gate"] for node in found["nodes"]]
    shell("approve", "mine", "deploy")
    shell("signal", "mine", "settings", '{"rate": 1}', status=2)
    (shell.root / "settings.json").write_text('{"rate": 1, "names": ["a"]}')
    shell("signal", "mine", "settings", "--input", "settings.json")
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (0, "o0 = ['a'] at 0.5\n")
    assert "n1 wait for threshold RUNNING: waiting for input 'threshold' (float)\n" in err
    assert "nothing goes on until it is answered:\n" in err
    assert "  wingbeat signal mine settings VALUE\n" in err
    assert shell("approve", "mine", "deploy").stderr == ""  # which it was
    assert "was answered already, with bool True" in shell("reject", "mine", "deploy", status=6).stderr
    assert "has ended (SUCCEEDED)" in shell("approve", "mine", "nothing", status=6).stderr


def test_gates_that_are_items_of_a_map_are_listed_once_and_answered(shell):
    running = shell.start("run", "flow.py", "all_asked", "--xs", "[5, 6]", "--name", "mine")
    shell.until_waiting("mine", "ok")
    described = shell("describe", "execution", "mine").stdout
    assert described.count("  n0.0  ") == 1
    assert "wingbeat approve mine n0.1\n" in described
    shell("approve", "mine", "n0.0")
    shell("approve", "mine", "n0.1")
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (0, "o0 = [5, 6]\n")
    assert "n0 flow.asked SUCCEEDED" in err
    assert "(2 of 2 done)" in err


def test_gate_of_a_child_execution_is_told_by_who_follows_its_parent(shell):
    process = shell.start("run", "flow.py", "asked_below", "--x", "4", "--name", "mine")
    line = next(each for each in process.stderr if "in a child execution" in each)
    assert line.startswith("flow.asked waits for 'ok' (approval), in a child execution: wingbeat approve mine-")
    shell(*line.partition(": wingbeat ")[2].split())
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "o0 = 4\n")


def test_failed_items_that_are_child_executions_are_told_with_their_reasons_and_where_to_look(shell):
    shell("run", "flow.py", "fragile", "--xs", "[1, 2]", "--name", "mine")
    told = shell("describe", "execution", "mine").stdout
    assert "n0.0  1 is refused (flow.py:" in told
    assert "n0.1  2 is refused (flow.py:" in told
    (child,) = [line.split()[-1] for line in told.splitlines() if "one of them: wingbeat describe execution" in line]
    told = shell("describe", "execution", child).stdout
    assert ("1 is refused" in told) is not ("2 is refused" in told), "one of the two, which run beside each other"


def test_rejected_approval_fails_the_execution(shell):
    running = shell.start("run", "flow.py", "release", "--name", "mine")
    shell.until_waiting("mine", "threshold")
    shell("signal", "mine", "threshold", "1")
    shell.until_waiting("mine", "deploy")
    shell("reject", "mine", "deploy")
    _, err = running.communicate(timeout=30)
    assert running.returncode == 1
    assert "Approval 'deploy' was rejected." in err


def test_gate_of_a_dynamic_workflow_is_answered_when_nobody_runs_it(shell):
    running = shell.start("run", "flow.py", "asking", "--n", "3", "--name", "mine")
    shell.until_waiting("mine", "threshold")
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert "no process runs this home now" in shell("signal", "mine", "threshold", "-2.5").stderr
    assert shell("run", "flow.py", "asking", "--n", "3", "--name", "mine").stdout == "o0 = 0.5\n"


def test_an_answer_that_contradicts_is_refused_with_and_without_a_kernel(shell):
    running = shell.start("run", "flow.py", "release", "--name", "mine")
    shell.until_waiting("mine", "threshold")
    shell("signal", "mine", "threshold", "0.5")
    refused = shell("signal", "mine", "threshold", "0.7", status=6).stderr
    assert "'threshold' was answered already, with float 0.5" in refused
    shell("signal", "mine", "threshold", "0.5")
    running.send_signal(signal.SIGKILL)
    running.communicate()
    shell("approve", "mine", "deploy")
    assert "'deploy' was answered already, with bool True" in shell("reject", "mine", "deploy", status=6).stderr
    shell("approve", "mine", "deploy")
    shell("signal", "mine", "settings", '{"rate": 1, "names": ["a"]}')
    assert shell("run", "flow.py", "release", "--name", "mine").stdout == "o0 = ['a'] at 0.5\n"


def test_handler_of_failures_has_a_log(shell):
    done = shell("run", "flow.py", "handled", "--x", "3", "--name", "mine", status=1)
    assert "on_failure flow.clean SUCCEEDED" in done.stderr
    assert shell("logs", "mine", "on_failure").stdout == "cleaning after ValueError\n"


@pytest.mark.parametrize(
    ("line", "outputs"),
    [
        (["squares", "--xs", "[0, 1, 4, 5, 6, 7]"], 0 + 1 + 16 + 25 + 36 + 49),
        (["search", "--n", "4"], 16 + 25 + 36 + 49 + 0 + 1),
    ],
)
def test_killed_run_goes_on_and_nothing_runs_twice(shell, line, outputs):
    running = shell.start("run", "flow.py", *line)
    shell.until(lambda: {"square-4", "square-5", "square-6", "square-7"} & set(shell.marks()), "an item runs")
    running.send_signal(signal.SIGKILL)
    running.communicate()
    (shell.root / "go").touch()
    done = shell("run", "flow.py", *line)
    assert done.stdout == f"o0 = {outputs}\n"
    assert done.stderr.startswith("resuming ")
    assert len(shell.marks()) == len(set(shell.marks()))


def test_mistakes_in_a_body_are_told_without_frames_of_ours(shell):
    done = shell("run", "flow.py", "forgetful", "--n", "3", status=1)
    assert "which is not awaited: write 'return await …'" in done.stderr
    done = shell("run", "flow.py", "failing", "--n", "3", status=1)
    assert 'Traceback (most recent call last):\n    File "flow.py"' in done.stderr


def test_limit_is_kept_over_a_kill_and_told_to_who_asks(shell):
    first = shell.start("run", "flow.py", "alone", "--x", "4", "--name", "first")
    shell.until(lambda: shell.marks() == ["square-4"], "the first one runs")
    second = shell.start("run", "flow.py", "alone", "--x", "5", "--name", "second")
    shell.until(lambda: "second" in shell("get", "executions").stdout, "the second one is there")
    held = "1 of 1 of limit 'squares' is held by first"
    asked = shell("explain", "waiting", "second").stdout
    assert asked == f"second has not begun: waiting for its turn: {held}\n"
    assert shell.json("explain", "waiting", "second")["held_by"] == ["first"]

    skipped = shell("run", "flow.py", "skipping", "--x", "4", "--name", "third", status=7)
    assert skipped.stderr.splitlines()[-1] == f"skipped: {held}; 1 is before it: second"
    refused = shell("run", "flow.py", "refusing", "--x", "4", "--name", "fourth", status=75)
    assert refused.stderr.startswith(f"error: Execution 'fourth' was not launched: {held}; 1 is before it: second.\n")

    for process in (second, first):
        process.send_signal(signal.SIGKILL)
        process.wait()
    told = shell("explain", "waiting", "second").stdout.splitlines()
    assert told[0].endswith("limit 'squares' is 1, and is held by first")
    assert told[1] == "(no kernel runs: nothing goes on)"

    (shell.root / "go").touch()
    done = shell("run", "flow.py", "alone", "--x", "5", "--name", "second")
    assert done.stdout == "o0 = 25\n"
    assert shell.json("describe", "execution", "first")["phase"] == "SUCCEEDED"
    assert shell.marks() == ["square-4", "square-5"]
