"""A launch plan that another team's workflow starts; and the files that say so."""

import asyncio
from pathlib import Path

from wingbeat import Kernel, LaunchPlan, OnSuccess, task, workflow
from wingbeat.contracts.admin import ExecutionQuery, Launch, Registration
from wingbeat.kernel import definitions_of

SETTINGS = {"kernel": {"admin": "ledger"}}


@task
def double(n: int) -> int:
    return 2 * n


@workflow
def survey(n: int) -> int:
    return double(n)


again = LaunchPlan(
    survey,
    name="again",
    trigger=OnSuccess("maps/production/example.survey", inputs={"n": "o0"}),
)


async def main() -> None:
    definitions = await asyncio.to_thread(definitions_of, __file__, "home")
    async with Kernel("home", settings=SETTINGS) as kernel:
        admin = await kernel.admin()
        await admin.register(Registration("maps", "production", tuple(definitions), "v1"))
        await admin.activate("maps/production/again@v1")
        await admin.launch(Launch("maps/production/example.survey@v1", {"n": 1}, "first"))
        ended = set[str]()
        async for changes in kernel.engine.changes():
            ended |= {change.execution.id for change in changes if change.execution.phase.terminal}
            if len(ended) == 2:
                break
        second, first = (await admin.executions(ExecutionQuery("maps"))).items
        print(first.entity, "was launched by hand,", second.entity, "by", second.cause)
        assert await (await kernel.get(second.id)).result() == 4
    print(*(file.name for file in Path("home/ledger").iterdir()))


if __name__ == "__main__":
    asyncio.run(main())
