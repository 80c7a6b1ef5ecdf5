"""Have another plugin archive executions in a storage over fsspec, and read there what happened."""

import asyncio
from pathlib import Path

import archive

from acme_fsspec.storage import FsspecStorage
from wingbeat import Kernel, task


@task
def double(n: int) -> int:
    return 2 * n


async def main() -> None:
    url = Path("archive").absolute().as_uri()
    async with Kernel("home", plugins=[archive], settings={"fsspec": {"url": url}}) as kernel:
        assert await (await kernel.launch(double, {"n": 4})).result() == 8
    (blob,) = archive.archived
    lines = FsspecStorage(url, "cache").read_bytes(blob).decode().splitlines()
    print(blob.uri, *lines, sep="\n")
    assert "SUCCEEDED" in lines[-1]


if __name__ == "__main__":
    asyncio.run(main())
