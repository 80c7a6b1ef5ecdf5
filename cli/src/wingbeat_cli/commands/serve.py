"""`wingbeat serve`: this home for others, over HTTP; and what runs in it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, Session

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel

PORT = 8765


@click.command("serve", context_settings=HELP)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes one that is free."
)
@click.pass_context
def command(ctx: click.Context, host: str, port: int) -> int:
    """Run this home: its executions, its triggers, and its HTTP API, until it is stopped by Ctrl-C or SIGTERM.

    Prints `ready URL` once it answers. Other commands, here or elsewhere, work with it by WINGBEAT_ENDPOINT or --endpoint.
    What runs when it stops goes on, and is taken up by the next one.
    """
    from wingbeat_cli.door import within

    if (session := ctx.find_object(Session)) is not None:
        session.endpoint = ""  # it serves the home here, also in a shell that works with the server before it
    within(lambda kernel: _serve(kernel, host, port))
    return 0


async def _serve(kernel: Kernel, host: str, port: int) -> None:
    import asyncio
    import signal

    serving = asyncio.ensure_future(kernel.serve(host, port, ready=lambda url: click.echo(f"ready {url}")))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        click.echo("stopped; nothing is lost", err=True)
