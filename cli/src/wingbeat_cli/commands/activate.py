"""`wingbeat activate launchplan` and `wingbeat deactivate launchplan`: the version that its trigger starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click

from wingbeat_cli.arguments import reference_argument
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.admin import Admin, Entity
    from wingbeat.kernel import Kernel


@click.group("activate", context_settings=HELP)
def command() -> None:
    """Have a version of a launch plan be started by its trigger, in the place of another one."""


@click.group("deactivate", context_settings=HELP)
def deactivate() -> None:
    """Have no version of a launch plan be started by its trigger any more."""


@command.command("launchplan")
@reference_argument("PROJECT/DOMAIN/NAME@VERSION", "launchplan")
@output_option()
def launchplan(reference: str, output: str) -> int:
    """Have a version of a launch plan be started by its trigger, in the place of another one."""

    def words(entity: Entity) -> str:
        return f"is active, and paused: {entity.paused}" if entity.paused else "is active"

    return _turn(reference, lambda admin: admin.activate(reference), words, output)


@deactivate.command("launchplan")
@reference_argument("PROJECT/DOMAIN/NAME", "launchplan")
@output_option()
def no_launchplan(reference: str, output: str) -> int:
    """Have no version of a launch plan be started by its trigger any more."""
    if "@" in reference:
        name = reference.partition("@")[0]
        raise click.UsageError(f"no version of a launch plan stays active: name it without one, as {name}")
    return _turn(reference, lambda admin: admin.deactivate(reference), lambda _: "is not active any more", output)


def _turn(
    reference: str, change: Callable[[Admin], Awaitable[Entity]], words: Callable[[Entity], str], output: str
) -> int:
    from wingbeat_cli.door import within
    from wingbeat_cli.near import hinted

    async def work(kernel: Kernel) -> Entity:
        admin = await kernel.admin()
        async with hinted(admin, reference):
            return await change(admin)

    entity = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump(document.entity(entity), output)
    else:
        click.echo(f"{entity.id} {words(entity)}")
    for warning in entity.warnings:
        click.echo(f"warning: {entity.id}: {warning}", err=True)
    return 0
