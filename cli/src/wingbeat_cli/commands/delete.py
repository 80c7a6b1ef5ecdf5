"""`wingbeat delete`: keys and roles are taken away, at once; quotas and defaults of places, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, not_empty, output_option
from wingbeat_cli.places import delete as setting

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel


@click.group("delete", context_settings=HELP)
def command() -> None:
    """Take API keys and roles away, and quotas and defaults of places."""


command.add_command(setting)


@command.command("apikey")
@click.argument("name")
@output_option()
def apikey(name: str, output: str) -> int:
    """Have a key not be taken any more, at once: also streams that it has opened end. Its roles go with it."""
    from wingbeat.contracts.access import access_of
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> None:
        await access_of(await kernel.admin()).delete_key(name)

    within(work)
    _say(output, f"the key {name} is not taken any more", name=name)
    return 0


@command.command("grant")
@click.argument("principal", metavar="apikey:NAME|user:NAME|group:NAME")
@click.option("--project", "-p", callback=not_empty, default="*", show_default=True, help="As it was given.")
@click.option("--domain", "-d", callback=not_empty, default="*", show_default=True, help="As it was given.")
@output_option()
def grant(principal: str, project: str, domain: str, output: str) -> int:
    """Take the role away that a principal has in exactly this place, at once."""
    from wingbeat.contracts.access import access_of
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> None:
        await access_of(await kernel.admin()).delete_grant(principal, project, domain)

    within(work)
    told = f"{principal} has no role of its own in {project}/{domain} any more"
    _say(output, told, principal=principal, project=project, domain=domain)
    return 0


def _say(output: str, text: str, **fields: str) -> None:
    if output != "table":
        from wingbeat_cli.render import document

        document.dump(dict(fields), output)
    else:
        click.echo(text)
