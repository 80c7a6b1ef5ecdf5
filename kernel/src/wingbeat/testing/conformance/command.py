"""What every command of a plugin must do. Derive one test class and say where the command is::

    class TestLines(CommandContract):
        target = "my_plugin.command:lines"
        line = "Show what was written."
        calls = (("show",), ("count", "--all"))

What is in `calls` is run, in a home that does not exist before; a test that wants more there overrides `prepare`.
"""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from wingbeat.testing.conformance.kit import Kit
from wingbeat.testing.invocation import TemporaryInvocation

if TYPE_CHECKING:
    import click
    from click.testing import Result

LINE_MAX = 100
"""So many characters of help have room in ``wingbeat --help``."""
IMPORTED = "import pkgutil; pkgutil.resolve_name({target!r})"


class CommandContract(Kit):
    """The contract of `wingbeat.contracts.command` as tests.

    Attributes:
        target: ``module:attribute``, as it is registered.

        line: What it says of itself in ``wingbeat --help``.

        calls: Arguments behind the command's name with which it can be called here, and succeeds; without any, nothing is said
            about what it does.

        documents: What is called prints a document where one is asked for.
    """

    patience_s: ClassVar[float] = 20.0
    target: ClassVar[str] = ""
    line: ClassVar[str] = ""
    calls: ClassVar[Sequence[Sequence[str]]] = ()
    documents: ClassVar[bool] = True

    def prepare(self, invocation: TemporaryInvocation) -> None:
        """Put into a home what `calls` want there."""

    @pytest.fixture
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """An empty folder, from which the command is called; homes are elsewhere."""
        folder = tmp_path / "here"
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.delenv("WINGBEAT_HOME", raising=False)
        return folder

    def invocation(self, folder: Path, name: str = "home", output: str = "table") -> TemporaryInvocation:
        """What the command is given."""
        return TemporaryInvocation(folder / name, output, self.settings)

    # What it is

    def test_it_is_a_command_of_click(self, here: Path) -> None:
        """`Registrar.command`: ``module:attribute`` of a command or a group of click."""
        import click

        found = pkgutil.resolve_name(self.target)
        assert isinstance(found, click.Command), f"{self.target} is of the class {type(found).__name__}"

    def test_importing_it_leaves_nothing(self, here: Path) -> None:
        """Importing it does no I/O."""
        variables = {**os.environ, "HOME": str(here), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        program = [sys.executable, "-B", "-c", IMPORTED.format(target=self.target)]
        done = subprocess.run(program, cwd=here, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert (done.stdout, list(here.iterdir())) == ("", [])

    def test_its_line_says_what_it_is_for(self) -> None:
        """`Registrar.command`: its line in ``wingbeat --help``."""
        assert self.line.strip(), "it says nothing of itself in `wingbeat --help`"
        assert len(self.line.splitlines()) == 1, "its help has to be one line"
        assert len(self.line) <= LINE_MAX, f"its help is longer than {LINE_MAX} characters: {self.line}"

    # What is asked of it without calling it

    def test_everything_in_it_has_a_help(self, here: Path) -> None:
        """``--help`` answers, of it and of every command in it, and says what that is for."""
        for path, command in self._all():
            done = self._ask(path, ["--help"], self.invocation(here.parent))
            assert done.exit_code == 0, f"{' '.join([*path, '--help'])}: {done.exception!r}"
            assert (command.help or "").strip(), f"{' '.join(path) or 'the command'} does not say what it is for"

    def test_help_changes_nothing(self, here: Path) -> None:
        """Help: writes nothing, also where what is above the command is called for it."""
        for path, _ in self._all():
            self._ask(path, ["--help"], self.invocation(here.parent))
            assert self._written(here) == [], f"{' '.join([*path, '--help'])} writes"

    def test_it_can_be_completed(self, here: Path) -> None:
        """Completion: answers, and writes nothing."""
        from click.shell_completion import CompletionItem, ShellComplete

        top = self._command()
        for path, _ in self._all():
            for incomplete in ("", "--", "x"):
                asked = ShellComplete(top, {"obj": self.invocation(here.parent)}, "wingbeat", "_WINGBEAT_COMPLETE")
                found = asked.get_completions(list(path), incomplete)
                assert all(isinstance(each, CompletionItem) for each in found)
                assert self._written(here) == [], f"completing {' '.join(path)} writes"

    def test_options_that_there_are_not_are_told(self, here: Path) -> None:
        """What is of click is told as of any command: a wrong option is a wrong use, unless it is handed on to somebody else."""
        import click

        for path, command in self._all():
            if isinstance(command, click.Group) or command.context_settings.get("ignore_unknown_options"):
                continue
            done = self._ask(path, ["--there-is-no-such-option"], self.invocation(here.parent))
            assert isinstance(done.exception, click.UsageError), f"{' '.join(path)} takes --there-is-no-such-option"

    # What it does

    def test_it_answers_a_status(self, here: Path) -> None:
        """It answers an exit status, or None for 0; what is in `calls` succeeds."""
        for call in self._calls():
            done = self._call(call, here.parent, "home")
            answer = done.return_value
            assert answer is None or type(answer) is int, (
                f"{' '.join(call)} answers {answer!r}, which is no exit status"
            )
            assert not answer, f"{' '.join(call)} ends with the status {answer}"

    def test_it_works_where_it_is_told_to(self, here: Path) -> None:
        """`Invocation.home`: that one, and not one that is worked out from the folder or from the environment."""
        for number, call in enumerate(self._calls()):
            self._call(call, here.parent, f"home{number}")
            assert list(here.iterdir()) == [], f"{' '.join(call)} writes into the folder where it is called"

    def test_it_prints_one_document(self, here: Path) -> None:
        """`Invocation.output`: with ``json``, one document on standard output and nothing else."""
        if not self.documents:
            pytest.skip("it prints no documents")
        for call in self._calls():
            done = self._call(call, here.parent, "home", "json")
            try:
                json.loads(done.stdout)
            except ValueError:
                pytest.fail(f"{' '.join(call)} prints no JSON, or something beside it: {done.stdout[:500]!r}")

    def test_it_can_be_called_again(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is called with an `Invocation`: the next one is another, also in the same process."""
        module = self.target.partition(":")[0]
        monkeypatch.delitem(sys.modules, module, raising=False)  # with what earlier tests have left there
        for call in self._calls():
            first = self._call(call, here.parent, "first")
            for name in ("second", "third"):
                again = self._call(call, here.parent, name)
                assert (again.return_value or 0) == (first.return_value or 0)
                assert _named(again.stdout, here.parent, name) == _named(first.stdout, here.parent, "first")

    def _command(self) -> click.Command:
        import click

        found = pkgutil.resolve_name(self.target)
        if not isinstance(found, click.Command):
            pytest.skip("it is no command")
        return found

    def _calls(self) -> Sequence[Sequence[str]]:
        self._command()
        if not self.calls:
            pytest.skip("nobody knows how it can be called here: say so in `calls`, in a test class of PluginInfo.kits")
        return self.calls

    def _all(self) -> Iterator[tuple[tuple[str, ...], click.Command]]:
        """It, and every command in it, with the names that lead there."""
        import click

        pending: list[tuple[tuple[str, ...], click.Command]] = [((), self._command())]
        while pending:
            path, command = pending.pop()
            yield path, command
            if isinstance(command, click.Group):
                ctx = click.Context(command)
                found = [(name, command.get_command(ctx, name)) for name in command.list_commands(ctx)]
                pending += [((*path, name), inner) for name, inner in found if inner is not None]

    def _ask(self, path: Sequence[str], arguments: Sequence[str], invocation: TemporaryInvocation) -> Result:
        from click.testing import CliRunner

        return CliRunner().invoke(self._command(), [*path, *arguments], obj=invocation, standalone_mode=False)

    def _call(self, call: Sequence[str], folder: Path, name: str, output: str = "table") -> Result:
        invocation = self.invocation(folder, name, output)
        self.prepare(invocation)
        done = self._ask((), call, invocation)
        if done.exception is not None:
            raise AssertionError(f"{' '.join(call)} fails: {done.exception!r}") from done.exception
        return done

    def _written(self, here: Path) -> list[str]:
        return sorted(str(path.relative_to(here.parent)) for path in here.parent.rglob("*") if path != here)


def _named(text: str, folder: Path, name: str) -> str:
    """What was printed, without the place of the home."""
    return text.replace(str(folder / name), "HOME")


__all__ = ["CommandContract"]
