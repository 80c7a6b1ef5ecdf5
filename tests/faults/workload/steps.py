"""What the fault tests run: a chain, a fan-out, cached tasks, a map, a dynamic workflow, gates, child executions.

Each task leaves a mark: the attempt that did it, and what it did. Marks are the effects that must be neither lost nor doubled.
"""

import asyncio
import os
import time
from functools import partial

from msgspec.structs import replace

from wingbeat import Cache, LaunchPlan, Retry, approve, map_task, sleep, task, workflow
from wingbeat.contracts.gang import member_of
from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.gang import GangSpec, RoleSpec


def mark(folder: str, what: str) -> None:
    attempt = "/".join(os.environ[f"WINGBEAT_{k}"] for k in ("EXECUTION", "NODE", "ATTEMPT"))
    fd = os.open(os.path.join(folder, "marks"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{attempt} {what}\n".encode())
    os.close(fd)


@task
def first(folder: str, tag: str) -> int:
    mark(folder, f"{tag}/first")
    return 1


@task(cache=Cache(serialize=True))
def left(folder: str, tag: str, n: int) -> int:
    mark(folder, f"{tag}/left")
    return n + 1


@task
def right(folder: str, tag: str, n: int) -> int:
    time.sleep(0.05)
    mark(folder, f"{tag}/right")
    return n + 2


@task
def last(folder: str, tag: str, a: int, b: int) -> int:
    mark(folder, f"{tag}/last")
    return a + b


@workflow
def diamond(folder: str, tag: str) -> int:
    n = first(folder, tag)
    return last(folder, tag, left(folder, tag, n), right(folder, tag, n))


@task
def words(folder: str, tag: str) -> list[str]:
    """Long enough together to be stored, so that the map has to read them."""
    mark(folder, f"{tag}/words")
    return [letter * 30_000 for letter in "abc"]


@task
def measure(folder: str, tag: str, word: str) -> int:
    mark(folder, f"{tag}/measure-{word[0]}")
    return len(word)


@task
def total(folder: str, tag: str, sizes: list[int]) -> int:
    mark(folder, f"{tag}/total")
    return sum(sizes)


@workflow
def mapped(folder: str, tag: str) -> int:
    measured = map_task(partial(measure, folder=folder, tag=tag), concurrency=2)(word=words(folder, tag))
    return total(folder, tag, measured)


@workflow
def gated(folder: str, tag: str) -> int:
    n = approve("go", first(folder, tag))
    return right(folder, tag, sleep(0.1, n))


@workflow
async def search(folder: str, tag: str) -> int:
    found = sum(await asyncio.gather(right(folder, tag, 1), left(folder, tag, 2)))
    while found < 9:
        found = await last(folder, tag, found, 1)
    return found


@task
def again(folder: str, tag: str, n: int) -> int:
    mark(folder, f"{tag}/again")
    return n + 2


daily = LaunchPlan(diamond, name="daily")


@workflow
def outer(folder: str, tag: str) -> int:
    return again(folder, tag, daily(folder, tag))


@task(retries=Retry(2, delay=0.05))
def flaky(folder: str, tag: str) -> int:
    if os.environ["WINGBEAT_ATTEMPT"] == "0":
        raise ValueError("the first attempt fails")
    mark(folder, f"{tag}/flaky")
    return 7


@task(isolation="spawn")
def apart(folder: str, tag: str) -> int:
    mark(folder, f"{tag}/apart")
    return 8


@workflow
def odd(folder: str, tag: str) -> int:
    return last(folder, tag, flaky(folder, tag), apart(folder, tag))


class Pair:
    """Of two processes, the second of which serves."""

    provides = ()

    def configure(self, task: TaskSpec) -> TaskSpec:
        return replace(task, gang=GangSpec((RoleSpec("worker"), RoleSpec("ps", serves=True))))


@task(task_config=Pair())
def together(folder: str, tag: str) -> int:
    if member_of(os.environ).role == "ps":
        time.sleep(600)
    mark(folder, f"{tag}/together")
    return 6


@workflow
def paired(folder: str, tag: str) -> int:
    return together(folder, tag)


@task(cache=Cache(serialize=True))
def endless(folder: str, tag: str) -> int:
    mark(folder, f"{tag}/endless")
    time.sleep(600)
    return 0


@workflow
def forever(folder: str, tag: str) -> int:
    return endless(folder, tag)


nightly = LaunchPlan(forever, name="nightly")


@workflow
def above(folder: str, tag: str) -> int:
    return nightly(folder, tag)


@task
def letters(tag: str) -> list[str]:
    """Stored, and then nothing refers to it."""
    return [tag + letter * 30_000 for letter in "xyz"]


@workflow
def passing(folder: str, tag: str) -> list[str]:
    return letters(tag)


@task
def until(folder: str, tag: str) -> int:
    while not os.path.exists(os.path.join(folder, "full")):
        time.sleep(0.01)
    mark(folder, f"{tag}/until")
    return 8


@workflow
def ending(folder: str, tag: str) -> int:
    return until(folder, tag)


@workflow
async def untimely(folder: str, tag: str) -> int:
    return await until(folder, tag) + await right(folder, tag, 1)
