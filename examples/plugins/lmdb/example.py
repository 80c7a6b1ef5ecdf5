"""An execution in a journal of LMDB, which a second kernel finds there."""

import asyncio

from wingbeat import Kernel, task

SETTINGS = {"kernel": {"journal": "lmdb"}}


@task
def double(n: int) -> int:
    return 2 * n


async def main() -> None:
    async with Kernel("home", settings=SETTINGS) as kernel:
        execution = await kernel.launch(double, {"n": 4})
        assert await execution.result() == 8
    async with Kernel("home", settings=SETTINGS) as kernel:
        found = await (await kernel.get(execution.id)).describe()
        print(found.id, found.phase)
        assert found.phase == "SUCCEEDED"


if __name__ == "__main__":
    asyncio.run(main())
