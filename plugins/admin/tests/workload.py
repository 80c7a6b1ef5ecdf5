"""Two teams, a schedule, artifacts, quotas and who is told: a program that is killed and begun again until it has done everything.

Arguments: the home, and how many ticks.
"""

import asyncio
import sys
from pathlib import Path

from wingbeat import Kernel, Notify
from wingbeat.author.schedule import FixedRate
from wingbeat.author.trigger import OnArtifact, OnSuccess
from wingbeat.contracts.admin import (
    EntityQuery,
    ExecutionQuery,
    Kind,
    Launch,
    NotificationQuery,
    NotificationState,
    Registration,
)
from wingbeat.contracts.artifacts import ArtifactQuery
from wingbeat.contracts.notifier import Message
from wingbeat.contracts.places import Setting
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan, workflow
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.local import notices
from wingbeat_admin.local.admin import LocalAdmin

SOURCES, ARTIFACTS = 8, 4
SOURCE = "maps/production/flows.twice"
TOLD = "told"
"""File in the home with the id, execution and phase of each message, as often as it was taken."""

notices.AGAIN_S = 0.3


class Lines:
    """A notifier that writes a line for each message."""

    channels = ("ops",)

    def __init__(self, home: str) -> None:
        self.file = Path(home, TOLD)

    async def notify(self, message: Message) -> None:
        with self.file.open("a") as file:
            file.write(f"{message.id} {message.execution} {message.phase}\n")

    async def close(self) -> None: ...


async def main(home: str, ticks: int) -> None:
    async with Kernel(home, discover=False) as kernel:
        storage, notifiers = TemporaryHome(Path(home)).storage(), {"lines": Lines(home)}
        admin = LocalAdmin(Path(home, "admin.sqlite"), kernel.engine, storage, notifiers=notifiers)
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
        launchplan(flows.twice, "taken", trigger=OnArtifact("maps/production/numbers", input="n")),
        launchplan(
            flows.twice,
            "fired",
            trigger=OnSuccess(SOURCE, inputs={"n": "o0"}),
            notifications=[Notify("ops", on=["SUCCEEDED"])],
        ),
        launchplan(flows.twice, "often", inputs={"n": 1}, trigger=often),
    )
    await admin.register(Registration("eta", "production", plans, "v1"))
    for name, value in (("executions", 3), ("launches_per_minute", 600)):
        await admin.places.create_setting(Setting(name, value, "eta"))
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
        delivered = (await admin.notifications(NotificationQuery(state=NotificationState.DELIVERED))).items
        ended = all(each.phase.terminal for each in (*fired, *taken, *often_))
        enough = len(fired) >= SOURCES and len(taken) >= ARTIFACTS and len(often_) >= ticks
        if enough and ended and len(delivered) >= SOURCES:
            assert len((await admin.artifacts(ArtifactQuery())).items) == ARTIFACTS
            return
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
