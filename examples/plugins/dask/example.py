"""A workflow whose tasks run on the workers of a Dask cluster."""

import asyncio
import os

from wingbeat import Kernel, map_task, task, workflow


@task
def square(n: int) -> str:
    return f"{n * n} by {os.getppid()}"


@workflow
def squares(numbers: list[int]) -> list[str]:
    return map_task(square)(n=numbers)


async def main() -> None:
    settings = {"kernel": {"executor": "dask"}, "dask": {"workers": 2}}
    async with Kernel("home", settings=settings) as kernel:
        found = await (await kernel.launch(squares, {"numbers": [1, 2, 3, 4]})).result()
    print(*found, sep="\n")
    assert [line.split()[0] for line in found] == ["1", "4", "9", "16"]


if __name__ == "__main__":
    asyncio.run(main())
