"""`wingbeat abort ID`: stop an execution in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.arguments import execution_argument
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel


@click.command("abort", context_settings=HELP)
@execution_argument()
@click.option(
    "--reason", default="aborted from the command line", help="Why; kept with the execution.", show_default=True
)
@output_option()
def command(id_: str, reason: str, output: str) -> int:
    """Stop an execution. Returns when it has ended; one that has ended already stays as it is."""
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> None:
        execution = await kernel.get(id_)
        await execution.abort(reason)
        view = await execution.describe()
        if output != "table":
            from wingbeat_cli.render import document

            document.dump(document.execution(view, None), output)
        else:
            click.echo(f"{view.id} {view.phase.value}" + (f": {view.reason}" if view.reason else ""))

    within(work)
    return 0
