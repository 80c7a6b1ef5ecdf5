"""Run a workflow, and see what a receiver of OpenLineage is told of it."""

import asyncio

from receiver import Receiver

from wingbeat import Kernel, task, workflow


@task
def double(n: int) -> int:
    return 2 * n


@task
def add(a: int, b: int) -> int:
    return a + b


@workflow
def pipeline(n: int) -> int:
    return add(double(n), n)


async def main() -> None:
    receiver = Receiver()
    async with Kernel("home", settings={"openlineage": {"url": receiver.url}}) as kernel:
        assert await (await kernel.launch(pipeline, {"n": 4})).result() == 12
    receiver.close()
    runs = [(event["job"]["name"], event["eventType"]) for event in receiver.events if event["eventType"] != "OTHER"]
    for name, state in runs:
        print(f"{state:9} {name}")
    assert [state for _, state in runs].count("COMPLETE") == 3


if __name__ == "__main__":
    asyncio.run(main())
