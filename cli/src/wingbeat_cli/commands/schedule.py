"""`wingbeat schedule`: when launch plans are due, and whether they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.arguments import reference_argument
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.admin import Entity
    from wingbeat.kernel import Kernel

REFERENCE = "PROJECT/DOMAIN/NAME[@VERSION]"


@click.group("schedule", context_settings=HELP)
def command() -> None:
    """Show when a launch plan is due by its schedule; pause it, and go on."""


@command.command("preview")
@reference_argument(REFERENCE, "launchplan")
@click.option("--count", type=click.IntRange(1, 1000), default=10, show_default=True, help="So many ticks.")
@output_option()
def preview(reference: str, count: int, output: str) -> int:
    """Print when a launch plan is due next, also one that is not active, in the time zone of its schedule."""
    import time

    from wingbeat_cli.door import within
    from wingbeat_cli.moments import shown, zone_of
    from wingbeat_cli.near import hinted

    async def work(kernel: Kernel) -> tuple[Entity, list[float]]:
        admin = await kernel.admin()
        async with hinted(admin, reference):
            return await admin.entity(reference), await admin.ticks(reference, time.time(), count)

    entity, ticks = within(work)
    moments = [shown(tick, zone_of(entity)) for tick in ticks]
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"id": entity.id, "active": entity.active, "paused": entity.paused, "ticks": moments}, output)
    else:
        for each in moments:
            click.echo(each)
        if entity.paused:
            click.echo(f"it is paused: {entity.paused}", err=True)
        elif not entity.active:
            click.echo(f"it is not active: wingbeat activate launchplan {entity.id}", err=True)
    return 0


@command.command("pause")
@reference_argument(REFERENCE, "launchplan")
@click.option("--reason", default="", help="Why; shown with it. Without one, what is told already stays.")
@output_option()
def pause(reference: str, reason: str, output: str) -> int:
    """Let the ticks of an active launch plan pass without a launch, until it goes on."""
    from wingbeat_cli.door import within
    from wingbeat_cli.near import hinted

    async def work(kernel: Kernel) -> Entity:
        admin = await kernel.admin()
        async with hinted(admin, reference):
            return await admin.pause(reference, reason)

    _print(within(work), "is paused", output)
    return 0


@command.command("resume")
@reference_argument(REFERENCE, "launchplan")
@output_option()
def resume(reference: str, output: str) -> int:
    """Have the ticks of a launch plan launch again, those from now on."""
    from wingbeat_cli.door import within
    from wingbeat_cli.near import hinted

    async def work(kernel: Kernel) -> Entity:
        admin = await kernel.admin()
        async with hinted(admin, reference):
            return await admin.resume(reference)

    _print(within(work), "goes on", output)
    return 0


def _print(entity: Entity, words: str, output: str) -> None:
    if output != "table":
        from wingbeat_cli.render import document

        document.dump(document.entity(entity), output)
    else:
        from wingbeat_cli.moments import shown, zone_of

        next_ = "" if entity.next is None else f"; next at {shown(entity.next, zone_of(entity))}"
        click.echo(f"{entity.id} {words}{next_}")
