"""Run a kit from a program: what ``wingbeat plugins check`` does.

The tests run in a process of their own, over homes in a temporary folder, so that a plugin that hangs or ends the process is a
result as any other. pytest is not imported here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.testing import remains
from wingbeat.testing.defaults import without_settings
from wingbeat.testing.reporting import LIFELINE, VARIABLE

TEST_S_MAX = 180.0
START_S_MAX = 180.0
"""So long may importing the plugin take, and collecting its tests."""
RESTARTS_MAX = 20
"""So many tests may end the process or hang; then the rest counts as failed."""
HANGS_MAX = 5
"""So many tests may hang, because each takes a while to be sure of it."""
LONGEST = 4
"""So many times its patience no test of a kit takes."""
MARGIN_S = 10.0
"""And so much longer, whatever the patience: a process begins, a fixture is made."""
HANGS_S = 20.0
"""A test that has failed after so long, or after its patience, has waited for something that did not come."""

_ERROR = re.compile(r"[\w.]+(Error|Exception|Failed|Exit)\b.*: ")
_INI = "[pytest]\naddopts =\nfilterwarnings = default\n"
_PROGRAM = """\
import json

from wingbeat.testing.conformance.registered import kit

TestKit = kit({module!r}, {seam!r}, {name!r}, json.loads({settings!r}), patience_s={patience!r})
"""


class Result(Struct, frozen=True):
    """What became of one test of a kit.

    Attributes:
        seam: Which kit: ``executor``, ``storage``, ``journal``, ``catalog``, ``observer``, ``environments``, ``command``,
            ``admin``, ``engine``, ``notifier`` or ``plugin``; ``kit`` for a test class of the plugin's own.

        name: What it was run on.

        test: The test's name.

        message: Why it failed or was skipped: what was wrong in one line, and behind that the whole of it.
    """

    seam: str
    name: str
    test: str
    outcome: Literal["passed", "failed", "skipped"]
    message: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether it did not fail."""
        return self.outcome != "failed"

    @property
    def summary(self) -> str:
        """Why, in one line."""
        blocks: list[list[str]] = [[]]  # of chained errors the last is the one that counts
        for line in self.message.splitlines():
            if line.startswith("E "):
                blocks[-1].append(line[1:].strip())
            elif blocks[-1]:
                blocks.append([])
        said = next((block for block in reversed(blocks) if block), [])
        if not said:
            return next(iter(self.message.strip().splitlines()), "")
        if "Traceback (most recent call last)" in said[0]:  # that of another process, or of a group
            return next((line for line in reversed(said) if _ERROR.match(line.lstrip("|+- "))), said[0]).lstrip("|+- ")
        return " ".join(said[:2]) if len(said) > 1 and said[1].startswith("+  where") else said[0]


def run(
    module: str,
    seam: str,
    name: str,
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    test_s_max: float | None = None,
    patience_s: float | None = None,
) -> Generator[Result, None, None]:
    """Run the kit of `seam` on what the plugin `module` registers as `name`, and tell of each test when it is over.

    Args:
        module: The plugin's module, as its entry point has it.

        seam: As in `Result`; for ``plugin``, `name` is that of the entry point, or empty, for ``kit`` ``module:class``.

        settings: By section, what the factory reads; plain data.

        test_s_max: A test that takes longer hangs: it is ended, and has failed. By default it goes by the patience.

        patience_s: So many seconds a test waits for what the plugin does, in the place of what its kit takes for enough.

    Raises:
        ConfigurationError: The patience is none, pytest or hypothesis is not installed, or the plugin registers nothing of that
            name.
    """
    if patience_s is not None and not 0 < patience_s < math.inf:
        raise ConfigurationError(f"A patience of {patience_s:g} s is none.", hint="Some seconds, such as 60.")
    if test_s_max is None:
        test_s_max = TEST_S_MAX if patience_s is None else patience_s * LONGEST + MARGIN_S
    lacking = [package for package in ("pytest", "hypothesis") if importlib.util.find_spec(package) is None]
    if lacking:
        raise ConfigurationError(
            f"The conformance kits need {' and '.join(lacking)}.", hint="pip install 'wingbeat[testing]'"
        )
    with tempfile.TemporaryDirectory(prefix="wingbeat-kit-", ignore_cleanup_errors=True) as folder:
        program = _PROGRAM.format(
            module=module, seam=seam, name=name, settings=json.dumps(settings or {}), patience=patience_s
        )
        Path(folder, "test_kit.py").write_text(program)
        Path(folder, "pytest.ini").write_text(_INI)
        story = _Story(seam, name, HANGS_S if patience_s is None else min(HANGS_S, patience_s))
        try:
            for turn in range(RESTARTS_MAX + 1):
                yield from _turn(Path(folder), turn, story, test_s_max)
                if story.broken:
                    raise ConfigurationError(
                        f"The kit cannot be run on the {seam} {name!r} of {module}: {story.broken}"
                    )
                if not story.left:
                    return
                if story.hung >= HANGS_MAX:
                    break
        finally:
            remains.end(folder)
        for test in story.left:
            yield story.result(test, "failed", "not run: too many tests before it have ended the process or hung")


