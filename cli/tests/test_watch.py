import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wingbeat.contracts.engine import Change, ExecutionView, Summary
from wingbeat.contracts.observer import Published
from wingbeat.spec.phase import ExecutionPhase
from wingbeat_cli.render.listing import KEPT_MAX, Listing, list_screen
from wingbeat_cli.watching import LOOKED_THROUGH_MAX, events_of, last_number, watch_executions

COMMAND = str(Path(sys.executable).with_name("wingbeat"))
FLOW = """
import os, time
from pathlib import Path
from wingbeat import task, workflow

@task
def wait(x: int) -> int:
    while not Path(os.environ["TEST_GO"]).exists():
        time.sleep(0.01)
    return 10 // x

@workflow
def waiting(x: int = 1) -> int:
    return wait(x)
"""


def summary(id_: str, phase: str = "RUNNING", at: float = 0.0, **labels: str) -> Summary:
    ended = at + 1 if ExecutionPhase(phase).terminal else None
    return Summary(id_, "flow.pipeline", ExecutionPhase(phase), at, ended, labels)


class Told:
    """An engine that tells what there is now, as that of a kernel that only reads."""

    def __init__(self, numbers: list[int], page: int = 3) -> None:
        self.changes_ = [Change(number, summary(f"e{number}", at=number)) for number in numbers]
        self.page, self.looks = page, 0

    async def changes(self, after: int = 0):
        self.looks += 1
        behind = [change for change in self.changes_ if change.number > after]
        for i in range(0, len(behind), self.page):
            yield behind[i : i + self.page]

    async def executions(self, *, after: str = "", limit: int = 100):
        every = [change.execution for change in reversed(self.changes_)]
        first = next((i + 1 for i, each in enumerate(every) if each.id == after), 0)
        return every[first : first + limit]


@given(st.sets(st.integers(1, 2**40)), st.integers(1, 5))
def test_the_last_number_is_found_in_few_looks(numbers: set[int], page: int):
    engine: Any = Told(sorted(numbers), page)
    assert asyncio.run(last_number(engine)) == max(numbers, default=0)
    assert engine.looks <= 90


class Screen:
    def __init__(self, enough: int) -> None:
        self.taken: list[str] = []
        self.enough, self.closed = enough, False

    def take(self, each: Summary) -> None:
        self.taken.append(each.id)
        if len(self.taken) == self.enough:
            raise asyncio.CancelledError

    def close(self) -> None:
        self.closed = True


def watched(engine: Any, screen: Any, wanted: Any = lambda _: True, limit: int = 2) -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watch_executions(engine, wanted, screen, limit))
    assert screen.closed


def test_a_list_begins_with_the_newest_and_goes_on_with_every_change():
    engine, screen = Told([1, 2, 3]), Screen(4)
    before = engine.executions

    async def executions(**which: Any):
        found = await before(**which)
        engine.changes_ += [Change(4, summary("e1", "SUCCEEDED", 1)), Change(5, summary("e5", at=5))]
        return found

    engine.executions = executions  # type: ignore[method-assign]
    watched(engine, screen)
    assert screen.taken == ["e2", "e3", "e1", "e5"]


def test_only_what_is_wanted_is_looked_for():
    engine, screen = Told(list(range(1, LOOKED_THROUGH_MAX + 200))), Screen(1)
    watched(engine, screen, lambda each: each.id in {"e250", "e7"})
    assert screen.taken == ["e250"]  # the other one is further back than it looks


def test_a_list_shows_what_has_not_ended_before_the_rest():
    listing = Listing()
    for each in [summary("a", "RUNNING", 1), summary("b", "FAILED", 2), summary("c", "SUCCEEDED", 3)]:
        assert listing.take(each)
    assert [each.id for each in listing.shown(2)] == ["c", "a"]
    assert [each.id for each in listing.shown(9)] == ["c", "b", "a"]
    assert not listing.take(summary("a", "RUNNING", 1))
    assert listing.take(summary("a", "FAILED", 1))
    assert [each.id for each in listing.shown(2)] == ["c", "b"]


def test_a_list_is_bounded():
    listing = Listing()
    for number in range(2 * KEPT_MAX):
        listing.take(summary(f"e{number}", "SUCCEEDED" if number else "RUNNING", number))
    shown = [each.id for each in listing.shown(2 * KEPT_MAX)]
    assert len(shown) == KEPT_MAX
    assert (shown[0], shown[-1]) == (f"e{2 * KEPT_MAX - 1}", "e0")


def test_a_change_is_a_line_or_a_document(capsys):
    for output in ("table", "json", "yaml"):
        screen = list_screen(output, 20)
        for each in (summary("a", "RUNNING", 1), summary("a", "RUNNING", 1), summary("a", "FAILED", 1)):
            screen.take(each)
        screen.close()
        out = capsys.readouterr().out
        if output == "table":
            assert out == "a  flow.pipeline  RUNNING\na  flow.pipeline  FAILED  1.0 s\n"
            continue
        read = map(json.loads, out.splitlines()) if output == "json" else yaml.safe_load_all(out)
        assert [each["phase"] for each in read] == ["RUNNING", "FAILED"]


