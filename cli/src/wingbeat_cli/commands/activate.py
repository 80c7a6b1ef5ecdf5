"""`wingbeat activate launchplan`: the version that its trigger starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.arguments import reference_argument
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel


@click.group("activate", context_settings=HELP)
def command() -> None:
    """Have a version of a launch plan be started by its trigger, in the place of another one."""


@command.command("launchplan")
@reference_argument("PROJECT/DOMAIN/NAME@VERSION", "launchplan")
@output_option()
def launchplan(reference: str, output: str) -> int:
    """Have a version of a launch plan be started by its trigger, in the place of another one."""
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> None:
        admin = await kernel.admin()
        entity = await admin.activate(reference)
        if output != "table":
            from wingbeat_cli.render import document

            document.dump(document.entity(entity), output)
        else:
            click.echo(f"{entity.id} is active")

    within(work)
    return 0
