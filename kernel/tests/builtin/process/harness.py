"""A kernel to kill: runs the requests of a file in a home until all have ended, and writes down how they ended."""

import asyncio
import json
import sys
from pathlib import Path

import msgspec

from wingbeat.builtin.process.executor import ProcessExecutor
from wingbeat.builtin.process.settings import ProcessSettings
from wingbeat.contracts.environment import Interpreter
from wingbeat.contracts.executor import AttemptRequest


class Environments:
    async def ensure(self, environment, project_lock):
        return Interpreter("own", sys.executable, isolated=False)


class Sink:
    def __init__(self, path, names):
        self.path, self.left, self.done = path, set(names), asyncio.Event()

    def running(self, attempt, evidence=None): ...

    def progress(self, attempt, phase, reason): ...

    def advanced(self, attempt, progress): ...

    def ended(self, attempt, outcome):
        with self.path.open("a") as file:
            file.write(json.dumps([attempt, msgspec.to_builtins(outcome)]) + "\n")
        self.left.discard(attempt)
        if not self.left:
            self.done.set()


def read(folder):
    """The requests that have not ended, and a sink for their ends."""
    requests = msgspec.json.decode((folder / "requests").read_bytes(), type=list[AttemptRequest])
    ended = folder / "ended"
    ended.touch()
    known = {json.loads(line)[0] for line in ended.read_text().splitlines()}
    left = [request for request in requests if request.id not in known]
    return left, Sink(ended, [request.id for request in left])


async def main(folder, slots):
    left, sink = read(folder)
    if not left:
        return
    executor = ProcessExecutor(
        f"{folder}/home",
        environments=Environments(),
        bundle_path=lambda _: f"{folder}/bundle",
        settings=ProcessSettings(slots=slots, parent_idle_s=0.5),
    )
    await executor.start(sink)
    await executor.recover(left)
    await sink.done.wait()
    await executor.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
