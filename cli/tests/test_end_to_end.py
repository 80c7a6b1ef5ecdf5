"""The command as a user starts it, with the real kernel."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FLOW = '''
import enum, os, signal, time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal
from wingbeat import File, task, workflow

ROOT = Path(os.environ["TEST_ROOT"])

class Mode(enum.Enum):
    FAST = 1
    SLOW = 2

def mark(text):
    with (ROOT / "marks").open("a") as file:
        file.write(text + "\\n")

@task
def add(x: int, y: int = 1) -> int:
    mark("add")
    print("adding", x, y)
    return x + y

@task
def wait(x: int) -> int:
    mark("wait")
    while not (ROOT / "go").exists():
        time.sleep(0.01)
    return x

@task
def stubborn(x: int) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return wait(x)

@task
def divide(x: int) -> float:
    return 1 / x

@task
def show(day: date, at: datetime, span: timedelta, mode: Mode, level: Literal["a", 1], raw: File, tags: list[str],
         name: str, dry_run: bool, limit: int | None) -> str:
    return f"{day} {at} {span} {mode.name} {level} {raw.open().read()} {tags} {name} {dry_run} {limit}"

@task
def telling(x: int) -> int:
    from wingbeat import current
    current().progress(0.45, "epoch 9")
    current().deck.markdown("# Scores")
    current().log.info("told")
    return wait(x)

@workflow
def pipeline(x: int) -> int:
    """Add twice."""
    return add(add(x), 2)

@workflow
def waiting(x: int) -> int:
    return add(wait(add(x)))

@workflow
def hanging(x: int) -> int:
    return stubborn(add(x))

@workflow
def dividing(x: int) -> float:
    return divide(add(x))

@workflow
def typed(day: date, at: datetime, span: timedelta, mode: Mode, level: Literal["a", 1], raw: File, tags: list[str],
          name: str, dry_run: bool = True, limit: int | None = None) -> str:
    return show(day, at, span, mode, level, raw, tags, name, dry_run, limit)
'''


@dataclass
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


class Shell:
    """A folder with a workflow and a home, and the command in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {**os.environ, "WINGBEAT_HOME": str(root / "home"), "TEST_ROOT": str(root)}
        self.command = str(Path(sys.executable).with_name("wingbeat"))
        self.write(FLOW)

    def write(self, text: str) -> None:
        (self.root / "flow.py").write_text(text)

    def __call__(self, *line: str) -> Done:
        done = subprocess.run(
            [self.command, *line],
            capture_output=True,
            text=True,
            cwd=self.root,
            env=self.environment,
            timeout=50,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *line: str, **more: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([self.command, *line], cwd=self.root, env=self.environment, **more)

    def marks(self) -> list[str]:
        path = self.root / "marks"
        return path.read_text().split() if path.exists() else []

    def until_marked(self, text: str) -> None:
        end = time.monotonic() + 30
        while text not in self.marks():
            assert time.monotonic() < end, f"no mark {text}"
            time.sleep(0.01)


@pytest.fixture
def shell(tmp_path):
    made = Shell(tmp_path)
    yield made
    (tmp_path / "go").touch()


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, shell: Shell, *line: str) -> None:
        self._master, slave = os.openpty()
        self.process = shell.start(
            *line,
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        os.set_blocking(self._master, False)
        self.shown = b""

    def press_ctrl_c(self) -> None:
        os.write(self._master, b"\x03")

    def until_shown(self, text: bytes) -> None:
        end = time.monotonic() + 30
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            self._read()
            time.sleep(0.01)

    def wait(self) -> int:
        end = time.monotonic() + 30
        while self.process.poll() is None:
            assert time.monotonic() < end, self.shown
            self._read()
            time.sleep(0.01)
        self._read()
        assert self.process.stdout is not None
        self.process.stdout.close()
        os.close(self._master)
        return self.process.returncode

    def _read(self) -> None:
        """All that is there: one read gives what had come through, and what was written after it may be on its way still."""
        with contextlib.suppress(OSError):  # nothing there now, or nobody at the other end any more
            while some := os.read(self._master, 1 << 16):
                self.shown += some


def test_run_prints_the_outputs(shell):
    done = shell("run", "flow.py", "pipeline", "--x", "3")
    assert (done.status, done.out) == (0, "o0 = 6\n"), done.err
    assert "n1 flow.add SUCCEEDED" in done.err


def test_every_type_arrives(shell):
    (shell.root / "a.txt").write_text("content")
    line = ["--day", "2026-10-25", "--at", "2026-10-25T02:30:00", "--span", "90s", "--mode", "slow", "--level", "1"]
    line += ["--raw", "a.txt", "--tags", '["a", "b"]', "--input", "name=Ann", "--no-dry-run", "-o", "json"]
    done = shell("run", "flow.py", "typed", *line)
    assert done.status == 0, done.err
    expected = "2026-10-25 2026-10-25 02:30:00 0:01:30 SLOW 1 content ['a', 'b'] Ann False None"
    assert done.json["outputs"] == {"o0": expected}


def test_failure_names_the_node_the_line_and_the_log(shell):
    done = shell("run", "flow.py", "dividing", "--x", "-1")
    assert (done.status, done.out) == (1, "")
    assert "ZeroDivisionError" in done.err
    assert "return 1 / x" in done.err
    assert "site-packages" not in done.err
    identity = shell("get", "executions", "-o", "json").json["items"][0]["id"]
    assert f"wingbeat logs {identity} n1" in done.err


def test_failed_run_is_recovered_with_the_mended_file(shell):
    broken = shell("run", "flow.py", "dividing", "--x", "-1", "-o", "json")
    assert (broken.status, broken.json["error"]["code"], broken.json["error"]["node"]) == (1, "ZeroDivisionError", "n1")
    shell.write(FLOW.replace("1 / x", "0.5"))
    mended = shell("recover", broken.json["id"], "flow.py", "dividing", "-o", "json")
    assert (mended.status, mended.json["outputs"]) == (0, {"o0": 0.5}), mended.err
    assert [node["phase"] for node in mended.json["nodes"]] == ["RECOVERED", "SUCCEEDED"]
    assert shell.marks() == ["add"]


def test_what_ran_can_be_looked_at(shell):
    ran = shell("run", "flow.py", "pipeline", "--x", "3", "-o", "json").json
    listed = shell("get", "executions", "-o", "json").json["items"]
    assert [each["id"] for each in listed] == [ran["id"]]
    assert shell("logs", ran["id"], "n0").out == "adding 3 1\n"
    assert "==> n1 flow.add, attempt 0 <==\nadding 4 2\n" in shell("logs", ran["id"]).out
    assert shell("explain", "cache", ran["id"], "n0").status == 0


def test_execution_is_described_in_full(shell):
    ran = shell("run", "flow.py", "pipeline", "--x", "3", "-o", "json").json
    assert shell("get", "execution", ran["id"], "-o", "json").json == ran
    described = shell("describe", "execution", ran["id"], "-o", "json").json
    assert described["inputs"] == {"x": 3}
    assert described["nodes"][0]["history"][0]["phase"] == "SUCCEEDED"


def test_logs_are_followed_until_the_end(shell):
    run = shell.start("run", "flow.py", "waiting", "--x", "3", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shell.until_marked("wait")
    (found,) = shell("get", "executions", "-o", "json").json["items"]
    logs = shell.start("logs", found["id"], "--follow", stdout=subprocess.PIPE)
    first = logs.stdout.readline() + logs.stdout.readline()
    assert first == b"==> n0 flow.add, attempt 0 <==\nadding 3 1\n"
    (shell.root / "go").touch()
    out, _ = logs.communicate(timeout=30)
    assert out == b"==> n2 flow.add, attempt 0 <==\nadding 4 1\n"
    assert (logs.returncode, run.wait(30)) == (0, 0)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (["run", "flow.py", "pipeline"], 2),
        (["run", "flow.py", "pipeline", "--x", "three"], 2),
        (["run", "flow.py", "nothing", "--x", "3"], 2),
        (["describe", "execution", "nothing"], 4),
        (["recover", "nothing"], 4),
    ],
)
def test_mistakes_are_told_without_a_traceback(shell, line, status):
    done = shell(*line)
    assert done.status == status, done.err
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err


