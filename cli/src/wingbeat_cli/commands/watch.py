"""`wingbeat watch`: look on while it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.arguments import complete_references, execution_argument
from wingbeat_cli.group import HELP, not_empty, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.engine import Summary
    from wingbeat.kernel import Kernel


@click.group("watch", context_settings=HELP)
def command() -> None:
    """Look on while it happens, until Ctrl-C. Nothing is run or stopped by that."""


@command.command("executions")
@click.option("--project", "-p", callback=not_empty, default="", help="Of this project only.")
@click.option("--domain", "-d", callback=not_empty, default="", help="Of this domain only.")
@click.option(
    "--entity",
    default="",
    metavar="PROJECT/DOMAIN/NAME[@VERSION]",
    shell_complete=complete_references,
    help="Of this workflow, task or launch plan only.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@output_option()
def executions(project: str, domain: str, entity: str, limit: int, output: str) -> int:
    """Show the newest executions, and every change: as a live table on a terminal, else a line or a document for each."""
    from wingbeat_cli.door import reading
    from wingbeat_cli.render.listing import list_screen
    from wingbeat_cli.watching import until_interrupted, watch_executions

    def wanted(each: Summary) -> bool:
        from wingbeat.contracts.admin import ENTITY_LABEL

        labels = each.labels
        of = labels.get(ENTITY_LABEL, "")
        return (
            project in ("", labels.get("project"))
            and domain in ("", labels.get("domain"))
            and entity in ("", of, of.partition("@")[0])
        )

    async def work(kernel: Kernel) -> int:
        return await until_interrupted(watch_executions(kernel.engine, wanted, list_screen(output, limit), limit))

    return reading(work)


@command.command("execution")
@execution_argument()
@output_option()
def execution(id_: str, output: str) -> int:
    """Show one execution until it has ended. The exit status is that of `wingbeat run`; Ctrl-C leaves it running."""
    from wingbeat_cli.door import reading
    from wingbeat_cli.watching import until_interrupted, watch_execution

    return reading(lambda kernel: until_interrupted(watch_execution(kernel, id_, output)))
