"""Sessions of the documentation, command by command: what a page shows is what comes.

In a block marked `console`, a line `folder$ command` is given in that folder, and what follows is what it prints, on both streams.
`…` stands for anything, as a line for any number of them. The Python files of the page are in the folders of their names, with the
settings that the page has for that folder.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^```python\n# (\w+)\.py\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(\w*)\$ (.*)")
SETTINGS = re.compile(r"^```toml\n# (\w+)/wingbeat\.toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS = ("8765", "8766")
PAGES = ("artifacts", "notifications", "share-and-launch", "tenants")


class Step(NamedTuple):
    """A command, the folder in which it is given, and what it prints."""

    folder: str
    command: str
    printed: str

    def fits(self, text: str) -> bool:
        """Whether that is what the page shows; spaces may differ, as columns are as wide as ids."""
        wanted = []
        for line in self.printed.splitlines():
            if line == "…":
                wanted.append(r"(?:.*\n)*?")
            else:
                wanted.append(".*".join(re.escape(part) for part in " ".join(line.split()).split("…")) + r"\n")
        given = "".join(" ".join(line.split()) + "\n" for line in text.splitlines())
        return re.fullmatch("".join(wanted), given) is not None


def steps_of(text: str) -> Iterator[Step]:
    for block in BLOCK.findall(text):
        found: list[tuple[str, str, list[str]]] = []
        for line in block.splitlines():
            if command := COMMAND.fullmatch(line):
                found.append((command[1], command[2], []))
            else:
                found[-1][2].append(line)
        yield from (Step(folder, command, "\n".join(lines)) for folder, command, lines in found)


class Session:
    """A shell, as far as sessions need one: variables, folders, servers."""

    def __init__(self, root: Path) -> None:
        without = {name: value for name, value in os.environ.items() if not name.startswith("WINGBEAT_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.root = root
        self.environment = {**without, "WINGBEAT_HOME": str(root / "home"), "PATH": path, "TZ": "UTC"}
        self.background: list[subprocess.Popen[str]] = []

    def do(self, step: Step) -> None:
        folder = self.root / step.folder
        if step.command.startswith("export "):
            name, _, value = step.command.removeprefix("export ").partition("=")
            command = re.fullmatch(r"\$\((.*)\)", value)
            # What a shell does with what the command says on its standard output, and only there.
            self.environment[name] = (
                value if command is None else self._printed(f"{command[1]} 2> /dev/null", folder).strip()
            )
        elif step.command.endswith(" &"):
            process = subprocess.Popen(
                step.command.removesuffix(" &").split(),
                cwd=folder,
                env=self.environment,
                text=True,
                stdout=subprocess.PIPE,
            )
            self.background.append(process)
            assert process.stdout is not None
            assert step.fits(process.stdout.readline())
        else:
            end = time.monotonic() + 20
            while not step.fits(printed := self._printed(step.command, folder)):
                # What a trigger launches comes a moment later.
                assert step.command.startswith("wingbeat get "), f"{step.command}\n{printed}"
                assert time.monotonic() < end, f"{step.command}\n{printed}"

    def _printed(self, command: str, folder: Path) -> str:
        return subprocess.run(
            ["sh", "-c", command], cwd=folder, env=self.environment, text=True, timeout=50, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ).stdout  # fmt: skip

    def close(self) -> None:
        for process in self.background:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
            assert process.returncode in (0, -signal.SIGTERM)


def test_what_a_page_shows_and_does_not_come_is_found() -> None:
    (step,) = steps_of("```console\na$ list\nID   PHASE\nx-…  DONE\n…\nend\n```\n")
    assert (step.folder, step.command) == ("a", "list")
    assert step.fits("ID  PHASE\nx-17  DONE\nend\n")
    assert step.fits("ID  PHASE\nx-17  DONE\nmore\nmore\nend\n")
    assert not step.fits("ID  PHASE\nx-17  FAILED\nend\n")
    assert not step.fits("ID  PHASE\nx-17  DONE\n")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", PAGES)
def test_the_session_is_as_the_page_shows_it(page: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text()
    for name, source in FILE.findall(text):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").write_text(source)
        (tmp_path / name / "wingbeat.toml").touch()
    with contextlib.ExitStack() as stack:
        for shown in PORTS:
            free = stack.enter_context(socket.socket())
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
            text = text.replace(shown, port)
            if shown == PORTS[0]:
                text = text.replace("wingbeat serve &", f"wingbeat serve --port {port} &")
    for name, settings in SETTINGS.findall(text):
        (tmp_path / name / "wingbeat.toml").write_text(settings)
    session = Session(tmp_path)
    steps = list(steps_of(text))
    assert steps
    try:
        for step in steps:
            session.do(step)
    finally:
        session.close()
