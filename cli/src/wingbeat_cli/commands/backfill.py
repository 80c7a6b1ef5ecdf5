"""`wingbeat backfill`: what runs a range of a schedule pauses, goes on, or is stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click

from wingbeat_cli.backfills import backfill_argument
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.backfill import BackfillEntry, Backfilling
    from wingbeat.kernel import Kernel


@click.group("backfill", context_settings=HELP)
def command() -> None:
    """Pause what runs a range of a schedule, go on with it, or stop it.

    'wingbeat create backfill' begins one, 'wingbeat get backfills' lists them.
    """


@command.command("pause")
@backfill_argument()
@click.option("--reason", default="", help="Why; shown with it. Without one, what is told already stays.")
@output_option()
def pause(id_: str, reason: str, output: str) -> int:
    """Have a backfill begin no execution until it goes on. Those that run go on."""
    return _change(lambda admin: admin.pause_backfill(id_, reason), output)


@command.command("resume")
@backfill_argument()
@click.option("--failed", is_flag=True, help="Also run the ticks again that have failed.")
@output_option()
def resume(id_: str, failed: bool, output: str) -> int:
    """Have a backfill go on; with --failed, also one that has ended."""
    return _change(lambda admin: admin.resume_backfill(id_, failed=failed), output)


@command.command("abort")
@backfill_argument()
@click.option("--reason", default="aborted from the command line", show_default=True, help="Why; kept with it.")
@output_option()
def abort(id_: str, reason: str, output: str) -> int:
    """Have a backfill begin no execution any more, and stop those that run. Returns when they have ended."""
    from wingbeat_cli.backfills import over

    async def stop(admin: Backfilling) -> BackfillEntry:
        return await over(admin, await admin.abort_backfill(id_, reason))

    return _change(stop, output)


def _change(change: Callable[[Backfilling], Awaitable[BackfillEntry]], output: str) -> int:
    from wingbeat_cli.backfills import filling, line, say_who_runs_it
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> BackfillEntry:
        entry = await change(filling(await kernel.admin()))
        say_who_runs_it(kernel, entry)
        return entry

    entry = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump(document.backfill(entry), output)
    else:
        click.echo(line(entry))
    return 0
