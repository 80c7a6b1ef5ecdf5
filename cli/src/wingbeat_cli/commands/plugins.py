"""`wingbeat plugins`: what is installed beside the kernel, and in it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.group import HELP, Session, output_option

if TYPE_CHECKING:
    from wingbeat.kernel.installed import Offer, PluginView


@click.group("plugins", context_settings=HELP)
def command() -> None:
    """Show plugins, and try them."""


@command.command("list")
@output_option()
@click.pass_obj
def list_(session: Session, /, output: str) -> int:
    """List the plugins: their versions, what they offer, how long their import takes; also those that are off or broken."""
    from wingbeat.kernel import plugins_of

    plugins = plugins_of(settings=session.settings)
    if output == "json":
        from wingbeat_cli.render import document

        document.dump({"plugins": [_document(plugin) for plugin in plugins]})
    else:
        from wingbeat_cli.render.table import coloured, columns, echo

        heading = ("PLUGIN", "PACKAGE", "CONTRACTS", "IMPORT", "STATE", "OFFERS")
        rows = [
            (p.name, p.distribution, p.api, f"{p.import_s * 1000:.1f} ms" if p.api else "", p.state, _offered(p))
            for p in plugins
        ]
        echo(columns(rows, heading=heading, colour=coloured(sys.stdout)))
        echo(f"  {offer.seam} {offer.name}: {_able(offer)}" for p in plugins for offer in p.offers if _able(offer))
        echo(f"{p.name}: {p.problem}" for p in plugins if p.problem)
    return 0


def _offered(plugin: PluginView) -> str:
    return ", ".join(f"{offer.seam} {offer.name}".rstrip() for offer in plugin.offers)


def _able(offer: Offer) -> str:
    return f"cannot be made: {offer.problem}" if offer.problem else ", ".join(offer.capabilities)


def _document(plugin: PluginView) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(plugin)
    return document
