"""What every wrapper must do. Derive one test class and say which wrapper it is::

    class TestMyWrapper(WrapperContract):
        target = "my_plugin.wrapper:MyWrapper"
        config = {"threads": 2}
        offers = ("MySession", "session")

The tests enter it in processes of their own, as attempts do, and inside of attempts of the process executor.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace

from wingbeat.builtin.process.plugin import make
from wingbeat.contracts.executor import Aborted, AttemptRequest, Executor, Failed, Succeeded
from wingbeat.spec.entities import WrapperSpec
from wingbeat.testing import remains
from wingbeat.testing.conformance import wrapper_child
from wingbeat.testing.conformance.executor_stage import ExecutorStage
from wingbeat.testing.conformance.plugin import STANDARD, needs
from wingbeat.testing.conformance.wrapper_child import CALLS, HANGS
from wingbeat.testing.home import TemporaryHome

_FRAME = re.compile(r'^  File "(.+)", line (\d+) in (\S+)$', re.MULTILINE)
ONE = "e/n/0"
STARTS_S = 10.0
"""So long an interpreter may take to start and end."""


class WrapperContract(ExecutorStage):
    """The contract of `wingbeat.contracts.wrapper.Wrapper` as tests.

    Attributes:
        target: ``module:Class``, as in `WrapperSpec.target`.

        config: A configuration that works here.

        offers: What it has to offer: names of parameters and of classes.
    """

    target: ClassVar[str] = ""
    config: ClassVar[Mapping[str, Any]] = {}
    offers: ClassVar[Sequence[str]] = ()

    def over(self, home: TemporaryHome) -> None:
        """An attempt that hangs in the wrapper would go on for ever."""
        super().over(home)
        remains.end(home.path)

    def make(self, home: TemporaryHome) -> Executor:
        """The executor whose attempts are wrapped."""
        return make(home)

    def request(self, home: TemporaryHome, place: Path, name: str, kind: str) -> AttemptRequest:
        """An attempt inside the wrapper."""
        request = super().request(home, place, name, kind)
        wrapper = WrapperSpec("kit", self.target, dict(self.config))
        return replace(request, task=replace(request.task, wrappers=(wrapper,)))

    def seen(self, folder: Path, *, enter: bool = True, error: bool = False) -> dict[str, Any]:
        """What is seen of the wrapper in a process of its own."""
        folder.mkdir(exist_ok=True)
        asked = {
            "target": self.target, "config": dict(self.config), "directory": str(folder), "enter": enter, "error": error,
            "patience_s": self.patience_s,
        }  # fmt: skip
        command = [sys.executable, "-m", "wingbeat.testing.conformance.wrapper_child", json.dumps(asked)]
        work = folder.with_name(f"{folder.name}.work")
        work.mkdir()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        said = folder.with_name(f"{folder.name}.said")
        with said.open("w") as out:  # no pipe: what it leaves running would hold that
            child = subprocess.Popen(command, cwd=work, env=environment, stdout=out, stderr=out, start_new_session=True)
            try:
                code = child.wait(self.patience_s + STARTS_S)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        text = said.read_text(errors="replace")
        if code is None or HANGS in text:
            pytest.fail(_hanging(text, self.patience_s))
        assert code == 0, f"it could not be entered and left: {text}"
        answer = next(line for line in reversed(text.splitlines()) if line.startswith('{"imported"'))
        found: dict[str, Any] = json.loads(answer)
        return found

    def test_importing_it_is_cheap(self, tmp_path: Path) -> None:
        """A wrapper uses only the standard library until it is entered."""
        own = self.target.partition(".")[0].partition(":")[0]
        found = set(self.seen(tmp_path / "d", enter=False)["imported"]) - STANDARD - needs("wingbeat")
        assert found <= {own, "wingbeat"}, f"importing it imports {sorted(found - {own, 'wingbeat'})}"

    def test_making_it_does_nothing(self, tmp_path: Path) -> None:
        """Constructed with its configuration: no file, process or thread is made, and the configuration stays as it is."""
        seen = self.seen(tmp_path / "d", enter=False)
        assert seen["made"] == [], f"constructing it makes {seen['made']}"
        assert seen["config"]

    def test_it_offers_parameters_by_type_or_name(self, tmp_path: Path) -> None:
        """`enter`: offers values by the class that a parameter is annotated with, of that class, or by parameter name."""
        seen = self.seen(tmp_path / "d")
        assert seen["dict"], "enter() answers a dictionary, an empty one if it offers nothing"
        assert (seen["wrong"], seen["nameless"], seen["foreign"]) == ([], [], [])
        assert set(self.offers) <= set(seen["offers"])

    @pytest.mark.parametrize("error", [False, True], ids=["success", "failure"])
    def test_nothing_is_left_of_it(self, tmp_path: Path, error: bool) -> None:
        """`leave`: cleans up, whether the function returned or raised: no process and no thread stays."""
        seen = self.seen(tmp_path / "d", error=error)
        assert not seen["children"], f"processes that it has left: {seen['children']}"
        assert not seen["threads"], f"threads that it has left: {seen['threads']}"

    def test_leaving_does_not_decide_over_errors(self, tmp_path: Path) -> None:
        """`leave`: answers nothing, and raises nothing because the function did."""
        assert self.seen(tmp_path / "d", error=True)["left"]

    async def test_an_attempt_inside_it_succeeds(self, home: TemporaryHome) -> None:
        """Entered before the function is called and left after it: its outputs are what counts."""
        async with self.started(home) as stage:
            assert isinstance(await stage.run(ONE), Succeeded)
            assert "Traceback" not in self._log(home), self._log(home)

    async def test_the_error_of_the_function_is_that_of_the_attempt(self, home: TemporaryHome) -> None:
        """`leave`: `error` is what the function raised, and stays it."""
        async with self.started(home) as stage:
            outcome = await stage.run(ONE, "fail")
            assert isinstance(outcome, Failed)
            assert outcome.error.code == "ValueError"
            assert "as asked" in outcome.error.message

    async def test_nothing_is_left_of_a_cancelled_attempt(self, home: TemporaryHome) -> None:
        """A cancelled attempt is killed, and `leave` may not be called: what it has started ends with it."""
        async with self.started(home) as stage:
            await stage.submit(ONE, "wait")
            await stage.begun(ONE)
            await stage.executor.cancel(ONE, "enough")
            assert isinstance(await stage.reports.outcome(ONE), Aborted)
            left = remains.begun_in(home.path)
            await self.until(
                lambda: not remains.begun_in(home.path), f"the end of all processes of the attempt: {left}"
            )

    def _log(self, home: TemporaryHome) -> str:
        return "".join(file.read_text() for file in Path(home.path, "attempts").rglob("log"))


def _hanging(text: str, patience_s: float) -> str:
    """Which call hangs, and where, by what the process has said that made it."""
    said = text.splitlines()
    call = next((line.removeprefix(CALLS) for line in reversed(said) if line.startswith(CALLS)), "its start")
    main = text.rpartition("(most recent call first)")[2]  # of the main thread, which is told last
    frames = [f"{os.path.basename(file)}:{line}, {called}" for file, line, called in _FRAME.findall(main)]
    own = list(
        itertools.takewhile(lambda frame: not frame.startswith(os.path.basename(wrapper_child.__file__)), frames)
    )
    where = "".join(
        f"; {frame}" for frame in dict.fromkeys([*own[-1:], *own[:1]])
    )  # what was called, and where that is
    return f"it hangs: {call} has not ended for {patience_s:g} s{where}\n{text}"
