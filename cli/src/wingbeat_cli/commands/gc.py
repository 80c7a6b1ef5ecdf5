"""`wingbeat gc`: let go of what is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.retention import Collected
    from wingbeat.kernel import Kernel


@click.command("gc", context_settings=HELP)
@click.option("--dry-run", is_flag=True, help="Remove nothing; say what would go.")
@output_option()
def command(dry_run: bool, output: str) -> int:
    """Let go of what is over: executions whose time is over, with their logs and decks, entries of the cache that nobody has asked
    for, environments that no task was given, and files that nothing refers to any more.

    Executions are kept for the days of the setting retention.days when they have ended, or of retention_days of their launch plan;
    what nobody asks for goes after the days of that setting.
    A server, and any kernel that stays open, does this once a day by itself.
    """
    from wingbeat_cli.door import within

    async def work(kernel: Kernel) -> Collected:
        return await kernel.collect(dry=dry_run)

    found = within(work, existing=True)
    if output != "table":
        import msgspec

        from wingbeat_cli.render import document

        document.dump(msgspec.to_builtins(found), output)
    else:
        _tell(found)
    return 0


def _tell(found: Collected) -> None:
    from wingbeat.base.units import format_size

    did = "would remove" if found.dry else "removed"
    bundled = f" and {_count(found.closures, 'compiled workflow')} that nothing runs" if found.closures else ""
    click.echo(
        f"{did} {_count(found.executions, 'execution')} ({format_size(found.folders_bytes)} of logs and decks){bundled}"
    )
    if found.entries:
        click.echo(f"{did} {_count(found.entries, 'entry', 'entries')} of the cache that nobody has asked for")
    click.echo(f"{did} {_count(found.blobs, 'file')} that nothing refers to ({format_size(found.blobs_bytes)})")
    if found.environments:
        size = format_size(found.environments_bytes)
        click.echo(f"{did} {_count(found.environments, 'environment')} that no task was given ({size})")
    if found.backfills:
        click.echo(f"{did} {_count(found.backfills, 'backfill')}")
    if found.refusals:
        click.echo(f"{did} {_count(found.refusals, 'launch that was', 'launches that were')} refused")
    if found.uploads:
        click.echo(f"{did} {_count(found.uploads, 'upload')} that broke off")
    for why, count in sorted(found.kept.items()):
        click.echo(f"kept {_count(count, 'execution')} whose time is over: {why}")
    for sentence in found.skipped:
        click.echo(sentence, err=True)


def _count(count: int, what: str, many: str = "") -> str:
    return f"{count:,} {what if count == 1 else many or what + 's'}"