def test_file_that_does_not_compile_ends_with_3(shell):
    shell.write(FLOW.replace("add(add(x), 2)", "add(divide(x), 2)"))
    done = shell("run", "flow.py", "pipeline", "--x", "3")
    assert done.status == 3, done.err
    assert "flow.py" in done.err


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (
            "@task(retry=3)",
            "error: flow.py: @task has no option 'retry' (flow.py:2).\n  Did you mean 'retries'? Its options are name, cache, ",
        ),
        ("@task(timeout='soon')", "error: flow.py: @task: 'soon' is not a duration"),
        ("R = Retry(count=1, jitter=7).spec()\n@task", "is out of range (flow.py:2)."),
    ],
)
def test_mistake_of_a_decorator_is_told_with_the_line_and_without_our_frames(shell, mistake, said):
    shell.write(f"from wingbeat import Retry, task\n{mistake}\ndef add(n: int) -> int: return n\n")
    done = shell("run", "flow.py", "add", "--n", "3")
    assert done.status == 3, done.err
    assert said in done.err
    assert "File " not in done.err


def test_home_that_is_a_file_is_told(shell):
    (shell.root / "home").write_text("")
    shell.write(FLOW)
    done = shell("run", "flow.py", "add", "--x", "3")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"error: The home {shell.root / 'home'} cannot be used: it is a file.\n")


