"""`wingbeat resend notification`: one that was given up, or that has been lost behind its receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel


@click.group("resend", context_settings=HELP)
def command() -> None:
    """Send a notification again."""


@command.command("notification")
@click.argument("id_", metavar="ID")
@output_option()
def notification(id_: str, output: str) -> int:
    """Send a notification again, under its id: one that was given up, or that has been lost behind its receiver.

    It is sent by the process that has the admin: wingbeat serve, or the next command that has it for a while.
    """
    from wingbeat_cli.commands.get import telling
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> None:
        found = await telling(await kernel.admin()).resend(id_)
        if output != "table":
            from wingbeat_cli.render import document

            document.dump(document.notification(found), output)
        else:
            click.echo(f"{found.id} is sent again")

    within(work)
    return 0
