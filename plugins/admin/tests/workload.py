"""Two teams, a schedule, artifacts, backfills, quotas and who is told: a program that is killed and begun again until all is done.

Arguments: the home, and how many ticks.
"""

import asyncio
import sys
from pathlib import Path

from wingbeat import Kernel, Notify
from wingbeat.author.schedule import Cron, FixedRate
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
from wingbeat.contracts.backfill import Backfill
from wingbeat.contracts.notifier import Message
from wingbeat.contracts.places import Setting
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan, workflow
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.local import notices
from wingbeat_admin.local.admin import LocalAdmin

SOURCES, ARTIFACTS, FILLED = 8, 4, 6
SOURCE = "maps/production/flows.twice"
CROWDED = "maps/production/crowded"
"""A launch plan of which each execution is stopped by the next."""
BACKFILLED = ("eta/production/filled", "eta/production/stopped")
"""Launch plans of which backfills are made; the second one is aborted when it runs."""
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
    crowded = launchplan(flows.gated, "crowded", inputs={"n": 1}, trigger=FixedRate("1s", overlap="cancel_other"))
    sources = (workflow(flows.twice, "flows.twice"), workflow(flows.numbered, "flows.numbered"), crowded)
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
        launchplan(flows.twice, "filled", inputs={"n": 1}, trigger=Cron("0 3 * * *")),
        launchplan(flows.gated, "stopped", inputs={"n": 1}, trigger=Cron("0 3 * * *")),
    )
    await admin.register(Registration("eta", "production", plans, "v1"))
    for name, value in (("executions", 3), ("launches_per_minute", 600)):
        await admin.places.create_setting(Setting(name, value, "eta"))
    for plan in (await admin.entities(EntityQuery(Kind.LAUNCHPLAN))).items:
        if not plan.active and plan.id.split("@")[0] not in BACKFILLED:
            await admin.activate(plan.id)
    for name in BACKFILLED:
        until = (FILLED - 1) * 86400.0 + 4 * 3600
        await admin.create_backfill(Backfill(name, 0.0, until, name=name.rpartition("/")[2], concurrency=2))
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
        backfills = [await admin.backfill(name) for name in ("filled", "stopped")]
        if (await admin.executions(ExecutionQuery("eta", entity=BACKFILLED[1]))).items:
            await admin.abort_backfill("stopped", "as asked")
        enough = len(fired) >= SOURCES and len(taken) >= ARTIFACTS and len(often_) >= ticks
        filled = all(each.ended_at is not None for each in backfills)
        filled &= len((await admin.executions(ExecutionQuery("maps", entity=CROWDED))).items) >= 2
        if enough and ended and filled and len(delivered) >= SOURCES:
            assert (backfills[0].succeeded, backfills[0].there) == (FILLED, 0)
            assert len((await admin.artifacts(ArtifactQuery())).items) == ARTIFACTS
            await admin.deactivate(CROWDED)
            await admin.forget([often_[-1].id])  # of the history alone: the test looks into the journal
            await admin.expire(0.0, 100)  # nothing is that old: a backfill that is gone would be begun again
            return
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
