"""The control plane: launches over HTTP that are durable when they are answered, and lists of a long history."""

import asyncio
import sqlite3
import sys
from functools import partial
from pathlib import Path

from benchmarks.harness import PROGRAMS, Line, Timing, duration, folder, rate, repeat, repeat_async, report

from wingbeat import Kernel, approve, workflow
from wingbeat.contracts.admin import Definition, ExecutionQuery, Kind, Registration
from wingbeat.contracts.engine import Change, LaunchRequest, Summary
from wingbeat.spec.literal import Inline
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance.engine import closure_of
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.kits import local, served
from wingbeat_admin.local.schema import open_file
from wingbeat_admin.local.store import Store

LAUNCHES, CONNECTIONS, TIMES = 1_000, 16, 3
GOAL_LAUNCHES = 200
HISTORY, PAGE = 1_000_000, 20_000
GOAL_LIST_S = 0.05
ENTITY = "bench/production/waits"


@workflow
def waits(n: int) -> int:
    """One that runs nothing: what is measured is the launch."""
    return approve("go", n)


async def launches(home: Path) -> tuple[list[Timing], list[Timing]]:
    """The server in this process, the client in another; and the engine's own launches, as many at once."""
    place = TemporaryHome(home)
    async with Kernel(home, discover=False) as kernel:
        async with local(place, kernel.engine) as admin:
            definition = Definition(Kind.WORKFLOW, "waits", closure_of(waits))
            await admin.register(Registration("bench", "production", (definition,), "v1"))
        async with served(place, kernel.engine) as url:
            port = url.rpartition(":")[2]
            command = [sys.executable, str(PROGRAMS / "post.py"), port, str(LAUNCHES), str(CONNECTIONS), f"{ENTITY}@v1"]

            async def post(_: int) -> None:
                client = await asyncio.create_subprocess_exec(*command)
                assert await client.wait() == 0

            posted = await repeat_async(post, TIMES)
        slots = asyncio.Semaphore(CONNECTIONS)

        async def launch(number: int) -> None:
            async with slots:
                await kernel.engine.launch(LaunchRequest(definition.closure, {"n": Inline(number)}))

        async def bare(_: int) -> None:
            await asyncio.gather(*map(launch, range(LAUNCHES)))

        return posted, await repeat_async(bare, TIMES)


def fill(store: Store) -> None:
    """A million executions of 20 projects, one of ten failed."""
    phases = [*[ExecutionPhase.SUCCEEDED] * 9, ExecutionPhase.FAILED]
    for first in range(0, HISTORY, PAGE):
        changes = []
        for number in range(first, first + PAGE):
            project = f"p{number % 20}"
            labels = {
                "project": project,
                "domain": "production",
                "wingbeat/entity": f"{project}/production/w{number % 7}@v1",
                "size": str(number * 7919 % 1000),
            }
            begin = 1e9 + number
            changes.append(
                Change(
                    number + 1,
                    Summary(f"e{number}", "m.w", phases[number // 20 % 10], begin, begin + number * 31 % 97, labels),
                )
            )
        store.project(changes, 0.0)


QUERIES = {
    "all": ExecutionQuery(),
    "of a project": ExecutionQuery("p3"),
    "of a phase": ExecutionQuery("p3", "production", phase=ExecutionPhase.FAILED),
    "of a workflow": ExecutionQuery(entity="p3/production/w4"),
    "from the middle": ExecutionQuery("p3", after=f"e{HISTORY // 2 + 3}"),
    "the longest": ExecutionQuery(sort="-duration"),
    "the longest of a project": ExecutionQuery("p3", sort="-duration"),
    "of a workflow, by phase": ExecutionQuery(entity="p3/production/w4", sort="phase"),
    "by a value, of a project": ExecutionQuery("p3", sort="labels.size"),
}


def _list(store: Store, query: ExecutionQuery, _: int) -> None:
    assert len(store.executions(query).items) == 100


def rows(db: sqlite3.Connection) -> None:
    """The floor of a list: a hundred rows by their keys."""
    db.execute("SELECT * FROM executions ORDER BY number DESC LIMIT 100").fetchall()


def measure() -> list[Line]:
    """Launches are waited for by their client; lists are read by the store itself."""
    with folder() as home:
        posted, bare = asyncio.run(launches(home))
    lines = [
        rate(
            f"{LAUNCHES:,} launches over HTTP, {CONNECTIONS} connections", LAUNCHES, posted, raw=bare,
            raw_what="the engine's own launches in its process", goal=GOAL_LAUNCHES, cpu=False,
        )
    ]  # fmt: skip
    with folder() as home:
        db = open_file(home / "admin.sqlite")
        store = Store(db)
        fill(store)
        limit = repeat(lambda _: rows(db), 20)
        for name, query in QUERIES.items():
            timings = repeat(partial(_list, store, query), 20)
            what = f"100 of {HISTORY:,} executions: {name}"
            lines.append(
                duration(what, timings, raw=limit, raw_what="a hundred rows by their keys", goal_s=GOAL_LIST_S)
            )
        store.close()
    return lines


if __name__ == "__main__":
    report(measure())
