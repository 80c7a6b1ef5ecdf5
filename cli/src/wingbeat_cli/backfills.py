"""`wingbeat create backfill`, `get backfills` and `get backfill`: commands of the groups `create` and `get`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wingbeat_cli.arguments import complete_backfills, reference_argument
from wingbeat_cli.group import not_empty, output_option

if TYPE_CHECKING:
    from datetime import tzinfo

    from wingbeat.contracts.admin import Admin, Entity
    from wingbeat.contracts.backfill import Backfill, BackfillEntry, Backfilling, BackfillPage, BackfillPlan
    from wingbeat.kernel import Kernel

F = TypeVar("F", bound=Callable[..., Any])

WAIT_S = 0.2
"""How often it is looked whether a backfill that is waited for has ended."""
PHASES = ("running", "paused", "aborted", "ended")


def backfill_argument() -> Callable[[F], F]:
    """The argument ``id_``: the id of a backfill."""
    return click.argument("id_", metavar="ID", shell_complete=complete_backfills)


def filling(admin: Admin) -> Backfilling:
    """The admin, as one that runs backfills. Raises ConfigurationError."""
    from wingbeat.base.errors import ConfigurationError
    from wingbeat.contracts.backfill import Backfilling

    if not isinstance(admin, Backfilling):
        raise ConfigurationError("the admin that is chosen runs no backfills", hint="wingbeat config show kernel.admin")
    return admin


# -- create


@click.command("backfill")
@reference_argument("PROJECT/DOMAIN/NAME[@VERSION]", "launchplan")
@click.option(
    "--from",
    "since",
    required=True,
    metavar="TIME",
    help="Ticks from then on: 2026-11-30, 2026-11-30T18:00, or 7d ago.",
)
@click.option("--to", "until", required=True, metavar="TIME", help="Those before then; not later than now.")
@click.option("--name", default="", metavar="ID", help="Id of the backfill; the same name again begins nothing new.")
@click.option(
    "--concurrency", type=click.IntRange(1, 1000), default=4, show_default=True, help="So many executions at once."
)
@click.option("--input", "pairs", multiple=True, metavar="NAME=VALUE", help="An input, the same for every tick.")
@click.option("--again", is_flag=True, help="Run also the ticks that have run already.")
@click.option("--reverse", is_flag=True, help="Begin with the newest tick.")
@click.option(
    "--notify-each", is_flag=True, help="Tell of each execution, as of those of the schedule; not once, of the whole."
)
@click.option("--dry-run", is_flag=True, help="Only show what it would do.")
@click.option("--wait", is_flag=True, help="Stay until it has ended.")
@output_option()
def create(reference: str, output: str, dry_run: bool, wait: bool, **given: Any) -> int:
    """Run the ticks of a launch plan's schedule within a range of time, each as an execution, below live work.

    A time without a zone is in that of the schedule. A tick that has an execution already is not run again, unless --again is
    given. It goes on where the admin is: in 'wingbeat serve', or in whatever command works with the home.
    """
    from wingbeat_cli.door import within

    return within(lambda kernel: _create(kernel, reference, output, dry_run=dry_run, wait=wait, given=given))


async def _create(
    kernel: Kernel, reference: str, output: str, *, dry_run: bool, wait: bool, given: dict[str, Any]
) -> int:
    from wingbeat_cli.moments import zone_of
    from wingbeat_cli.near import hinted
    from wingbeat_cli.render import document

    admin = await kernel.admin()
    backfilling = filling(admin)
    async with hinted(admin, reference):
        entity = await admin.entity(reference)
    wanted = _wanted(kernel, reference, entity, given)
    if dry_run:
        plan = await backfilling.backfill_plan(wanted)
        if output != "table":
            document.dump(document.backfill_plan(plan), output)
        else:
            _echo_plan(plan, wanted, zone_of(entity))
        return 0
    entry = await backfilling.create_backfill(wanted)
    if wait:
        entry = await over(backfilling, entry)
    if output != "table":
        document.dump(document.backfill(entry), output)
    else:
        click.echo(line(entry) if wait else entry.id)
    say_who_runs_it(kernel, entry)
    return 1 if wait and (entry.failed or entry.waiting) else 0


def _wanted(kernel: Kernel, reference: str, entity: Entity, given: dict[str, Any]) -> Backfill:
    from wingbeat.contracts.backfill import Backfill
    from wingbeat_cli.moments import moment_of, zone_of
    from wingbeat_cli.options import values_of

    zone = zone_of(entity)
    inputs = kernel.wires(entity.interface, values_of(click.get_current_context(), entity.interface, given["pairs"]))
    return Backfill(
        reference, moment_of(given["since"], zone), moment_of(given["until"], zone), inputs, given["name"], given["concurrency"],
        given["again"], given["reverse"], given["notify_each"],
    )  # fmt: skip


def say_who_runs_it(kernel: Kernel, entry: BackfillEntry) -> None:
    """Say that nobody does, where one is to go on and this process had the home."""
    if kernel.holds and entry.phase == "running":
        sys.stderr.write(
            "no process runs this home now: 'wingbeat serve' does, and any command that stays goes on with it\n"
        )


async def over(admin: Backfilling, entry: BackfillEntry) -> BackfillEntry:
    """It, when nothing of it goes on any more: also one that pauses does not."""
    import asyncio

    while entry.ended_at is None and (entry.phase != "paused" or entry.running):
        await asyncio.sleep(WAIT_S)
        entry = await admin.backfill(entry.id)
    return entry


def _echo_plan(plan: BackfillPlan, wanted: Backfill, zone: tzinfo) -> None:
    from wingbeat_cli.moments import shown

    runs = plan.total - plan.there
    click.echo(f"{plan.entity}: {plan.total:,} ticks, of which {plan.there:,} are there already; {runs:,} executions")
    for tick in plan.first:
        click.echo(f"  {shown(tick, zone)}")
    if plan.total > len(plan.first):
        click.echo(f"  … {plan.total - len(plan.first):,} more, the {'older' if wanted.reverse else 'newer'} ones")


# -- get


@click.command("backfills")
@click.option("--project", "-p", callback=not_empty, default="", help="Of this project only.")
@click.option("--domain", "-d", callback=not_empty, default="", help="Of this domain only.")
@click.option("--name", default="", help="Of the launch plan of this name only.")
@click.option("--phase", default="", type=click.Choice(["", *PHASES]), help="In this phase only.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@click.option("--after", default="", metavar="ID", help="Continue behind this one, the last of the list before.")
@output_option()
def backfills(project: str, domain: str, name: str, phase: str, limit: int, after: str, output: str) -> int:
    """List backfills, the newest first: how many of their ticks wait, run, have succeeded, have failed, were there already."""
    from wingbeat.contracts.backfill import BackfillPhase, BackfillQuery
    from wingbeat_cli.door import within

    wanted = BackfillQuery(project, domain, name, BackfillPhase(phase) if phase else None, after, limit)

    async def work(kernel: Kernel) -> BackfillPage:
        return await filling(await kernel.admin()).backfills(wanted)

    page = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump(
            {"items": [document.backfill(each) for each in page.items], "next": page.following or None}, output
        )
    elif page.items:
        _table(page.items)
    else:
        click.echo(
            "there are no such backfills" if project or domain or name or phase else "there are no backfills", err=True
        )
    return 0


def _table(found: list[BackfillEntry]) -> None:
    from wingbeat_cli.render.table import coloured, columns, echo, moment

    rows = [
        (
            each.id, each.entity, each.phase.value, moment(each.created_at),
            *(str(count) for count in (each.total, each.waiting, each.running, each.succeeded, each.failed, each.there)),
        )
        for each in found
    ]  # fmt: skip
    heading = ("ID", "LAUNCH PLAN", "PHASE", "CREATED", "TICKS", "WAITING", "RUNNING", "SUCCEEDED", "FAILED", "THERE")
    echo(columns(rows, heading=heading, colour=coloured(sys.stdout)))


@click.command("backfill")
@backfill_argument()
@output_option()
def backfill(id_: str, output: str) -> int:
    """Print how far a backfill is, and which of its ticks have failed."""
    from wingbeat_cli.door import within
    from wingbeat_cli.moments import zone_of

    async def work(kernel: Kernel) -> tuple[BackfillEntry, tzinfo]:
        admin = await kernel.admin()
        entry = await filling(admin).backfill(id_)
        return entry, zone_of(await admin.entity(entry.entity))

    entry, zone = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump(document.backfill(entry), output)
    else:
        _echo(entry, zone)
    return 0


def line(entry: BackfillEntry) -> str:
    """How far it is, in a line."""
    counts = ("waiting", "running", "succeeded", "failed")
    parts = [f"{getattr(entry, name):,} {name}" for name in counts if getattr(entry, name)]
    parts += [f"{entry.there:,} already there"] if entry.there else []
    why = f" ({entry.reason})" if entry.reason else ""
    return f"{entry.id} {entry.phase.value}{why}: {', '.join(parts)}, of {entry.total:,} ticks"


def _echo(entry: BackfillEntry, zone: tzinfo) -> None:
    from wingbeat_cli.moments import shown
    from wingbeat_cli.render.table import coloured, columns, echo

    click.echo(line(entry))
    words = (("again", entry.again), ("the newest first", entry.reverse), ("each is told of", entry.notify_each))
    options = [word for word, is_on in words if is_on]
    click.echo(
        f"  of {entry.entity}, from {shown(entry.since, zone)} to {shown(entry.until, zone)}, "
        + ", ".join([f"{entry.concurrency} at once", *options])
        + f"; by {entry.by}"
    )
    if entry.failures:
        rows = [(shown(each.tick, zone), each.execution, each.reason) for each in entry.failures]
        echo(columns(rows, heading=("FAILED TICK", "EXECUTION", "WHY"), colour=coloured(sys.stdout)))
    if entry.failed > len(entry.failures):
        click.echo(f"and {entry.failed - len(entry.failures):,} more")
    if entry.failed and entry.phase.value != "aborted":
        click.echo(f"wingbeat backfill resume {entry.id} --failed runs them again", err=True)
