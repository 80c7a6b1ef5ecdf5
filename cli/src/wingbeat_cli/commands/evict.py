"""`wingbeat evict`: let go of what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.catalog import Evicted
    from wingbeat.kernel import Kernel


@click.group("evict", context_settings=HELP)
def command() -> None:
    """Forget what is kept."""


@command.command("cache")
@click.option(
    "--task",
    metavar="NAME",
    help="Entries of this task, by its full name: module.function, or PROJECT/DOMAIN/module.function.",
)
@click.option("--key", metavar="DIGEST", help="The entry of this key, as `wingbeat explain cache` shows it.")
@click.option("--older-than", metavar="AGE", help="Entries published so long ago, or longer: 90s, 1h30m, 7d.")
@click.option("--all", "everything", is_flag=True, help="All entries.")
@output_option()
@click.pass_context
def cache(
    ctx: click.Context,
    /,
    task: str | None,
    key: str | None,
    older_than: str | None,
    everything: bool,
    output: str,
) -> int:
    """Remove entries of the cache: those that all the given options select.

    What they stand for is computed anew when it is asked for. No disk space is freed but that of the entries themselves:
    the values stay in the storage of the home, where executions refer to them.
    """
    given = [task, key, older_than]
    if everything and any(value is not None for value in given):
        raise click.UsageError("--all takes everything; leave the other options out, or --all", ctx)
    if not everything and all(value is None for value in given):
        raise click.UsageError("say which entries: --task, --key, --older-than, or --all", ctx)
    from wingbeat.base.units import format_size, parse_duration_s
    from wingbeat_cli.door import within

    try:
        seconds = None if older_than is None else parse_duration_s(older_than)
    except ValueError as error:
        raise click.UsageError(f"--older-than: {error}", ctx) from None

    async def work(kernel: Kernel) -> Evicted:
        return await kernel.evict_cache(key=key, task=task, older_than=seconds, everything=everything)

    evicted = within(work, existing=True)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"entries": evicted.entries, "bytes": evicted.size}, output)
    else:
        entries = f"{evicted.entries} entr{'y' if evicted.entries == 1 else 'ies'}"
        click.echo(f"evicted {entries} of {format_size(evicted.size)}; the values themselves stay in storage")
        if task and not evicted.entries and "/" not in task:
            click.echo(
                "a task outside of default/development is known by its whole name: PROJECT/DOMAIN/NAME", err=True
            )
    return 0
