"""`wingbeat get`: lists, and single things as they are listed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.access import apikeys, audit, grants
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wingbeat.contracts.admin import Entity, ExecutionEntry
    from wingbeat.contracts.engine import Summary
    from wingbeat.kernel import Kernel


@click.group("get", context_settings=HELP)
def command() -> None:
    """List what is there."""


for each in (apikeys, grants, audit):
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

        async def work(kernel: Kernel) -> EntityPage:
            admin = await kernel.admin()
            return await admin.entities(EntityQuery(Kind(kind), project, domain, name, after, limit))

        page = within(work)
        if output == "json":
            from wingbeat_cli.render import document

            document.dump({"items": [document.entity(each) for each in page.items], "next": page.following or None})
        elif page.items:
            _entities(page.items)
        else:
            click.echo(f"there are no {what}", err=True)
        return 0


_inventory("workflows", "workflow", "workflows")
_inventory("tasks", "task", "tasks")
_inventory("launchplans", "launchplan", "launch plans")


def _entities(found: list[Entity]) -> None:
    from wingbeat.types.text import describe
    from wingbeat_cli.render.table import coloured, columns, echo, moment

    plans = any(each.kind == "launchplan" for each in found)
    rows = []
    for each in found:
        inputs = ", ".join(f"{v.name}: {describe(v.type)}" for v in each.interface.inputs)
        outputs = ", ".join(describe(v.type) for v in each.interface.outputs)
        state = (("paused" if each.paused else "active" if each.active else ""),) if plans else ()
        rows.append((each.id, *state, moment(each.created_at), each.by, f"({inputs}) -> {outputs or 'None'}"))
    heading = ("ID", *(("",) if plans else ()), "REGISTERED", "BY", "INTERFACE")
    echo(columns(rows, heading=heading, colour=coloured(sys.stdout)))


@command.command("executions")
@_place
@click.option(
    "--entity",
    default="",
    metavar="PROJECT/DOMAIN/NAME[@VERSION]",
    help="Of this workflow, task or launch plan only.",
)
@click.option("--phase", default="", help="Of this phase only, as FAILED.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many at most.")
@click.option(
    "--after", default="", metavar="ID", help="Continue behind this execution, the last one of the list before."
)
@output_option()
def executions(project: str, domain: str, entity: str, phase: str, limit: int, after: str, output: str) -> int:
    """List executions, the newest first.

    Executions go on while a process has their home open: `wingbeat run`, or a program with a Kernel. Where none has, those
    that have not ended are marked "no kernel": nothing decides for them. The same `wingbeat run` again goes on with its
    own, and any process that opens the home goes on with all of them.
    """
    from wingbeat.kernel import home_path
    from wingbeat_cli.door import is_driven, is_elsewhere, reading

    if project or domain or entity or phase:
        return _history(project, domain, entity, phase, after, limit, output)
    found = []
    if is_elsewhere() or home_path().is_dir():
        found = reading(lambda kernel: kernel.engine.executions(after=after, limit=limit))
    if output == "json":
        from wingbeat_cli.render import document

        following = found[-1].id if len(found) == limit else None
        document.dump({"items": [document.summary(each) for each in found], "next": following})
    elif found:
        _table(found, driven=all(each.phase.terminal for each in found) or is_driven())
    else:
        click.echo("there are no executions", err=True)
    return 0


def _history(project: str, domain: str, entity: str, phase: str, after: str, limit: int, output: str) -> int:
    """Executions by what they are of: what the admin knows."""
    from wingbeat.contracts.admin import ExecutionPage, ExecutionQuery
    from wingbeat.spec.phase import ExecutionPhase
    from wingbeat_cli.door import is_driven, within

    if phase and phase not in ExecutionPhase.__members__:
        raise click.UsageError(f"there is no phase {phase!r}; phases are {', '.join(ExecutionPhase)}")
    wanted = ExecutionQuery(project, domain, entity, ExecutionPhase(phase) if phase else None, after, min(limit, 1000))

    async def work(kernel: Kernel) -> ExecutionPage:
        return await (await kernel.admin()).executions(wanted)

    page = within(work)
    if output == "json":
        from wingbeat_cli.render import document

        document.dump({"items": [document.entry(each) for each in page.items], "next": page.following or None})
    elif page.items:
        _table(page.items, driven=all(each.phase.terminal for each in page.items) or is_driven())
    else:
        click.echo("there are no such executions", err=True)
    return 0


def _table(found: Sequence[Summary | ExecutionEntry], *, driven: bool) -> None:
    from wingbeat_cli.render.table import coloured, columns, duration, echo, moment

    rows = [
        (
            each.id,
            getattr(each, "entity", "") or each.workflow,
            _phase(each, driven=driven),
            moment(each.created_at),
            duration(each.created_at, each.ended_at),
        )
        for each in found
    ]
    heading = ("ID", "WORKFLOW", "PHASE", "CREATED", "TOOK")
    echo(columns(rows, heading=heading, colour=coloured(sys.stdout)))


def _phase(each: Summary | ExecutionEntry, *, driven: bool) -> str:
    return each.phase.value if driven or each.phase.terminal else f"{each.phase.value} (no kernel)"


@command.command("execution")
@click.argument("id_", metavar="ID")
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
