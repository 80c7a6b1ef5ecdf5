"""`wingbeat reject ID NAME`: let an approval fail."""

from __future__ import annotations

import click

from wingbeat_cli.commands.approve import decided
from wingbeat_cli.commands.signal import answer
from wingbeat_cli.group import HELP, output_option


@click.command("reject", context_settings=HELP)
@click.argument("id_", metavar="ID")
@click.argument("name")
@output_option()
@click.pass_context
def command(ctx: click.Context, id_: str, name: str, output: str) -> int:
    """Let an approval fail: so does its node. NAME is that of `approve`, or the id of its node."""
    return answer(id_, name, lambda gate: decided(gate, ctx, id_, name, value=False), output)
