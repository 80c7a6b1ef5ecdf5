"""A thousand clients that follow, and the launches of others meanwhile: a quarter of the clients never reads."""

import asyncio
import sys
from pathlib import Path

from benchmarks.bench_admin import CONNECTIONS, ENTITY, waits
from benchmarks.harness import PROGRAMS, Line, Timing, folder, rate, repeat_async, report

from wingbeat import Kernel
from wingbeat.contracts.admin import Definition, Kind, Registration
from wingbeat.contracts.engine import LaunchRequest
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance.engine import closure_of
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.kits import local, served

LAUNCHES, TIMES = 1_000, 3
READERS, STALLED = 375, 125
"""Of one execution, and as many of all changes."""
GOAL_RATIO = 0.5


async def follow(port: str, path: str, until: str) -> asyncio.subprocess.Process:
    """A crowd in a process of its own, when all of it is answered."""
    line = [sys.executable, str(PROGRAMS / "follow.py"), port, path, str(READERS), until, str(STALLED)]
    crowd = await asyncio.create_subprocess_exec(*line, stdout=asyncio.subprocess.PIPE)
    assert crowd.stdout is not None
    assert (await crowd.stdout.readline()).strip() == b"ready"
    return crowd


async def launches(home: Path) -> tuple[list[Timing], list[Timing]]:
    """Launches over HTTP, by a client in a process of its own: with a thousand who follow, and without."""
    place = TemporaryHome(home)
    definition = Definition(Kind.WORKFLOW, "waits", closure_of(waits))
    async with Kernel(home, discover=False) as kernel:
        async with local(place, kernel.engine) as admin:
            await admin.register(Registration("bench", "production", (definition,), "v1"))
        async with served(place, kernel.engine) as url:
            port = url.rpartition(":")[2]
            command = [sys.executable, str(PROGRAMS / "post.py"), port, str(LAUNCHES), str(CONNECTIONS), f"{ENTITY}@v1"]

            async def post(_: int) -> None:
                client = await asyncio.create_subprocess_exec(*command)
                assert await client.wait() == 0

            alone = await repeat_async(post, TIMES)
            quiet = await kernel.engine.launch(LaunchRequest(definition.closure, {"n": Inline(0)}, "followed"))
            crowds = [
                await follow(port, f"/api/v1/executions/{quiet.id}/events", "event: end"),
                await follow(port, "/api/v1/engine/changes", '"followed","workflow":"waits","phase":"ABORTED"'),
            ]
            crowded = await repeat_async(post, TIMES)
            for crowd in crowds:
                crowd.kill()
                await crowd.wait()
            return crowded, alone


def measure() -> list[Line]:
    """Launches are waited for by their client. All share the cores: what the crowd's own processes take is in it."""
    with folder() as home:
        crowded, alone = asyncio.run(launches(home))
    line = rate(
        f"{LAUNCHES:,} launches over HTTP, {2 * (READERS + STALLED):,} clients following", LAUNCHES, crowded, raw=alone,
        raw_what="the same with nobody following", goal=GOAL_RATIO * LAUNCHES / min(t.wall_s for t in alone), cpu=False,
    )  # fmt: skip
    line.goal = f">= {GOAL_RATIO:g} x raw"
    return [line]


if __name__ == "__main__":
    report(measure())
