"""Two teams and a schedule: a program that is killed and begun again until it has done everything.

Arguments: the home, and how many ticks.
"""

import asyncio
import sys
from pathlib import Path

from wingbeat import Kernel
from wingbeat.author.schedule import FixedRate
from wingbeat.author.trigger import OnSuccess
from wingbeat.contracts.admin import EntityQuery, ExecutionQuery, Kind, Launch, Registration
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan, workflow
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.local.admin import LocalAdmin

SOURCES = 8
SOURCE = "maps/production/flows.twice"


async def main(home: str, ticks: int) -> None:
    async with Kernel(home, discover=False) as kernel:
        admin = LocalAdmin(Path(home, "admin.sqlite"), kernel.engine, TemporaryHome(Path(home)).storage())
        await admin.start()
        try:
            await work(admin, ticks)
        finally:
            await admin.close()


async def work(admin: LocalAdmin, ticks: int) -> None:
    await admin.register(Registration("maps", "production", (workflow(flows.twice, "flows.twice"),), "v1"))
    often = FixedRate("1s", catch_up="all", overlap="allow_all")
    plans = (
        launchplan(flows.twice, "fired", trigger=OnSuccess(SOURCE, inputs={"n": "o0"})),
        launchplan(flows.twice, "often", inputs={"n": 1}, trigger=often),
    )
    await admin.register(Registration("eta", "production", plans, "v1"))
    for plan in (await admin.entities(EntityQuery(Kind.LAUNCHPLAN))).items:
        if not plan.active:
            await admin.activate(plan.id)
    for number in range(SOURCES):
        await admin.launch(Launch(f"{SOURCE}@v1", {"n": number}, f"m{number}"))
    while True:
        fired = (await admin.executions(ExecutionQuery("eta", entity="eta/production/fired"))).items
        often_ = (await admin.executions(ExecutionQuery("eta", entity="eta/production/often"))).items
        if len(fired) >= SOURCES and len(often_) >= ticks and all(each.phase.terminal for each in (*fired, *often_)):
            return
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
