"""`wingbeat recover ID`: run again, keeping what succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.again import again_arguments, new_version
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel
    from wingbeat.spec.entities import Closure


@click.command("recover", context_settings=HELP)
@again_arguments
@click.option("--plan", is_flag=True, help="Only show what would be kept, and why the rest would not be.")
@output_option()
@click.pass_context
def command(
    ctx: click.Context, id_: str, file: str | None, entity: str | None, name: str, plan: bool, output: str
) -> int:
    """Run an execution again under a new id, keeping the results of its nodes that succeeded.

    With FILE and ENTITY, run the workflow as it is now: what changed runs, what did not is kept.
    """
    closure, source = new_version(ctx, file, entity)
    if plan:
        from wingbeat_cli.door import reading

        reading(lambda kernel: _plan(kernel, id_, closure, output))
        return 0
    from wingbeat_cli.door import within

    return within(lambda kernel: _recover(kernel, id_, closure, name, output, source))


async def _recover(
    kernel: Kernel, id_: str, closure: Closure | None, name: str, output: str, source: tuple[str, str] | None
) -> int:
    from wingbeat_cli.follow import follow

    execution = await kernel.recover(id_, closure, name or None, resume=not name)
    if execution.created:
        words = f"recovering {id_} as {execution.id}"
    elif name:
        words = f"execution {execution.id} is there already"
    else:
        words = f"resuming {execution.id}, which is under way"
    return await follow(kernel, execution, output, note=words, source=source)


async def _plan(kernel: Kernel, id_: str, closure: Closure | None, output: str) -> None:
    import sys

    from wingbeat_cli.render import document, report
    from wingbeat_cli.render.table import coloured, echo

    plan = await kernel.recovery_plan(id_, closure)
    if output != "table":
        document.dump(document.recovery(plan), output)
    else:
        echo(report.recovery(plan, colour=coloured(sys.stdout)))
