"""`wingbeat get`: lists, and single things as they are listed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.access import apikeys, audit, grants
from wingbeat_cli.arguments import execution_argument
from wingbeat_cli.backfills import backfill, backfills
from wingbeat_cli.executions import executions
from wingbeat_cli.group import HELP, not_empty, output_option
from wingbeat_cli.places import listing as settings
from wingbeat_cli.projects import projects
from wingbeat_cli.refusals import listing as refusals
from wingbeat_cli.selecting import pairs, place_options, sort_option

if TYPE_CHECKING:
    from wingbeat.contracts.admin import Admin, Entity, NotificationEntry, Notifying
    from wingbeat.contracts.artifacts import ArtifactEntry, Artifacts
    from wingbeat.kernel import Kernel


@click.group("get", context_settings=HELP)
def command() -> None:
    """List what is there."""


for each in (executions, projects, apikeys, grants, audit, backfill, backfills, settings, refusals):
    command.add_command(each)


def _page(function: Any) -> Any:
    limit = click.option(
        "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most."
    )
    after = click.option(
        "--after", default="", metavar="ID", help="Continue behind this one, the last of the list before."
    )
    return limit(after(output_option()(function)))


def _inventory(name: str, kind: str, what: str) -> None:
    @command.command(name, help=f"List the {what} that are registered: every version, the newest first.")
    @place_options
    @click.option("--name", default="", help="Of this name only.")
    @click.option("--version", callback=not_empty, default="", help="Of this version only.")
    @click.option("--by", default="", metavar="PRINCIPAL", help="Registered by this one only.")
    @sort_option("ENTITY_SORTS", "By created_at, name or version")
    @_page
    def listing(limit: int, after: str, output: str, **wanted: Any) -> int:
        from wingbeat.contracts.admin import EntityPage, EntityQuery, Kind
        from wingbeat_cli.door import within
        from wingbeat_cli.remembered import remember

        async def work(kernel: Kernel) -> EntityPage:
            admin = await kernel.admin()
            return await admin.entities(EntityQuery(Kind(kind), after=after, limit=limit, **wanted))

        page = within(work)
        remember((each.kind, each.id) for each in page.items)
        if output != "table":
            from wingbeat_cli.render import document

            document.dump(
                {"items": [document.entity(each) for each in page.items], "next": page.following or None}, output
            )
        elif page.items:
            _entities(page.items)
        else:
            click.echo(f"there are no {what}", err=True)
        return 0


_inventory("workflows", "workflow", "workflows")
_inventory("tasks", "task", "tasks")
_inventory("launchplans", "launchplan", "launch plans")


@command.command("schedules")
@place_options
@click.option("--name", default="", help="Of launch plans of this name only.")
@sort_option("ENTITY_SORTS", "By created_at (when it was registered), name or version")
@_page
def schedules(limit: int, after: str, output: str, **wanted: Any) -> int:
    """List the schedules that are active, of launch plans: when each is due, when next, or why it is paused.

    'wingbeat schedule preview' tells more ticks of one, and 'wingbeat get refusals' those that did not start.
    """
    from wingbeat.contracts.admin import EntityPage, EntityQuery, Kind
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> EntityPage:
        query = EntityQuery(Kind.LAUNCHPLAN, after=after, limit=limit, scheduled=True, **wanted)
        return await (await kernel.admin()).entities(query)

    page = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"items": [document.entity(each) for each in page.items], "next": page.following or None}, output)
    elif page.items:
        _schedules(page.items)
    else:
        click.echo("there are no active schedules", err=True)
    return 0


def _schedules(found: list[Entity]) -> None:
    from wingbeat_cli.render.planned import trigger_line
    from wingbeat_cli.render.table import coloured, columns, echo, moment

    rows = [
        (each.id, trigger_line(each.trigger), f"paused: {each.paused}" if each.paused else moment(each.next))
        for each in found
    ]
    echo(columns(rows, heading=("LAUNCH PLAN", "SCHEDULE", "NEXT"), colour=coloured(sys.stdout)))


@command.command("artifacts")
@place_options
@click.option("--name", default="", help="Of this name only.")
@click.option("--partition", "partitions", multiple=True, metavar="KEY=VALUE", help="Of these keys only.")
@_page
def artifacts(
    project: str, domain: str, name: str, partitions: tuple[str, ...], limit: int, after: str, output: str
) -> int:
    """List the artifacts that workflows have published: every version, the newest first."""
    from wingbeat.contracts.artifacts import ArtifactPage, ArtifactQuery
    from wingbeat_cli.door import within
    from wingbeat_cli.stored import stored_keys

    keys = pairs("--partition", partitions)

    async def work(kernel: Kernel) -> tuple[ArtifactPage, list[str]]:
        admin = await kernel.admin()
        kept = await stored_keys(admin, keeping(admin), (project, domain, name), keys)
        texts = {key: each.text for key, each in kept.items()}
        page = await keeping(admin).artifacts(ArtifactQuery(project, domain, name, texts, after, limit))
        return page, [each.known for each in kept.values() if each.known]

    page, known = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump(
            {"items": [document.artifact(each) for each in page.items], "next": page.following or None}, output
        )
    elif page.items:
        _artifacts(page.items)
    else:
        none = "there are no such artifacts" if project or domain or name or keys else "there are no artifacts"
        click.echo("; ".join([none, *known]), err=True)
    return 0


def keeping(admin: Admin) -> Artifacts:
    """The admin, as one that keeps artifacts. Raises ConfigurationError."""
    from wingbeat.base.errors import ConfigurationError
    from wingbeat.contracts.artifacts import Artifacts

    if not isinstance(admin, Artifacts):
        raise ConfigurationError(
            "the admin that is chosen keeps no artifacts", hint="wingbeat config show kernel.admin"
        )
    return admin


def _artifacts(found: list[ArtifactEntry]) -> None:
    from wingbeat.types.text import describe
    from wingbeat_cli.render.table import coloured, columns, echo, moment

    rows = []
    for each in found:
        keys = ", ".join(f"{key}={value}" for key, value in each.partitions.items())
        rows.append((each.id, keys, describe(each.type), moment(each.created_at), each.entity))
    echo(columns(rows, heading=("ID", "PARTITION", "TYPE", "PUBLISHED", "BY"), colour=coloured(sys.stdout)))


def _entities(found: list[Entity]) -> None:
    from wingbeat.types.text import describe
    from wingbeat_cli.render.planned import trigger_line
    from wingbeat_cli.render.table import coloured, columns, echo, moment

    plans = any(each.kind == "launchplan" for each in found)
    rows = []
    for each in found:
        inputs = ", ".join(f"{v.name}: {describe(v.type)}" for v in each.interface.inputs)
        outputs = ", ".join(describe(v.type) for v in each.interface.outputs)
        active = "paused" if each.paused else "active" if each.active else ""
        state = (active, trigger_line(each.trigger), moment(each.next)) if plans else ()
        rows.append((each.id, *state, moment(each.created_at), each.by, f"({inputs}) -> {outputs or 'None'}"))
    heading = ("ID", *(("", "TRIGGER", "NEXT") if plans else ()), "REGISTERED", "BY", "INTERFACE")
    echo(columns(rows, heading=heading, colour=coloured(sys.stdout)))


@command.command("notifications")
@place_options
@click.option("--execution", default="", metavar="ID", help="Of this execution only.")
@click.option("--channel", default="", help="To this channel only.")
@click.option(
    "--state", default="", type=click.Choice(["", "waiting", "delivered", "dead"]), help="In this state only."
)
@_page
def notifications(
    project: str, domain: str, execution: str, channel: str, state: str, limit: int, after: str, output: str
) -> int:
    """List what channels are told of executions, the newest first.

    What is waiting is sent again later, ever later; what is dead was given up, and 'wingbeat resend notification' sends it again.
    """
    from wingbeat.contracts.admin import NotificationPage, NotificationQuery, NotificationState
    from wingbeat_cli.door import within

    chosen = NotificationState(state) if state else None
    wanted = NotificationQuery(project, domain, execution, channel, chosen, after, limit)

    async def work(kernel: Kernel) -> NotificationPage:
        return await telling(await kernel.admin()).notifications(wanted)

    page = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        items = [document.notification(each) for each in page.items]
        document.dump({"items": items, "next": page.following or None}, output)
    elif page.items:
        _notifications(page.items)
    else:
        click.echo("there are no notifications", err=True)
    return 0


def telling(admin: Admin) -> Notifying:
    """The admin, as one that tells channels. Raises ConfigurationError."""
    from wingbeat.base.errors import ConfigurationError
    from wingbeat.contracts.admin import Notifying

    if not isinstance(admin, Notifying):
        raise ConfigurationError("the admin that is chosen tells nobody", hint="wingbeat config show kernel.admin")
    return admin


def _notifications(found: list[NotificationEntry]) -> None:
    from wingbeat_cli.render.table import coloured, columns, echo

    rows = [(each.id, each.channel, each.state.value, str(each.tries), each.title, each.failed) for each in found]
    echo(columns(rows, heading=("ID", "CHANNEL", "STATE", "TRIES", "TOLD", "FAILED"), colour=coloured(sys.stdout)))


@command.command("execution")
@execution_argument()
@output_option()
def execution(id_: str, output: str) -> int:
    """Print one execution, as `run` prints it when it has ended."""
    from wingbeat_cli.door import reading
    from wingbeat_cli.follow import show

    async def work(kernel: Kernel) -> None:
        found = await kernel.get(id_)
        await show(kernel, await found.describe(), output)

    reading(work)
    return 0