class _Story:
    """What is known of a run so far."""

    def __init__(self, seam: str, name: str, hangs_s: float) -> None:
        self.seam, self.name, self._hangs_s = seam, name, hangs_s
        self.left: list[str] = []
        self.known = False
        self.running = ""
        self.broken = ""
        self.hung = 0

    def result(self, test: str, outcome: Any, message: str, seconds: float = 0.0) -> Result:
        return Result(self.seam, self.name, test.rpartition("::")[2], outcome, message, seconds)

    def take(self, said: dict[str, Any]) -> Iterator[Result]:
        """Take what the other process says."""
        if "tests" in said and not self.known:
            self.left, self.known = list(said["tests"]), True
        elif "begins" in said:
            self.running = said["begins"]
        elif "ends" in said:
            self.running = ""
        elif "broken" in said:
            self.broken = said["broken"]
        elif "test" in said and said["test"] in self.left:  # the first that is told of a test counts
            self.left.remove(said["test"])
            self.hung += said["outcome"] == "failed" and said["seconds"] >= self._hangs_s
            yield self.result(said["test"], said["outcome"], said["message"], said["seconds"])

    def ended(self, why: str) -> Iterator[Result]:
        """The process has ended before it was done."""
        if self.running in self.left:
            self.left.remove(self.running)
            yield self.result(self.running, "failed", why)
        elif not self.known:
            self.broken = self.broken or why


def _turn(folder: Path, turn: int, story: _Story, test_s_max: float) -> Iterator[Result]:
    """One process, with the tests that are left; it is gone at the end, and all that it has started in its group. It ends by itself
    where this one does, however: the lifeline is closed then."""
    reader, writer = os.pipe()
    followed, lifeline = os.pipe()
    tests = story.left or ["test_kit.py"]
    command = [
        sys.executable, "-m", "pytest", "-c", "pytest.ini", "-q", "-p", "anyio.pytest_plugin", "-p", "no:cacheprovider",
        "-p", "wingbeat.testing.reporting", f"--basetemp={folder / f't{turn}'}", *tests,
    ]  # fmt: skip
    environment = {
        **without_settings(os.environ), VARIABLE: str(writer), LIFELINE: str(followed), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join(os.path.abspath(place) for place in sys.path),
    }  # fmt: skip
    environment.pop("PYTEST_ADDOPTS", None)
    with (folder / "output").open("w+b") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            pass_fds=(writer, followed),
            start_new_session=True,
        )
        os.close(writer)
        os.close(followed)
        try:
            for said in _lines(reader, START_S_MAX, test_s_max):
                yield from story.take(said)
                if story.hung >= HANGS_MAX:
                    return
            code = process.wait(timeout=10)
            output.seek(0)
            yield from story.ended(f"it has ended the process of the test (exit code {code}): {_end_of(output.read())}")
        except TimeoutError as error:
            story.hung += 1
            yield from story.ended(f"it hangs: no end after {error} s")
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(reader)
            os.close(lifeline)


def _lines(reader: int, start_s_max: float, silence_s_max: float) -> Iterator[dict[str, Any]]:
    """What is said, until whoever says it has ended. Raises TimeoutError, with the seconds, where nothing is for too long."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        most = start_s_max
        end = time.monotonic() + most
        while True:
            if not selector.select(max(0.0, end - time.monotonic())):
                raise TimeoutError(f"{most:g}")
            data = os.read(reader, 2**16)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            if whole:
                most = silence_s_max
                end = time.monotonic() + most
            for line in whole:
                said = json.loads(line)
                if "done" in said:
                    return
                yield said


def _end_of(output: bytes) -> str:
    return output.decode(errors="replace").strip()[-2000:]
