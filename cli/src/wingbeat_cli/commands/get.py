"""`wingbeat get`: lists, and single things as they are listed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.engine import Summary
    from wingbeat.kernel import Kernel


@click.group("get", context_settings=HELP)
def command() -> None:
    """List what is there."""


@command.command("executions")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many at most.")
@click.option(
    "--after", default="", metavar="ID", help="Continue behind this execution, the last one of the list before."
)
@output_option()
def executions(limit: int, after: str, output: str) -> int:
    """List executions, the newest first.

    Executions go on while a process has their home open: `wingbeat run`, or a program with a Kernel. Where none has, those
    that have not ended are marked "no kernel": nothing decides for them. The same `wingbeat run` again goes on with its
    own, and any process that opens the home goes on with all of them.
    """
    from wingbeat.kernel import home_path
    from wingbeat_cli.door import is_driven, reading

    found = reading(lambda kernel: kernel.engine.executions(after=after, limit=limit)) if home_path().is_dir() else []
    if output == "json":
        from wingbeat_cli.render import document

        following = found[-1].id if len(found) == limit else None
        document.dump({"items": [document.summary(each) for each in found], "next": following})
    elif found:
        _table(found, driven=all(each.phase.terminal for each in found) or is_driven())
    else:
        click.echo("there are no executions", err=True)
    return 0


def _table(found: list[Summary], *, driven: bool) -> None:
    from wingbeat_cli.render.table import coloured, columns, duration, echo, moment

    rows = [
        (
            each.id,
            each.workflow,
            _phase(each, driven=driven),
            moment(each.created_at),
            duration(each.created_at, each.ended_at),
        )
        for each in found
    ]
    heading = ("ID", "WORKFLOW", "PHASE", "CREATED", "TOOK")
    echo(columns(rows, heading=heading, colour=coloured(sys.stdout)))


def _phase(each: Summary, *, driven: bool) -> str:
    return each.phase.value if driven or each.phase.terminal else f"{each.phase.value} (no kernel)"


@command.command("execution")
@click.argument("id_", metavar="ID")
@output_option()
def execution(id_: str, output: str) -> int:
    """Print one execution, as `run` prints it when it has ended."""
    from wingbeat_cli.door import reading
    from wingbeat_cli.follow import show

    async def work(kernel: Kernel) -> None:
        found = await kernel.get(id_)
        await show(kernel, await found.describe(), output)

    reading(work)
    return 0