def test_events_are_read_until_the_end_is_told():
    """Also where the last ones came between two looks."""
    ended = False

    class Reading:
        async def describe(self, execution, *, nodes=True):
            return ExecutionView(execution, "flow.pipeline", ExecutionPhase("SUCCEEDED" if ended else "RUNNING"), 0.0)

        async def events(self, execution, cursor=-1):
            nonlocal ended
            for number in range(cursor + 1, 4 if ended else 2):
                yield Published(execution, number, 0.0, "node", "RUNNING")
            ended = True

    async def read(engine: Any) -> list[int]:
        return [event.cursor async for event in events_of(engine, "e1")]

    assert asyncio.run(read(Reading())) == [0, 1, 2, 3]


class Home:
    """A folder with a workflow that waits for a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "flow.py").write_text(FLOW)
        without = {name: value for name, value in os.environ.items() if not name.startswith("WINGBEAT_")}
        more = {"WINGBEAT_HOME": str(folder / "home"), "TEST_GO": str(folder / "go"), "TERM": "xterm", "NO_COLOR": "1"}
        self.environment = {**without, **more}
        self.started: list[subprocess.Popen[str]] = []

    def go(self) -> None:
        (self.folder / "go").touch()

    def start(self, *line: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [COMMAND, *line],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.started.append(process)
        return process

    def run(self, name: str, x: int = 1) -> subprocess.Popen[str]:
        """An execution, when it is under way."""
        process = self.start("run", "flow.py", "waiting", "--x", str(x), "--name", name)
        assert process.stderr is not None
        assert any("RUNNING" in line for line in process.stderr)
        return process


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path)
    yield made
    made.go()
    for process in made.started:
        process.kill()
        process.communicate()


def lines_until(process: subprocess.Popen[str], text: str) -> list[str]:
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line.rstrip("\n"))
        if text in line:
            return seen
    raise AssertionError(f"{text!r} did not come; there is {seen}")


def test_executions_come_and_end_while_they_are_watched(home: Home):
    first = home.run("first")
    watching, documents = home.start("watch", "executions"), home.start("watch", "executions", "-o", "json")
    assert lines_until(watching, "first") == ["first  flow.waiting  RUNNING"]
    lines_until(documents, "first")
    home.go()
    first.communicate(timeout=50)
    assert lines_until(watching, "SUCCEEDED")[-1].startswith("first  flow.waiting  SUCCEEDED  ")
    home.start("run", "flow.py", "waiting", "--x", "0", "--name", "second").communicate(timeout=50)
    lines_until(watching, "second  flow.waiting  FAILED")
    told = [json.loads(line) for line in lines_until(documents, '"FAILED"')]
    assert {each["id"] for each in told} == {"first", "second"}
    assert told[-1]["ended_at"] is not None
    for process in (watching, documents):
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (130, "")


@pytest.mark.parametrize(("x", "status", "end"), [(1, 0, "o0 = 10"), (0, 1, "FAILED")])
def test_an_execution_is_watched_to_its_end(home: Home, x: int, status: int, end: str):
    home.run("one", x)
    watching, documents = home.start("watch", "execution", "one"), home.start("watch", "execution", "one", "-o", "yaml")
    assert lines_until(watching, "n0 flow.wait RUNNING")[0] == "execution one: flow.waiting, 1 node"
    home.go()
    out, err = watching.communicate(timeout=50)
    assert watching.returncode == status
    assert end in out
    assert ("ZeroDivisionError" in err) == bool(status)
    out, err = documents.communicate(timeout=50)
    told = list(yaml.safe_load_all(out))
    assert (documents.returncode, err) == (status, "")
    assert told[-1]["phase"] == ("FAILED" if status else "SUCCEEDED")
    assert [each["cursor"] for each in told] == list(range(len(told)))


def test_who_leaves_does_not_abort_it(home: Home):
    running = home.run("one")
    watching = home.start("watch", "execution", "one")
    lines_until(watching, "RUNNING")
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=30)
    assert (watching.returncode, err) == (130, "")
    home.go()
    running.communicate(timeout=50)
    assert running.returncode == 0


@pytest.mark.parametrize("line", [["executions"], ["execution", "one"]], ids=" ".join)
def test_on_a_terminal_it_is_drawn_and_the_terminal_given_back(home: Home, line: list[str]):
    home.run("one")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home.folder)
        os.execvpe(COMMAND, [COMMAND, "watch", *line], home.environment)
    try:
        _until(terminal, "RUNNING")
        os.write(terminal, b"\x03")
        rest = _until(terminal, "\x1b[?25h")  # the cursor is shown again
        assert "Traceback" not in rest
        status = os.waitstatus_to_exitcode(_waited(pid, terminal))
        assert status == 130
    finally:
        os.close(terminal)


def _until(terminal: int, text: str) -> str:
    seen, end = "", time.monotonic() + 40
    while text not in seen:
        assert time.monotonic() < end, f"{text!r} did not come; there is {seen!r}"
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")
    return seen


def _waited(pid: int, terminal: int) -> int:
    """The status of a process that may still write to its terminal."""
    end = time.monotonic() + 40
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        assert time.monotonic() < end
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                os.read(terminal, 65536)
            except OSError:  # nobody has it open any more
                return os.waitpid(pid, 0)[1]


def test_there_is_something_to_watch(home: Home):
    for line in (["executions"], ["execution", "one"]):
        process = home.start("watch", *line)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 4
        assert "nothing has run here yet" in err
    home.run("one")
    process = home.start("watch", "execution", "two", "-o", "json")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, json.loads(out)["error"]["code"]) == (4, "NotFound")
    assert "There is no execution 'two'" in err
