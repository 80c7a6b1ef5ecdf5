"""`wingbeat register [PATH]...`: take up what is defined there, under a version."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.admin import Registered, Registration
    from wingbeat.kernel import Kernel


@click.command("register", context_settings=HELP)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True))
@click.option("--project", "-p", default="default", show_default=True, help="Whose it is.")
@click.option("--domain", "-d", default="development", show_default=True, help="Where it is used, as production.")
@click.option("--version", default="", help="Of everything in it; by default, one made from its content.")
@output_option()
def command(paths: tuple[str, ...], project: str, domain: str, version: str, output: str) -> int:
    """Take up the workflows, tasks and launch plans of files, or of every file of a folder (by default this one): all, or none.

    From then on `wingbeat launch` runs them without their sources. A version never changes: the same content again is fine,
    another one is refused.
    """
    from wingbeat.contracts.admin import Registration
    from wingbeat.kernel import definitions_of
    from wingbeat_cli.door import given, within
    from wingbeat_cli.interrupts import undone

    with undone():
        definitions = definitions_of(paths or ".", settings=given())
    registration = Registration(project, domain, tuple(definitions), version)
    within(lambda kernel: _register(kernel, registration, output))
    return 0


async def _register(kernel: Kernel, registration: Registration, output: str) -> None:
    from wingbeat_cli.remembered import remember

    admin = await kernel.admin()
    found = await admin.register(registration)
    remember((each.kind, each.id) for each in found)
    if output != "table":
        import msgspec

        from wingbeat_cli.render import document

        version = found[0].id.rpartition("@")[2]
        document.dump({"version": version, "entities": [msgspec.to_builtins(each) for each in found]}, output)
    else:
        _table(found)


def _table(found: list[Registered]) -> None:
    from wingbeat_cli.render.table import coloured, columns, echo

    rows = [(each.id, each.kind.label, "new" if each.created else "already there") for each in found]
    echo(columns(rows, heading=("ID", "KIND", ""), colour=coloured(sys.stdout)))
