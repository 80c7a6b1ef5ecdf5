"""`wingbeat explain`: answers to why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel


@click.group("explain", context_settings=HELP)
def command() -> None:
    """Say why something is as it is."""


@command.command("cache")
@click.argument("id_", metavar="ID")
@click.argument("node")
@output_option()
def cache(id_: str, node: str, output: str) -> int:
    """Say why the outputs of a node were, or were not, taken from the cache."""
    from wingbeat_cli.door import reading

    text = reading(lambda kernel: _explain(kernel, id_, node))
    if output == "json":
        from wingbeat_cli.render import document

        document.dump({"execution": id_, "node": node, "explanation": text})
    else:
        click.echo(text)
    return 0


async def _explain(kernel: Kernel, id_: str, node: str) -> str:
    return await kernel.engine.explain_cache(id_, node)
