"""What every wrapper must do. Derive one test class and say which wrapper it is::

    class TestMyWrapper(WrapperContract):
        target = "my_plugin.wrapper:MyWrapper"
        config = {"threads": 2}
        offers = ("MySession", "session")

The tests enter it in processes of their own, as attempts do, and inside of attempts of the process executor.
"""

from __future__ import annotations

import json
import os
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
from wingbeat.testing.conformance.executor_stage import ExecutorStage
from wingbeat.testing.conformance.plugin import STANDARD, needs
from wingbeat.testing.home import TemporaryHome

ONE = "e/n/0"


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
        }  # fmt: skip
        command = [sys.executable, "-m", "wingbeat.testing.conformance.wrapper_child", json.dumps(asked)]
        work = folder.with_name(f"{folder.name}.work")
        work.mkdir()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        said = folder.with_name(f"{folder.name}.said")
        with said.open("w") as out:  # no pipe: what it leaves running would hold that
            done = subprocess.run(
                command, cwd=work, env=environment, stdout=out, stderr=out, check=False, timeout=self.patience_s
            )
        text = said.read_text(errors="replace")
        assert done.returncode == 0, f"it could not be entered and left: {text}"
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
            await self.until(lambda: not _of(home), f"the end of all processes of the attempt: {_of(home)}")

    def _log(self, home: TemporaryHome) -> str:
        return "".join(file.read_text() for file in Path(home.path, "attempts").rglob("log"))


def _of(home: TemporaryHome) -> list[int]:
    """Processes that have the directory of an attempt of this home in their environment."""
    wanted = f"WINGBEAT_DIRECTORY={home.path}/".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found
