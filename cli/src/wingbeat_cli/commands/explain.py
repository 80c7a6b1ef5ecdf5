"""`wingbeat explain`: answers to why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.arguments import execution_argument
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.engine import ExecutionView
    from wingbeat.kernel import Kernel


@click.group("explain", context_settings=HELP)
def command() -> None:
    """Say why something is as it is."""


@command.command("cache")
@execution_argument()
@click.argument("node")
@output_option()
def cache(id_: str, node: str, output: str) -> int:
    """Say why the outputs of a node were, or were not, taken from the cache."""
    from wingbeat_cli.door import reading

    text = reading(lambda kernel: _explain(kernel, id_, node))
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"execution": id_, "node": node, "explanation": text}, output)
    else:
        click.echo(text)
    return 0


@command.command("waiting")
@execution_argument()
@click.argument("node", required=False, default="")
@output_option()
def waiting(id_: str, node: str, output: str) -> int:
    """Say for what a node waits, or every node that has not ended: others, a pool and who holds it, a gate, an executor.

    Of an execution that has not begun: who has its limit, and who is before it.
    """
    from wingbeat_cli.door import reading

    async def ask(kernel: Kernel) -> tuple[str, ExecutionView | None]:
        text = await kernel.engine.explain_waiting(id_, node)
        return text, await kernel.engine.describe(id_) if output != "table" else None

    text, view = reading(ask)
    if view is not None:
        from wingbeat_cli.render import document, waiting

        document.dump(waiting.document(text, view, node), output)
    else:
        click.echo(text)
    return 0


async def _explain(kernel: Kernel, id_: str, node: str) -> str:
    return await kernel.engine.explain_cache(id_, node)
