"""Keep the values of a workflow in a folder that fsspec opens, and have another plugin archive there what happened."""

import asyncio
from pathlib import Path

import archive

from acme_fsspec.storage import FsspecStorage
from wingbeat import Kernel, task, workflow


@task
def squares(n: int) -> list[int]:
    return [i * i for i in range(n)]


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@workflow
def flow(n: int = 100_000) -> int:
    return total(squares(n))


async def main() -> None:
    url = Path("bucket").absolute().as_uri()
    settings = {"kernel": {"storage": "fsspec"}, "fsspec": {"url": url}}
    async with Kernel("home", plugins=[archive], settings=settings) as kernel:
        execution = await kernel.launch(flow)
        print(await execution.result())
        squared = (await execution.describe()).nodes[0].outputs["o0"]
    print(squared.uri)
    assert squared.uri.startswith("fsspec:")
    assert not Path("home/storage").exists(), "nothing is in the storage of the box"
    (blob,) = archive.archived
    lines = FsspecStorage(url, "cache").read_bytes(blob).decode().splitlines()
    print(blob.uri, lines[-1], sep="\n")
    assert "SUCCEEDED" in lines[-1]


if __name__ == "__main__":
    asyncio.run(main())
