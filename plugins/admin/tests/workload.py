"""Two teams, a schedule and artifacts: a program that is killed and begun again until it has done everything.

Arguments: the home, and how many ticks.
"""

import asyncio
import sys
from pathlib import Path

from wingbeat import Kernel
from wingbeat.author.schedule import FixedRate
from wingbeat.author.trigger import OnArtifact, OnSuccess
from wingbeat.contracts.admin import EntityQuery, ExecutionQuery, Kind, Launch, Registration
from wingbeat.contracts.artifacts import ArtifactQuery
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan, workflow
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.local.admin import LocalAdmin

SOURCES, ARTIFACTS = 8, 4
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
    sources = (workflow(flows.twice, "flows.twice"), workflow(flows.numbered, "flows.numbered"))
    await admin.register(Registration("maps", "production", sources, "v1"))
    often = FixedRate("1s", catch_up="all", overlap="allow_all")
    plans = (
        launchplan(flows.twice, "fired", trigger=OnSuccess(SOURCE, inputs={"n": "o0"})),
        launchplan(flows.twice, "taken", trigger=OnArtifact("maps/production/numbers", input="n")),
        launchplan(flows.twice, "often", inputs={"n": 1}, trigger=often),
    )
    await admin.register(Registration("eta", "production", plans, "v1"))
    for plan in (await admin.entities(EntityQuery(Kind.LAUNCHPLAN))).items:
        if not plan.active:
            await admin.activate(plan.id)
    for number in range(SOURCES):
        await admin.launch(Launch(f"{SOURCE}@v1", {"n": number}, f"m{number}"))
    for number in range(ARTIFACTS):
        await admin.launch(Launch("maps/production/flows.numbered", {"n": number, "city": "sf"}, f"a{number}"))
    while True:
        fired = (await admin.executions(ExecutionQuery("eta", entity="eta/production/fired"))).items
        taken = (await admin.executions(ExecutionQuery("eta", entity="eta/production/taken"))).items
        often_ = (await admin.executions(ExecutionQuery("eta", entity="eta/production/often"))).items
        enough = len(fired) >= SOURCES and len(taken) >= ARTIFACTS and len(often_) >= ticks
        if enough and all(each.phase.terminal for each in (*fired, *taken, *often_)):
            assert len((await admin.artifacts(ArtifactQuery())).items) == ARTIFACTS
            return
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
