"""`wingbeat get refusals`: a command of the group `get`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import not_empty, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.admin import Admin
    from wingbeat.contracts.refusals import Refusal, RefusalPage, Refusing
    from wingbeat.kernel import Kernel


@click.command("refusals")
@click.argument("reference", metavar="[PROJECT/DOMAIN/NAME]", default="")
@click.option("--project", "-p", callback=not_empty, default="", help="Of this project only.")
@click.option("--domain", "-d", callback=not_empty, default="", help="Of this domain only.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@click.option("--after", default="", metavar="ID", help="Continue behind this one, the last of the list before.")
@output_option()
def listing(reference: str, project: str, domain: str, limit: int, after: str, output: str) -> int:
    """List what schedules and other triggers were to start and what has not started, with why: of one launch plan, or of all.

    A tick is among them if its launch was refused, or if it was left out because others of its schedule were under way. Ticks
    that passed while nothing was open that looks at schedules, and that catch_up leaves out, are one line, from the first to the
    last. What is paused is not among them: see 'wingbeat get launchplans'.
    """
    from wingbeat.contracts.refusals import RefusalQuery
    from wingbeat_cli.door import within

    name = ""
    if reference:
        project, domain, name = _parts(reference, project, domain)
    wanted = RefusalQuery(project, domain, name, after, limit)

    async def work(kernel: Kernel) -> RefusalPage:
        return await refusing(await kernel.admin()).refusals(wanted)

    page = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump(
            {"items": [document.refusal(each) for each in page.items], "next": page.following or None}, output
        )
    elif page.items:
        _table(page.items)
    else:
        click.echo("nothing that was to start was refused", err=True)
    return 0


def refusing(admin: Admin) -> Refusing:
    """The admin, as one that keeps what was refused. Raises ConfigurationError."""
    from wingbeat.base.errors import ConfigurationError
    from wingbeat.contracts.refusals import Refusing

    if not isinstance(admin, Refusing):
        raise ConfigurationError(
            "the admin that is chosen does not keep what was refused", hint="wingbeat config show kernel.admin"
        )
    return admin


def _parts(reference: str, project: str, domain: str) -> tuple[str, str, str]:
    """Project, domain and name of what may be a name alone: with the options, or anywhere."""
    if "/" not in reference:
        return project, domain, reference.partition("@")[0]
    from wingbeat.spec.identity import parse_reference

    found, _ = parse_reference(reference)
    return found.project, found.domain, found.name


def _table(found: list[Refusal]) -> None:
    from wingbeat_cli.render.document import timestamp
    from wingbeat_cli.render.table import coloured, columns, echo

    rows = [(timestamp(each.at) or "", each.entity, each.cause, each.reason) for each in found]
    echo(columns(rows, heading=("DUE", "LAUNCH PLAN", "BY", "WHY"), colour=coloured(sys.stdout)))
