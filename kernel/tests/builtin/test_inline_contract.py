"""The inline executor keeps the contract."""

import asyncio
from pathlib import Path

from wingbeat import current, task
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


@task
async def advance(place: str) -> int:
    current().progress(0.5, "half")
    await wait.fn(place)
    current().progress(1.0, "whole")
    return 7


@task
def count(place: str) -> int:
    mark(place)
    number = int(current().checkpoint.load("count") or 0) + 1
    current().checkpoint.save("count", str(number).encode())
    return number


TASKS = {"succeed": succeed, "fail": fail, "wait": wait, "advance": advance, "count": count}


class TestInlineExecutor(ExecutorContract):
    def make(self, place):
        return InlineExecutor(
            list(TASKS.values()),
            StorageIO(FileStore(str(place / "storage")), str(place / "scratch")),
            str(place / "attempts"),
        )

    def request(self, place, name, kind):
        return AttemptRequest(id=name, task=TASKS[kind].spec(None), inputs={"place": Inline(str(place))})