def test_home_is_its_owners_and_out_of_version_control(shell):
    shell.write(FLOW)
    assert shell("run", "flow.py", "add", "--x", "3").status == 0
    assert (shell.root / "home").stat().st_mode & 0o777 == 0o700
    assert (shell.root / "home" / ".gitignore").read_text() == "*\n"


def test_killed_run_goes_on_with_the_same_command(shell):
    line = ["run", "flow.py", "waiting", "--x", "3"]
    first = shell.start(*line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shell.until_marked("wait")
    first.send_signal(signal.SIGKILL)
    first.wait()
    (shell.root / "go").touch()
    done = shell(*line)
    assert (done.status, done.out) == (0, "o0 = 5\n"), done.err
    assert done.err.startswith("resuming ")
    assert shell.marks() == ["add", "wait", "add"]


def test_fresh_run_does_not_resume(shell):
    line = ["run", "flow.py", "waiting", "--x", "3"]
    first = shell.start(*line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shell.until_marked("wait")
    first.send_signal(signal.SIGKILL)
    first.wait()
    (shell.root / "go").touch()
    done = shell(*line, "--fresh")
    assert (done.status, done.out) == (0, "o0 = 5\n"), done.err
    assert "resuming" not in done.err
    assert len(shell("get", "executions", "-o", "json").json["items"]) == 2


def test_ctrl_c_aborts_in_order(shell):
    terminal = Terminal(shell, "run", "flow.py", "waiting", "--x", "3")
    shell.until_marked("wait")
    terminal.press_ctrl_c()
    assert terminal.wait() == 7, terminal.shown
    (found,) = shell("get", "executions", "-o", "json").json["items"]
    assert found["phase"] == "ABORTED"
    assert b"Ctrl-C again leaves at once" in terminal.shown
    assert b"Traceback" not in terminal.shown


def test_second_ctrl_c_leaves_at_once_and_nothing_is_lost(shell):
    terminal = Terminal(shell, "run", "flow.py", "hanging", "--x", "3")
    shell.until_marked("wait")
    terminal.press_ctrl_c()
    terminal.until_shown(b"Ctrl-C again leaves at once")
    pressed = time.monotonic()
    terminal.press_ctrl_c()
    assert terminal.wait() == 130, terminal.shown
    assert time.monotonic() - pressed < 1
    (shell.root / "go").touch()
    done = shell("run", "flow.py", "hanging", "--x", "3")
    assert (done.status, done.out) == (0, "o0 = 4\n"), done.err
    assert done.err.startswith("going on with one that was being aborted")
    assert shell.marks().count("add") == 1


def test_terminal_shows_a_table_and_gives_the_cursor_back(shell):
    terminal = Terminal(shell, "run", "flow.py", "waiting", "--x", "3")
    terminal.until_shown(b"1 running")
    (shell.root / "go").touch()
    assert terminal.wait() == 0, terminal.shown
    assert terminal.shown.rstrip().endswith(b"\x1b[?25h")


def test_progress_is_a_line_where_lines_stay(shell):
    with shell.start("run", "flow.py", "telling", "--x", "1", "--name", "e1", stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, b"")
        assert next(line for line in lines if b"epoch" in line) == b"n0 flow.telling RUNNING 45 %: epoch 9\n"
        described = shell("describe", "execution", "e1")
        assert "45 %: epoch 9" in described.out
        page = shell.root / "home/attempts/e1/n0.0/deck.html"
        assert described.out.endswith(f"pages\n  n0  attempt 0  {page}\n")
        assert shell("deck", "e1", "n0").out == f"{page}\n"
        (shell.root / "go").touch()
        rest = b"".join(lines)
    assert process.returncode == 0
    assert rest.count(b"epoch") == 0
    attempt = shell("describe", "execution", "e1", "-o", "json").json["nodes"][0]["history"][0]
    assert (attempt["progress"]["fraction"], attempt["progress"]["text"]) == (0.45, "epoch 9")
    assert attempt["deck"] == attempt["evidence"]["deck"] == str(page)
    assert "<h1>Scores</h1>" in shell("deck", "e1", "flow.telling", "--out", "-").out
    assert shell("logs", "e1").out.endswith("INFO told\n")


def test_progress_is_in_the_table_of_a_terminal(shell):
    terminal = Terminal(shell, "run", "flow.py", "telling", "--x", "1")
    terminal.until_shown(b"45 %: epoch 9")
    (shell.root / "go").touch()
    assert terminal.wait() == 0


SLOW = """
import os, time
with open(os.environ["TEST_ROOT"] + "/marks.new", "w") as file:
    file.write(str(os.getpid()))
os.rename(os.environ["TEST_ROOT"] + "/marks.new", os.environ["TEST_ROOT"] + "/marks")
time.sleep(60)
"""


def until_importing(shell: Shell) -> int:
    """The process that imports the file."""
    end = time.monotonic() + 30
    while not shell.marks():
        assert time.monotonic() < end
        time.sleep(0.01)
    return int(shell.marks()[0])


def test_ctrl_c_while_a_file_is_compiled_ends_all_of_it_without_a_traceback(shell):
    shell.write(SLOW)
    terminal = Terminal(shell, "run", "flow.py", "pipeline")
    compiling = until_importing(shell)
    terminal.press_ctrl_c()
    assert terminal.wait() == 130
    assert terminal.shown.replace(b"^C", b"").split() == [b"interrupted"]
    with pytest.raises(ProcessLookupError):
        os.kill(compiling, 0)
    assert list((shell.root / "home" / "bundles" / "scratch").iterdir()) == []


def test_ctrl_c_to_the_command_alone_ends_the_process_that_compiles_too(shell):
    shell.write(SLOW)
    with shell.start("run", "flow.py", "pipeline", stderr=subprocess.PIPE) as command:
        compiling = until_importing(shell)
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=30)
    assert (command.returncode, said) == (130, b"\ninterrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(compiling, 0)


SWALLOWS = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            try:
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(1000): pass
            except BaseException:  # as the interpreter does in callbacks
                print("swallowed", flush=True)

sys.meta_path.insert(0, Finder())
sys.argv[1:] = ["get", "executions"]
from wingbeat_cli.main import main
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["click", "asyncio", "wingbeat.kernel.reader"])
def test_ctrl_c_in_the_middle_of_an_import_is_not_lost(shell, module):
    assert shell("run", "flow.py", "pipeline", "--x", "3").status == 0
    program = SWALLOWS.replace("MODULE", repr(module))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=shell.environment, timeout=50, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\ninterrupted\n")


def test_specs_are_shown_and_what_differs_from_an_execution_is_told(shell):
    ran = shell("run", "flow.py", "pipeline", "--x", "3", "-o", "json").json
    same = shell("spec", "diff", ran["id"], "flow.py:pipeline")
    assert (same.status, same.out) == (0, "They are the same.\n")
    shown = shell("spec", "show", ran["id"])
    assert shown.status == 0
    assert json.loads(shown.out) == json.loads(shell("spec", "show", "flow.py:pipeline").out)
    shell.write(FLOW.replace("return x + y", "return y + x"))
    differ = shell("spec", "diff", ran["id"], "flow.py:pipeline")
    assert differ.status == 1
    assert "task flow.add: code: changed" in differ.out.splitlines()
    assert differ.out.endswith("bundle: changed\n  flow.py: changed\n")
    document = shell("spec", "diff", ran["id"], "flow.py:pipeline", "-o", "json")
    assert {each["entity"] for each in document.json["differences"]} == {"", "task flow.add"}
    assert document.json["files"] == {"added": [], "changed": ["flow.py"], "removed": []}
    missing = shell("spec", "diff", "nowhere", "flow.py:pipeline")
    assert missing.status == 4


def test_lint_warns_of_what_is_read_from_the_environment(shell):
    shell.write("import os\nRATE = os.environ.get('ETA_RATE', '2')\n" + FLOW)
    linted = shell("spec", "lint", "flow.py")
    assert linted.status == 0
    (line,) = [each for each in linted.err.splitlines() if each.startswith("warning: ")]
    assert line.startswith("warning: flow.py asks the environment for ETA_RATE, TEST_ROOT while it is imported")
    assert shell("spec", "lint", "flow.py", "-o", "json").json["warnings"] == [line.removeprefix("warning: ")]


def test_lint_says_what_does_not_compile_and_runs_nothing(shell):
    shell.write(FLOW + "\nfrom wingbeat import LaunchPlan\nnightly = LaunchPlan(pipeline, name='nightly')\n")
    good = shell("spec", "lint", "flow.py")
    assert good.status == 0
    assert {"pipeline: ok", "nightly: ok"} <= {*good.out.splitlines()}
    shell.write(FLOW + "\n@workflow\ndef broken(x: int) -> int:\n    if add(x):\n        return x\n    return add(x)\n")
    wrong = shell("spec", "lint", "flow.py")
    assert wrong.status == 3
    assert "pipeline: ok" in wrong.out.splitlines()
    assert "cond" in wrong.out.partition("broken: ")[2]
    (shell.root / "failing.py").write_text(
        "import wingbeat\n\n@wingbeat.task\ndef f() -> int:\n    return 1\n\n1 / 0\n"
    )
    folder = shell("spec", "lint")
    assert folder.status == 3
    assert "flow.py: pipeline: ok" in folder.out.splitlines()
    assert "failing.py: ZeroDivisionError: division by zero" in folder.out
    assert shell("spec", "lint", "flow.py", "failing.py", "-o", "json").json["files"][0]["problems"].keys() == {
        "broken"
    }
    assert not (shell.root / "marks").exists()
