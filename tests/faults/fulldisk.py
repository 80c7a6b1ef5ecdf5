"""A home on a small file system that is filled: python fulldisk.py FOLDER, in a mount namespace of its own."""

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path

SIZE = "24m"


def mount(folder: Path) -> Path:
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk], check=True)
    return disk


def fill(disk: Path) -> None:
    """Leave no room at all."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        for size in (2**20, 4096, 1):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError:
                continue


async def main(folder: Path) -> None:
    import steps

    from wingbeat import Kernel
    from wingbeat.contracts.journal import StorageFull

    disk = mount(folder)
    marks = str(folder)
    async with Kernel(disk / "home") as kernel:
        async with asyncio.timeout(60):
            before = await kernel.launch(steps.diamond, {"folder": marks, "tag": "before"}, name="before")
            assert await before.result() == 5
            slow = await kernel.launch(steps.gated, {"folder": marks, "tag": "slow"}, name="slow")
            ends = [
                await kernel.launch(flow, {"folder": marks, "tag": flow.__name__}, name=flow.__name__)
                for flow in (steps.ending, steps.untimely)
            ]
            fill(disk)
            (folder / "full").touch()  # what these have come to cannot be written now
            taken = []
            refused = 0
            for number in range(200):  # the journal's file has room of its own for some
                try:
                    inputs = {"folder": marks, "tag": f"full{number}"}
                    taken.append(await kernel.launch(steps.diamond, inputs, name=f"full{number}"))
                except StorageFull as error:
                    refused += "Make room" in str(error)
                if refused == 3:
                    break
            assert refused == 3, "new work was never refused"
            assert await before.result() == 5
            assert (await slow.describe()).phase == "RUNNING"
            assert "before" in [summary.id for summary in await kernel.engine.executions()]
            await asyncio.sleep(3)
            (disk / "filler").unlink()
            assert [await execution.result() for execution in ends] == [8, 11]
            for execution in taken:
                assert await execution.result() == 5
            await kernel.signal("slow", "go", True)
            assert await slow.result() == 3
            after = await kernel.launch(steps.mapped, {"folder": marks, "tag": "after"}, name="after")
            assert await after.result() == 90_000
    objects = disk / "home" / "storage" / "objects"
    for entry in os.listdir(objects):
        assert hashlib.sha256((objects / entry).read_bytes()).hexdigest() == entry, f"half an object: {entry}"
    done = [line.split()[1] for line in (folder / "marks").read_text().splitlines()]
    assert len(done) == len(set(done)), "doubled"
    print("done")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    workload = Path(__file__).with_name("workload")
    for name in ("steps.py", "wingbeat.toml"):
        (target / name).write_text((workload / name).read_text())
    (target / "pyproject.toml").write_text("")
    os.chdir(target)
    sys.path.insert(0, str(target))
    asyncio.run(main(target))
