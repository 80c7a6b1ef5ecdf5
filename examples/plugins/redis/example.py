"""Two kernels with homes of their own: what one has computed, the other does not."""

import asyncio

from server import Server

from wingbeat import Kernel, task


@task(cache=True)
def square(n: int) -> int:
    print("computing")
    return n * n


async def main() -> None:
    server = Server()
    settings = {"kernel": {"catalog": "redis"}, "redis": {"url": server.url}}
    phases = []
    for home in ("one", "two"):
        async with Kernel(home, settings=settings) as kernel:
            execution = await kernel.launch(square, {"n": 7})
            assert await execution.result() == 49
            phases.append([node.cache for node in (await execution.describe()).nodes])
    server.close()
    print(phases)
    assert phases == [["POPULATED"], ["HIT"]]


if __name__ == "__main__":
    asyncio.run(main())
