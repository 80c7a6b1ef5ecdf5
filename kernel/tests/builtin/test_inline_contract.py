"""The inline executor keeps the contract."""

import asyncio
from pathlib import Path

from wingbeat import current, task
from wingbeat.builtin.inline import InlineExecutor
from wingbeat.contracts.executor import AttemptRequest
from wingbeat.runtime.storageio import StorageIO
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance import tasks
from wingbeat.testing.conformance.executor import ExecutorContract


@task
async def wait(place: str) -> int:
    with tasks.alive(place):
        while not tasks.gate(place):
            await asyncio.sleep(0.005)
        return 7


@task
async def advance(place: str) -> int:
    current().progress(0.5, "half")
    await wait.fn(place)
    current().progress(1.0, "whole")
    return 7


PLAIN = [task(made) for made in (tasks.succeed, tasks.fail, tasks.wrong, tasks.count, tasks.secret, tasks.tell)]
TASKS = {made.name.rpartition(".")[2]: made for made in [*PLAIN, wait, advance]}


def make_inline(home):
    io = StorageIO(home.storage(), str(Path(home.path, "scratch")))
    return InlineExecutor(list(TASKS.values()), io, str(Path(home.path, "attempts")))


class TestInlineExecutor(ExecutorContract):
    def make(self, home):
        return make_inline(home)

    def request(self, home, place, name, kind):
        made = TASKS.get(kind)
        spec = made.spec(None) if made else super().request(home, place, name, kind).task
        return AttemptRequest(id=name, task=spec, inputs={"place": Inline(str(place))})
