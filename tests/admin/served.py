"""A server as `wingbeat serve` starts it, in a home of its own, for tests that are hard on it."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wingbeat_admin.place import server_of


@dataclass
class Server:
    """Where it is, what its owner brings, and its process."""

    url: str
    key: str
    home: Path
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def memory_mb(self) -> float:
        """What it holds in memory, without what it shares with files."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.partition("RssAnon:")[2].split()[0]) / 1024


def wingbeat(root: Path, *line: str) -> str:
    """What a command prints, in the folder `root`, whose home is `root/home`."""
    done = subprocess.run(
        [_command(), *line], cwd=root, env=_environment(root), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def serving(root: Path, settings: str = '[server]\nauth = "keys"\n', files_max: int | None = None) -> Iterator[Server]:
    """A server of `root/home`; `files_max` is how many files it may have open."""
    (root / "wingbeat.toml").write_text(settings)
    with subprocess.Popen(
        [_command(), "serve", "--port", "0"],
        cwd=root,
        env=_environment(root),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            ready, _, url = process.stdout.readline().strip().partition(" ")
            assert ready == "ready"
            if files_max is not None:
                resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (files_max, files_max))
            place = server_of(str(root / "home"))
            assert place is not None
            yield Server(url, place.key, root / "home", process)
            assert process.poll() is None, "it is alive"
        finally:
            process.terminate()


def _command() -> str:
    return str(Path(sys.executable).with_name("wingbeat"))


def _environment(root: Path) -> dict[str, str]:
    without = {name: value for name, value in os.environ.items() if not name.startswith("WINGBEAT_")}
    return {**without, "WINGBEAT_HOME": str(root / "home"), "XDG_CONFIG_HOME": str(root / "config")}
