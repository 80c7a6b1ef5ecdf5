"""`wingbeat relaunch ID`: run anew, with the same inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.again import Version, Wish, again_arguments, new_version, stay_or_leave
from wingbeat_cli.group import HELP

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel


@click.command("relaunch", context_settings=HELP)
@again_arguments
@click.pass_context
def command(
    ctx: click.Context, id_: str, version: str | None, entity: str | None, name: str, wait: bool, output: str
) -> int:
    """Run an execution again under a new id, with its inputs: everything of it, but what the cache has.

    With REFERENCE, PROJECT/DOMAIN/NAME[@VERSION], run another version that is registered. With FILE and ENTITY, run the workflow as
    it is there now, which is registered nowhere. `wingbeat recover` keeps what succeeded. Ctrl-C aborts the new execution, as
    that of `run`; with --no-wait nobody stays.
    """
    chosen = new_version(ctx, version, entity)
    from wingbeat_cli.door import within

    return within(lambda kernel: _relaunch(kernel, id_, chosen, Wish(name, wait, output)))


async def _relaunch(kernel: Kernel, id_: str, version: Version, wish: Wish) -> int:
    execution = await kernel.relaunch(id_, version.entity, wish.name or None)
    words = (
        f"relaunching {id_} as {execution.id}" if execution.created else f"execution {execution.id} is there already"
    )
    return await stay_or_leave(kernel, execution, wish, words, version, again=bool(wish.name))
