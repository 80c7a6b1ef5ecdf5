"""`wingbeat approve ID NAME` and `wingbeat reject ID NAME`: answer an approval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.arguments import execution_argument
from wingbeat_cli.commands.signal import answer
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.engine import GateView


def decision(verb: str, value: bool, text: str) -> click.Command:
    """The command that answers an approval by `value`."""

    @click.command(verb, context_settings=HELP, help=f"{text} NAME is that of `approve`, or the id of its node.")
    @execution_argument()
    @click.argument("name")
    @output_option()
    @click.pass_context
    def command(ctx: click.Context, id_: str, name: str, output: str) -> int:
        def given(gate: GateView) -> bool:
            if not gate.approval:
                import shlex

                from wingbeat.types.text import describe

                other = f"wingbeat signal {id_} {shlex.quote(name)} VALUE"
                raise click.UsageError(
                    f"{name!r} waits for a value ({describe(gate.type)}), not for approval; give it by: {other}", ctx
                )
            return value

        return answer(id_, name, given, output)

    return command


command = decision("approve", True, "Let an execution go on that waits for approval.")
reject = decision("reject", False, "Let an approval fail: so does its node.")
