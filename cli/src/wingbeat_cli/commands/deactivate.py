"""`wingbeat deactivate launchplan`: its trigger starts it no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.arguments import reference_argument
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel


@click.group("deactivate", context_settings=HELP)
def command() -> None:
    """Have no version of a launch plan be started by its trigger any more."""


@command.command("launchplan")
@reference_argument("PROJECT/DOMAIN/NAME", "launchplan")
@output_option()
def launchplan(reference: str, output: str) -> int:
    """Have no version of a launch plan be started by its trigger any more."""
    from wingbeat_cli.door import within

    if "@" in reference:
        name = reference.partition("@")[0]
        raise click.UsageError(f"no version of a launch plan stays active: name it without one, as {name}")

    async def work(kernel: Kernel) -> None:
        admin = await kernel.admin()
        entity = await admin.deactivate(reference)
        if output != "table":
            from wingbeat_cli.render import document

            document.dump(document.entity(entity), output)
        else:
            click.echo(f"{entity.id} is not active any more")

    within(work)
    return 0
