"""`wingbeat completion SHELL`: the script that completes commands."""

from __future__ import annotations

import click

from wingbeat_cli.group import HELP

SHELLS = """\
\b
bash:  eval "$(wingbeat completion bash)"         in ~/.bashrc
zsh:   eval "$(wingbeat completion zsh)"          in ~/.zshrc, behind compinit
fish:  wingbeat completion fish | source          in ~/.config/fish/config.fish
"""


@click.command("completion", context_settings=HELP, epilog=SHELLS)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the script that has a shell complete commands, options, ids of executions and what is registered."""
    from wingbeat_cli.completing import script

    click.echo(script(shell), nl=False)
    return 0
