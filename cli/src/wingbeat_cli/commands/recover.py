"""`wingbeat recover ID`: run again, keeping what succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.again import Version, Wish, again_arguments, new_version, stay_or_leave
from wingbeat_cli.group import HELP

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel


@click.command("recover", context_settings=HELP)
@again_arguments
@click.option("--plan", is_flag=True, help="Only show what would be kept, and why the rest would not be.")
@click.pass_context
def command(
    ctx: click.Context,
    id_: str,
    version: str | None,
    entity: str | None,
    name: str,
    plan: bool,
    wait: bool,
    output: str,
) -> int:
    """Run an execution again under a new id, keeping the results of its nodes that succeeded.

    With REFERENCE, PROJECT/DOMAIN/NAME[@VERSION], run another version that is registered; with FILE and ENTITY, the workflow as it
    is there now, which is registered nowhere. What changed runs, what did not is kept. Ctrl-C aborts the new execution, as that of
    `run`; with --no-wait nobody stays.
    """
    chosen = new_version(ctx, version, entity)
    from wingbeat_cli.door import reading, within

    if plan:
        # What is registered is known to the admin, which works with a kernel that does.
        look = within if isinstance(chosen.entity, str) else reading
        look(lambda kernel: _plan(kernel, id_, chosen, output))
        return 0
    return within(lambda kernel: _recover(kernel, id_, chosen, Wish(name, wait, output)))


async def _recover(kernel: Kernel, id_: str, version: Version, wish: Wish) -> int:
    execution = await kernel.recover(id_, version.entity, wish.name or None, resume=not wish.name)
    if execution.created:
        words = f"recovering {id_} as {execution.id}"
    elif wish.name:
        words = f"execution {execution.id} is there already"
    else:
        words = f"resuming {execution.id}, which is under way"
    return await stay_or_leave(kernel, execution, wish, words, version, again=True)


async def _plan(kernel: Kernel, id_: str, version: Version, output: str) -> None:
    import sys

    from wingbeat_cli.render import document, report
    from wingbeat_cli.render.table import coloured, echo

    plan = await kernel.recovery_plan(id_, version.entity)
    if output != "table":
        document.dump(document.recovery(plan), output)
    else:
        echo(report.recovery(plan, colour=coloured(sys.stdout)))
