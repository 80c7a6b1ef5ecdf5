"""`wingbeat describe`: one thing in full."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.engine import ExecutionView
    from wingbeat.kernel import Kernel


@click.group("describe", context_settings=HELP)
def command() -> None:
    """Show one thing in full."""


@command.command("execution")
@click.argument("id_", metavar="ID")
@output_option()
def execution(id_: str, output: str) -> int:
    """Show an execution: its inputs, outputs, nodes and attempts, and what went wrong."""
    from wingbeat_cli.door import reading

    reading(lambda kernel: _show(kernel, id_, output))
    return 0


async def _show(kernel: Kernel, id_: str, output: str) -> None:
    from wingbeat_cli.follow import plain_outputs
    from wingbeat_cli.render import document, report
    from wingbeat_cli.render.table import coloured, echo

    view = await (await kernel.get(id_)).describe()
    closure = await kernel.engine.closure(id_)
    inputs = kernel.plain(view.inputs, closure, inputs=True)
    outputs = await plain_outputs(kernel, view)
    if output == "json":
        document.dump(document.details(view, outputs, inputs))
    else:
        reasons = await _reasons(kernel, view)
        echo(report.describe(view, outputs, inputs, reasons, colour=coloured(sys.stdout)))


async def _reasons(kernel: Kernel, view: ExecutionView) -> dict[str, str]:
    """Why the items of maps failed that are going to be named; the journal knows."""
    wanted = {f"{n.id}.{i.item}" for n in view.nodes if n.items is not None for i in n.items.failures if not i.reason}
    found: dict[str, str] = {}
    if wanted:
        async for event in kernel.engine.events(view.id):
            if event.node in wanted and event.kind == "node" and event.reason:
                found[event.node] = event.reason
            if len(found) == len(wanted):
                break
    return found
