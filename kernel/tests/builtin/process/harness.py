"""A kernel to kill: runs the requests of a file in a home until all have ended, and writes down how they ended."""

import asyncio
import json
import os
import sys

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

    def ended(self, attempt, outcome):
        with open(self.path, "a") as file:
            file.write(json.dumps([attempt, msgspec.to_builtins(outcome)]) + "\n")
        self.left.discard(attempt)
        if not self.left:
            self.done.set()


async def main(folder, slots):
    with open(f"{folder}/requests", "rb") as file:
        requests = msgspec.json.decode(file.read(), type=list[AttemptRequest])
    ended = f"{folder}/ended"
    known = {json.loads(line)[0] for line in open(ended)} if os.path.exists(ended) else set()
    left = [request for request in requests if request.id not in known]
    if not left:
        return
    sink = Sink(ended, [request.id for request in left])
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
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
