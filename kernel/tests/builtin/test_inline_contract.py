"""The inline executor keeps the contract."""

import asyncio
from pathlib import Path

from wingbeat import task
from wingbeat.builtin.filestore import FileStore
from wingbeat.builtin.inline import InlineExecutor
from wingbeat.contracts.executor import AttemptRequest
from wingbeat.runtime.storageio import StorageIO
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance.executor import ExecutorContract


def mark(place: str) -> None:
    with (Path(place) / "marks").open("a") as file:
        file.write("x\n")


@task
def succeed(place: str) -> int:
    mark(place)
    return 7


@task
def fail(place: str) -> int:
    mark(place)
    raise ValueError("as asked")


@task
async def wait(place: str) -> int:
    mark(place)
    while not (Path(place) / "gate").exists():
        await asyncio.sleep(0.005)
    return 7


TASKS = {"succeed": succeed, "fail": fail, "wait": wait}


class TestInlineExecutor(ExecutorContract):
    def make(self, place):
        return InlineExecutor(
            list(TASKS.values()), StorageIO(FileStore(str(place / "storage")), str(place / "scratch"))
        )

    def request(self, place, name, kind):
        return AttemptRequest(id=name, task=TASKS[kind].spec(None), inputs={"place": Inline(str(place))})
