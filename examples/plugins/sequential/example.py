"""An execution that waits for an answer; a second kernel gives it, and a map that this engine refuses."""

import asyncio

from wingbeat import Kernel, approve, map_task, task, workflow
from wingbeat.base.errors import ConfigurationError

SETTINGS = {"kernel": {"engine": "sequential"}}


@task
def double(n: int) -> int:
    return 2 * n


@workflow
def checked(n: int) -> int:
    return double(approve("go", double(n)))


@workflow
def many(ns: list[int]) -> list[int]:
    return map_task(double)(ns)


async def main() -> None:
    async with Kernel("home", settings=SETTINGS) as kernel:
        execution = await kernel.launch(checked, {"n": 1})
    async with Kernel("home", settings=SETTINGS) as kernel:
        await kernel.signal(execution.id, "go", True)
        found = await kernel.get(execution.id)
        print(found.id, await found.result())
        assert await found.result() == 4
        try:
            await kernel.launch(many, {"ns": [1, 2]})
        except ConfigurationError as error:
            print(error)
        else:
            raise AssertionError("a map was taken")


if __name__ == "__main__":
    asyncio.run(main())
