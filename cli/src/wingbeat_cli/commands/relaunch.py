"""`wingbeat relaunch ID`: run anew, with the same inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.arguments import execution_argument
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel


@click.command("relaunch", context_settings=HELP)
@execution_argument()
@click.option(
    "--name", default="", metavar="NEW", help="Id of the new execution; the same name again starts nothing new."
)
@output_option()
def command(id_: str, name: str, output: str) -> int:
    """Run an execution again under a new id, with its inputs: everything of it, but what the cache has.

    `wingbeat recover` keeps what succeeded.
    """
    from wingbeat_cli.door import within

    return within(lambda kernel: _relaunch(kernel, id_, name, output))


async def _relaunch(kernel: Kernel, id_: str, name: str, output: str) -> int:
    from wingbeat_cli.follow import follow

    execution = await kernel.relaunch(id_, name=name or None)
    words = (
        f"relaunching {id_} as {execution.id}" if execution.created else f"execution {execution.id} is there already"
    )
    return await follow(kernel, execution, output, note=words)
