"""`wingbeat approve ID NAME`: let an execution go on that waits for approval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.commands.signal import answer
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.engine import GateView


@click.command("approve", context_settings=HELP)
@click.argument("id_", metavar="ID")
@click.argument("name")
@output_option()
@click.pass_context
def command(ctx: click.Context, id_: str, name: str, output: str) -> int:
    """Let an execution go on that waits for approval. NAME is that of `approve`, or the id of its node."""
    return answer(id_, name, lambda gate: decided(gate, ctx, id_, name, value=True), output)


def decided(gate: GateView, ctx: click.Context, id_: str, name: str, *, value: bool) -> bool:
    """The answer to an approval. Raises UsageError where something else is asked."""
    if not gate.approval:
        import shlex

        from wingbeat.types.text import describe

        command = f"wingbeat signal {id_} {shlex.quote(name)} VALUE"
        raise click.UsageError(
            f"{name!r} waits for a value ({describe(gate.type)}), not for approval; give it by: {command}", ctx
        )
    return value
