"""`wingbeat login`: prove to a server who one is."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel


@click.command("login", context_settings=HELP)
@click.option("--device", is_flag=True, help="Confirm a code with any device, instead of a browser of this machine.")
@click.option("--api-key", is_flag=True, help="Keep an API key instead, which is read from standard input.")
@output_option()
def command(device: bool, api_key: bool, output: str) -> int:
    """Prove to the server of WINGBEAT_ENDPOINT, or --endpoint, who you are; commands go on with that.

    What proves it is kept in your folder of settings, in a file that nobody else can read. WINGBEAT_API_KEY comes before it.
    """
    from wingbeat.contracts.access import access_of
    from wingbeat_cli.door import within

    key = ""
    if api_key:
        key = click.prompt("API key", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline().strip()
        if not key:
            raise click.UsageError("there is no key on standard input")

    def show(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    async def work(kernel: Kernel) -> str:
        return await access_of(await kernel.admin()).login(show, device=device, key=key)

    principal = within(work)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"principal": principal}, output)
    else:
        click.echo(f"you are {principal or 'known'}")
    if os.environ.get("WINGBEAT_API_KEY"):
        show("warning: WINGBEAT_API_KEY is set, and commands go by that")
    return 0
