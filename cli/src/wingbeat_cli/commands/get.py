"""`wingbeat get`: lists, and single things as they are listed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.access import apikeys, audit, grants
from wingbeat_cli.arguments import complete_references, execution_argument
from wingbeat_cli.backfills import backfill, backfills
from wingbeat_cli.group import HELP, output_option
from wingbeat_cli.places import listing as settings
from wingbeat_cli.refusals import listing as refusals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wingbeat.contracts.admin import Admin, Entity, ExecutionEntry, ExecutionQuery, NotificationEntry, Notifying
    from wingbeat.contracts.artifacts import ArtifactEntry, Artifacts
    from wingbeat.contracts.engine import Summary
    from wingbeat.kernel import Kernel


@click.group("get", context_settings=HELP)
def command() -> None:
    """List what is there."""


for each in (apikeys, grants, audit, backfill, backfills, settings, refusals):
    command.add_command(each)


def _place(function: Any) -> Any:
    project = click.option("--project", "-p", default="", help="Of this project only.")
    domain = click.option("--domain", "-d", default="", help="Of this domain only.")
    return project(domain(function))


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
    @_place
    @click.option("--name", default="", help="Of this name only.")
    @_page
    def listing(project: str, domain: str, name: str, limit: int, after: str, output: str) -> int:
        from wingbeat.contracts.admin import EntityPage, EntityQuery, Kind
        from wingbeat_cli.door import within
        from wingbeat_cli.remembered import remember

        async def work(kernel: Kernel) -> EntityPage:
            admin = await kernel.admin()
            return await admin.entities(EntityQuery(Kind(kind), project, domain, name, after, limit))

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


@command.command("artifacts")
@_place
@click.option("--name", default="", help="Of this name only.")
@click.option("--partition", "partitions", multiple=True, metavar="KEY=VALUE", help="Of these keys only.")
@_page
def artifacts(
    project: str, domain: str, name: str, partitions: tuple[str, ...], limit: int, after: str, output: str
) -> int:
    """List the artifacts that workflows have published: every version, the newest first."""
    from wingbeat.contracts.artifacts import ArtifactPage, ArtifactQuery
    from wingbeat_cli.door import within

    keys = _pairs("--partition", partitions)

    async def work(kernel: Kernel) -> ArtifactPage:
        return await keeping(await kernel.admin()).artifacts(ArtifactQuery(project, domain, name, keys, after, limit))

    page = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump(
            {"items": [document.artifact(each) for each in page.items], "next": page.following or None}, output
        )
    elif page.items:
        _artifacts(page.items)
    else:
        click.echo(
            "there are no such artifacts" if project or domain or name or keys else "there are no artifacts", err=True
        )
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


def _phases(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from wingbeat.spec.phase import ExecutionPhase

    return [phase for phase in ExecutionPhase if phase.startswith(incomplete.upper())]


@command.command("executions")
@_place
@click.option(
    "--entity",
    default="",
    metavar="PROJECT/DOMAIN/NAME[@VERSION]",
    shell_complete=complete_references,
    help="Of this workflow, task or launch plan only.",
)
@click.option("--phase", default="", shell_complete=_phases, help="Of this phase only, as FAILED.")
@click.option("--workflow", default="", metavar="NAME", help="Of this workflow only, whether it is registered or not.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="With this label only.")
@click.option("--by", default="", metavar="PRINCIPAL", help="Launched by this one only, as user:ana@example.org.")
@click.option("--where", "values", multiple=True, metavar="CONDITION", help="As inputs.city=sf or outputs.o0>=0.5.")
@click.option("--since", default="", metavar="TIME", help="Launched then or later: 2026-11-30T18:00, or 2h ago.")
@click.option("--until", default="", metavar="TIME", help="Launched before that.")
@click.option(
    "--order",
    type=click.Choice(["-created_at", "created_at", "-ended_at", "ended_at"]),
    default="-created_at",
    show_default=True,
    help="The newest (-) or the oldest first, by launch or by end.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many at most.")
@click.option(
    "--after", default="", metavar="ID", help="Continue behind this execution, the last one of the list before."
)
@output_option()
def executions(limit: int, after: str, output: str, **wanted: Any) -> int:
    """List executions, the newest first.

    What is asked by more than their number is the history: what is registered, and what was run in a home that has an admin.

    Executions go on while a process has their home open: `wingbeat run`, or a program with a Kernel. Where none has, those
    that have not ended are marked "no kernel": nothing decides for them. The same `wingbeat run` again goes on with its
    own, and any process that opens the home goes on with all of them.
    """
    from wingbeat.kernel import home_path
    from wingbeat_cli.door import is_elsewhere, reading

    if any(wanted[name] for name in wanted if name != "order") or wanted["order"] != "-created_at":
        return _history(_query(wanted, after, limit), output)
    found = []
    if is_elsewhere() or home_path().is_dir():
        found = reading(lambda kernel: kernel.engine.executions(after=after, limit=limit))
    if output != "table":
        from wingbeat_cli.render import document

        following = found[-1].id if len(found) == limit else None
        document.dump({"items": [document.summary(each) for each in found], "next": following}, output)
    elif found:
        _table(found)
    else:
        click.echo("there are no executions", err=True)
    return 0


def _query(wanted: dict[str, Any], after: str, limit: int) -> ExecutionQuery:
    from wingbeat.contracts.admin import BY_LABEL, ExecutionQuery
    from wingbeat.spec.phase import ExecutionPhase

    phase = wanted["phase"]
    if phase and phase not in ExecutionPhase.__members__:
        raise click.UsageError(f"there is no phase {phase!r}; phases are {', '.join(ExecutionPhase)}")
    labels = _pairs("--label", wanted["labels"]) | ({BY_LABEL: wanted["by"]} if wanted["by"] else {})
    return ExecutionQuery(
        wanted["project"], wanted["domain"], wanted["entity"], ExecutionPhase(phase) if phase else None, after, min(limit, 1000),
        wanted["workflow"], labels, _moment(wanted["since"]), _moment(wanted["until"]),
        tuple(wanted["values"]), wanted["order"],
    )  # fmt: skip


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    found = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} takes NAME=VALUE, not {pair!r}")
        found[name] = value
    return found


def _moment(text: str) -> float | None:
    """Epoch seconds of a moment; None where none is given."""
    from wingbeat_cli.moments import moment_of

    return moment_of(text) if text else None


def _history(wanted: ExecutionQuery, output: str) -> int:
    """Executions by what they are of: what the admin knows."""
    from wingbeat.contracts.admin import ExecutionPage
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> ExecutionPage:
        return await (await kernel.admin()).executions(wanted)

    page = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"items": [document.entry(each) for each in page.items], "next": page.following or None}, output)
    elif page.items:
        _table(page.items)
    else:
        click.echo("there are no such executions", err=True)
    return 0


def _table(found: Sequence[Summary | ExecutionEntry]) -> None:
    from wingbeat_cli.door import is_driven
    from wingbeat_cli.render.listing import table
    from wingbeat_cli.render.table import coloured, echo

    driven = all(each.phase.terminal for each in found) or is_driven()
    echo(table(found, driven=driven, colour=coloured(sys.stdout)))


@command.command("notifications")
@_place
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
