"""`wingbeat get executions`, a command of that group: as the engine has them, or the history."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.arguments import complete_references
from wingbeat_cli.group import output_option
from wingbeat_cli.selecting import NEWEST_FIRST, pairs, place_options, sort_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wingbeat.contracts.admin import ExecutionEntry, ExecutionQuery
    from wingbeat.contracts.engine import Summary
    from wingbeat.kernel import Kernel


def _phases(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from wingbeat.spec.phase import ExecutionPhase

    return [phase for phase in ExecutionPhase if phase.startswith(incomplete.upper())]


@click.command("executions")
@place_options
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
@click.option(
    "--where",
    "values",
    multiple=True,
    metavar="CONDITION",
    help="As inputs.city=sf or outputs.o0>=0.5; with --entity, values as options of launch take them.",
)
@click.option("--since", default="", metavar="TIME", help="Launched then or later: 2026-11-30T18:00, or 2h ago.")
@click.option("--until", default="", metavar="TIME", help="Launched before that.")
@sort_option(
    "EXECUTION_SORTS",
    "By created_at, ended_at, duration, name, version, workflow, phase, by, inputs.NAME, outputs.NAME or labels.NAME",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@click.option(
    "--after",
    default="",
    metavar="ID",
    help="Continue behind this execution, or what -o json calls next: where the list before has ended.",
)
@output_option()
def executions(limit: int, after: str, output: str, **wanted: Any) -> int:
    """List executions, the newest first.

    What is asked by more than their number is the history: what is registered, and what was run in a home that has an admin.

    A list that is sorted by what some do not have, as an end or an input, leaves these out.

    Executions go on while a process has their home open: `wingbeat run`, or a program with a Kernel. Where none has, those
    that have not ended are marked "no kernel": nothing decides for them. The same `wingbeat run` again goes on with its
    own, and any process that opens the home goes on with all of them.
    """
    from wingbeat.kernel import home_path
    from wingbeat_cli.door import is_elsewhere, reading
    from wingbeat_cli.render.listing import entry_of

    if any(wanted[name] for name in wanted if name != "sort") or wanted["sort"] != NEWEST_FIRST:
        return _history(_query(wanted, after, limit), output)
    found: list[Summary] = []
    if is_elsewhere() or home_path().is_dir():
        found = reading(lambda kernel: kernel.engine.executions(after=after, limit=limit))
    following = found[-1].id if len(found) == limit else ""
    return _show([entry_of(each) for each in found], following, output, "there are no executions")


def _query(wanted: dict[str, Any], after: str, limit: int) -> ExecutionQuery:
    from wingbeat.contracts.admin import BY_LABEL, ExecutionQuery
    from wingbeat.spec.phase import ExecutionPhase

    phase = wanted["phase"]
    if phase and phase not in ExecutionPhase.__members__:
        raise click.UsageError(f"there is no phase {phase!r}; phases are {', '.join(ExecutionPhase)}")
    labels = pairs("--label", wanted["labels"]) | ({BY_LABEL: wanted["by"]} if wanted["by"] else {})
    return ExecutionQuery(
        wanted["project"], wanted["domain"], wanted["entity"], ExecutionPhase(phase) if phase else None, after, limit,
        wanted["workflow"], labels, _moment(wanted["since"]), _moment(wanted["until"]),
        tuple(wanted["values"]), wanted["sort"],
    )  # fmt: skip


def _moment(text: str) -> float | None:
    """Epoch seconds of a moment; None where none is given."""
    from wingbeat_cli.moments import moment_of

    return moment_of(text) if text else None


def _history(wanted: ExecutionQuery, output: str) -> int:
    """Executions by what they are of: what the admin knows."""
    from msgspec.structs import replace

    from wingbeat.contracts.admin import ExecutionPage
    from wingbeat_cli.door import within
    from wingbeat_cli.stored import stored_conditions

    async def work(kernel: Kernel) -> tuple[ExecutionPage, list[str]]:
        admin = await kernel.admin()
        values = await stored_conditions(admin, wanted.entity, wanted.values)
        page = await admin.executions(replace(wanted, values=tuple(each.text for each in values)))
        return page, [each.known for each in values if each.known]

    page, known = within(work)
    return _show(page.items, page.following, output, "; ".join(["there are no such executions", *known]))


def _show(found: Sequence[ExecutionEntry], following: str, output: str, none: str) -> int:
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"items": [document.entry(each) for each in found], "next": following or None}, output)
    elif found:
        _table(found)
    else:
        click.echo(none, err=True)
    return 0


def _table(found: Sequence[ExecutionEntry]) -> None:
    from wingbeat_cli.door import is_driven
    from wingbeat_cli.render.listing import table
    from wingbeat_cli.render.table import coloured, echo

    driven = all(each.phase.terminal for each in found) or is_driven()
    echo(table(found, driven=driven, colour=coloured(sys.stdout)))
