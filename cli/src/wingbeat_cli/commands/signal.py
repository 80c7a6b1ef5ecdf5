"""`wingbeat signal ID NAME VALUE`: give an execution the value that it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.arguments import execution_argument
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.engine import GateView
    from wingbeat.kernel import Kernel


@click.command("signal", context_settings={**HELP, "ignore_unknown_options": True})
@execution_argument()
@click.argument("name")
@click.argument("value", required=False)
@click.option(
    "--input", "file", type=click.Path(), metavar="FILE", help="Take the value, as JSON, from a file; - reads it."
)
@output_option()
@click.pass_context
def command(ctx: click.Context, id_: str, name: str, value: str | None, file: str | None, output: str) -> int:
    """Give an execution the value that it waits for.

    NAME is that of `wait_for_input`, or the id of its node. VALUE is written as an input of `wingbeat run` is: lists, dicts
    and records as JSON, files as paths.
    """
    if (value is None) == (file is None):
        raise click.UsageError("give the value: as VALUE, or as JSON by --input FILE", ctx)
    text = value if file is None else _content(file, ctx)

    def given(gate: GateView) -> Any:
        return _parsed(gate, name, str(text), ctx, json=file is not None)

    return answer(id_, name, given, output)


def answer(id_: str, name: str, given: Any, output: str) -> int:
    """Answer a gate by what `given` makes of it, and say what became of it."""
    from wingbeat_cli.door import within

    within(lambda kernel: _answer(kernel, id_, name, given, output))
    return 0


async def _answer(kernel: Kernel, id_: str, name: str, given: Any, output: str) -> None:
    import sys

    value = given(await kernel.gate(id_, name))
    # What has ended takes no answer: that it is not refused says that it had this one.
    before = (await kernel.engine.describe(id_, nodes=False)).phase.terminal
    await kernel.signal(id_, name, value)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"execution": id_, "name": name, "value": value}, output)
    else:
        click.echo(f"{id_}: {name!r} {'was answered so already' if before else 'is answered'}")
    if kernel.holds and not (await (await kernel.get(id_)).describe()).phase.terminal:
        sys.stderr.write("no process runs this home now: the command that started the execution goes on with it\n")


def _content(file: str, ctx: click.Context) -> str:
    try:
        with click.open_file(file) as stream:
            return str(stream.read())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise click.UsageError(f"cannot read {file}: {reason}", ctx) from None


def _parsed(gate: GateView, name: str, text: str, ctx: click.Context, *, json: bool) -> Any:
    """The value that a text stands for. Raises UsageError."""
    from wingbeat.types.text import describe

    try:
        if json:
            from json import loads

            return loads(text)
        from wingbeat_cli.values import parse

        return parse(text, gate.type)
    except ValueError as error:
        reason = f"expected {describe(gate.type)} as JSON ({error})" if json else str(error)
        raise click.UsageError(f"{name!r}: {reason}", ctx) from None
