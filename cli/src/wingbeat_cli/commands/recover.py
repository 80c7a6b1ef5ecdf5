"""`wingbeat recover ID`: run again, keeping what succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel
    from wingbeat.spec.entities import Closure


@click.command("recover", context_settings=HELP)
@click.argument("id_", metavar="ID")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@click.argument("entity", required=False)
@output_option()
@click.pass_context
def command(ctx: click.Context, id_: str, file: str | None, entity: str | None, output: str) -> int:
    """Run an execution again under a new id, keeping the results of its nodes that succeeded.

    With FILE and ENTITY, run the workflow as it is now: what changed runs, what did not is kept.
    """
    if file is not None and entity is None:
        raise click.UsageError("name the workflow too: wingbeat recover ID FILE ENTITY", ctx)
    closure = None
    if file is not None and entity is not None:
        from wingbeat.kernel import compile_file

        closure = compile_file(file, entity)
    from wingbeat_cli.door import within

    return within(lambda kernel: _recover(kernel, id_, closure, output))


async def _recover(kernel: Kernel, id_: str, closure: Closure | None, output: str) -> int:
    from wingbeat_cli.follow import follow

    execution = await kernel.recover(id_, closure)
    return await follow(kernel, execution, output, note=f"recovering {id_} as {execution.id}")
