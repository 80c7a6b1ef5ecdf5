"""A redis-server of one's own, on a socket in a folder."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path


class Server:
    """A server that keeps every write at once."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise FileNotFoundError("redis-server is not installed")
        self._folder = tempfile.mkdtemp(prefix="redis")  # a socket's path has to be short
        self.url = f"unix://{self._folder}/socket"
        lasting = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        command = (program, "--port", "0", "--unixsocket", f"{self._folder}/socket", "--dir", self._folder, *lasting)
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not Path(self._folder, "socket").exists():
            if self._process.poll() is not None:
                raise RuntimeError("redis-server has ended")
            time.sleep(0.01)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
