"""Launches all of the workload under fixed names, and waits for it: python program.py FOLDER [HOME]. Started again after it was
killed, it goes on; two of them share the work of a home.

Launches that were acknowledged are written to FOLDER/acknowledged, results to FOLDER/ended, with the time.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from unittest import mock

import steps

import wingbeat.engine.live
from wingbeat import ConflictError, Execution, Kernel, NotFound
from wingbeat.contracts.catalog import CacheEntry, CacheKey
from wingbeat.contracts.environment import MARK
from wingbeat.contracts.home import UPLOADS
from wingbeat.contracts.retention import RETENTION_LABEL
from wingbeat.kernel.compiling import compile_file
from wingbeat_catalog import SqliteCatalog

wingbeat.engine.live.SNAPSHOT_FACTS_MIN = 5

COPIES = int(os.environ.get("COPIES", "1"))
WORK = {"diamond": 5, "mapped": 90_000, "gated": 3, "search": 9, "outer": 7, "odd": 15, "paired": 6}


def acknowledge(folder: str, name: str, what: str = "acknowledged") -> None:
    fd = os.open(os.path.join(folder, what), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{name} {time.monotonic()}\n".encode())
    os.close(fd)


async def answer(kernel: Kernel, execution: Execution) -> None:
    """Answer the gate; it may be that this was done before."""
    try:
        await kernel.signal(execution.id, "go", True)
    except ConflictError:
        assert (await execution.describe()).phase.terminal


async def stop(victim: Execution) -> None:
    for _ in range(3000):
        view = await victim.describe()
        if view.phase.terminal or view.nodes[0].phase == "RUNNING":
            break
        await asyncio.sleep(0.01)
    await victim.abort("enough")
    assert (await victim.describe()).phase == "ABORTED", (await victim.describe()).phase


async def let_go(kernel: Kernel, folder: str) -> None:
    """Collect an execution whose time is over at once, and what it has stored; nothing else."""
    over = {RETENTION_LABEL: "1e-9"}
    execution = await kernel.launch(steps.passing, {"folder": folder, "tag": "p"}, "passing", labels=over)
    assert len(await execution.result()) == 3
    await kernel.collect()
    found = await kernel.collect(dry=True)
    assert not (found.entries or found.environments or found.uploads), found
    try:
        await kernel.get("passing")
    except NotFound:
        pass
    else:
        raise AssertionError("it should be gone")
    assert await (await kernel.get("mapped-0")).result() == WORK["mapped"]


async def left_over(home: str) -> None:
    """Have an entry of the catalog and an environment that nobody has asked for in a year, and an upload that broke off then."""
    os.makedirs(home, exist_ok=True)
    catalog = SqliteCatalog(f"{home}/catalog.sqlite", clock=lambda: time.time() - 366 * 86400)
    with mock.patch("wingbeat_catalog.sqlite.hit"):  # the failpoints are for what the kernel does
        await catalog.start()
        await catalog.publish(CacheEntry(CacheKey("sha256:old", "steps.old", "1", "i", {}), {}))
        await catalog.close()
    for path in (f"{os.environ['WINGBEAT_CACHE']}/environments/old/{MARK}", f"{home}/{UPLOADS}/old"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).touch()
        os.utime(path, (1e9, 1e9))


async def main(folder: str, home: str) -> None:
    compile_diamond = await asyncio.to_thread(compile_file, "steps.py", "diamond", home)
    if COPIES == 1:
        await left_over(home)
    async with Kernel(home) as kernel:
        print("open", flush=True)
        names = []

        async def launch(entity, name: str) -> Execution:
            execution = await kernel.launch(entity, {"folder": folder, "tag": name}, name=name)
            acknowledge(folder, name)
            names.append(name)
            return execution

        victims = [await launch(steps.endless, "victim"), await launch(steps.above, "victim-above")]
        expected = {f"{name}-{copy}": WORK[name] for copy in range(COPIES) for name in WORK}
        launched = await asyncio.gather(*(launch(getattr(steps, name.partition("-")[0]), name) for name in expected))
        for execution in launched:
            if execution.id.startswith("gated"):
                await answer(kernel, execution)

        async def result(execution: Execution):
            value = await execution.result()
            acknowledge(folder, execution.id, "ended")
            return value

        results = dict(zip(expected, await asyncio.gather(*(result(e) for e in launched)), strict=True))
        assert results == expected, results
        for victim in victims:
            await stop(victim)
        again = await kernel.launch(compile_diamond, {"folder": folder, "tag": "diamond-0"}, name="again")
        acknowledge(folder, "again")
        assert await again.result() == 5
        if COPIES == 1:  # with nothing to spare, one process must not put what another one is to launch
            await let_go(kernel, folder)
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else sys.argv[1] + "/home"))
