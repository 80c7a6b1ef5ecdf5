"""`wingbeat get projects`: a command of the group `get`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import output_option
from wingbeat_cli.selecting import place_options

if TYPE_CHECKING:
    from wingbeat.contracts.projects import ProjectEntry, ProjectPage
    from wingbeat.kernel import Kernel


@click.command("projects")
@place_options
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@click.option("--after", default="", metavar="PROJECT/DOMAIN", help="Continue behind this one.")
@output_option()
def projects(project: str, domain: str, limit: int, after: str, output: str) -> int:
    """List the projects and domains in which there is something that you may see: registered, or launched.

    Nobody creates a project: it is there with the first thing in it.
    """
    from wingbeat.contracts.projects import ProjectQuery, Surveying
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> ProjectPage:
        from wingbeat.base.errors import ConfigurationError

        admin = await kernel.admin()
        if not isinstance(admin, Surveying):
            raise ConfigurationError(
                "the admin that is chosen lists no projects", hint="wingbeat config show kernel.admin"
            )
        return await admin.projects(ProjectQuery(project, domain, after, limit))

    page = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump(
            {"items": [document.project(each) for each in page.items], "next": page.following or None}, output
        )
    elif page.items:
        _table(page.items)
    else:
        click.echo("there are no projects", err=True)
    return 0


def _table(found: list[ProjectEntry]) -> None:
    from wingbeat_cli.render.table import coloured, columns, echo, moment

    rows = [
        (e.project, e.domain, f"{e.versions:,}", f"{e.active:,}", moment(e.registered_at), moment(e.launched_at))
        for e in found
    ]
    heading = ("PROJECT", "DOMAIN", "VERSIONS", "ACTIVE", "REGISTERED", "LAUNCHED")
    echo(columns(rows, heading=heading, colour=coloured(sys.stdout)))
