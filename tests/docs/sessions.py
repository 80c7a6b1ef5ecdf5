"""Sessions of the documentation, command by command: what a page shows is what comes.

In a block marked `console`, a line `folder$ command` is given in that folder, and what follows is what it prints, on both streams.
`…` stands for anything, as a line for any number of them.
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

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(\w*)\$ (.*)")
SETTINGS = re.compile(r"^```toml\n# (\w+)/wingbeat\.toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS = ("8765", "8766")
"""Those of the pages: the first is that of `wingbeat serve`."""


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
    """A shell, as far as sessions need one: variables, folders, servers.

    A command may take `seconds_max`. What triggers launch comes later: `wingbeat get` is asked again for `moment_s`.
    """

    def __init__(self, root: Path, *, seconds_max: float = 50, moment_s: float = 20) -> None:
        without = {name: value for name, value in os.environ.items() if not name.startswith("WINGBEAT_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.root, self.seconds_max, self.moment_s = root, seconds_max, moment_s
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
            end = time.monotonic() + self.moment_s
            while not step.fits(printed := self._printed(step.command, folder)):
                assert step.command.startswith("wingbeat get "), f"{step.command}\n{printed}"
                assert time.monotonic() < end, f"{step.command}\n{printed}"

    def _printed(self, command: str, folder: Path) -> str:
        return subprocess.run(
            ["sh", "-c", command], cwd=folder, env=self.environment, text=True, timeout=self.seconds_max, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ).stdout  # fmt: skip

    def close(self) -> None:
        for process in self.background:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
            assert process.returncode in (0, -signal.SIGTERM)


def play(text: str, session: Session) -> None:
    """Give all commands of a page, with its settings, its servers at ports that are free; what was started ends with it."""
    with contextlib.ExitStack() as stack:
        for shown in PORTS:
            free = stack.enter_context(socket.socket())
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
            text = text.replace(shown, port)
            if shown == PORTS[0]:
                text = text.replace("wingbeat serve &", f"wingbeat serve --port {port} &")
    for name, settings in SETTINGS.findall(text):
        (session.root / name / "wingbeat.toml").write_text(settings)
    steps = list(steps_of(text))
    assert steps
    try:
        for step in steps:
            session.do(step)
    finally:
        session.close()
