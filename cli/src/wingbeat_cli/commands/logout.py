"""`wingbeat logout`: keep nothing that proves who one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel


@click.command("logout", context_settings=HELP)
@output_option()
def command(output: str) -> int:
    """Keep nothing any more that proves to the server of WINGBEAT_ENDPOINT, or --endpoint, who you are."""
    from wingbeat.contracts.access import access_of
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> bool:
        return await access_of(await kernel.admin()).logout()

    there = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"changed": there}, output)
    else:
        click.echo("you are logged out" if there else "you were not logged in there")
    return 0
