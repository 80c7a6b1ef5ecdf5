"""`wingbeat relaunch ID`: run anew, with the same inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.again import again_arguments, new_version
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel
    from wingbeat.spec.entities import Closure


@click.command("relaunch", context_settings=HELP)
@again_arguments
@output_option()
@click.pass_context
def command(ctx: click.Context, id_: str, file: str | None, entity: str | None, name: str, output: str) -> int:
    """Run an execution again under a new id, with its inputs: everything of it, but what the cache has.

    With FILE and ENTITY, run the workflow as it is now. `wingbeat recover` keeps what succeeded.
    """
    closure, source = new_version(ctx, file, entity)
    from wingbeat_cli.door import within

    return within(lambda kernel: _relaunch(kernel, id_, closure, name, output, source))


async def _relaunch(
    kernel: Kernel, id_: str, closure: Closure | None, name: str, output: str, source: tuple[str, str] | None
) -> int:
    from wingbeat_cli.follow import follow

    execution = await kernel.relaunch(id_, closure, name or None)
    words = (
        f"relaunching {id_} as {execution.id}" if execution.created else f"execution {execution.id} is there already"
    )
    return await follow(kernel, execution, output, note=words, source=source)
