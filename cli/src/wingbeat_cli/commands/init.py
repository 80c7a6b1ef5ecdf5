"""`wingbeat init`: begin something of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from wingbeat_cli.group import HELP

SEAMS = (
    "executor", "storage", "catalog", "journal", "observer", "notifier", "types", "wrapper", "secrets", "environments", "admin",
    "engine", "command",
)  # fmt: skip


@click.group("init", context_settings=HELP)
def command() -> None:
    """Begin something of your own from a template."""


@command.command("plugin")
@click.argument("name")
@click.option(
    "--seam", type=click.Choice(SEAMS), default="observer", show_default=True, help="What the plugin is to offer."
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where its folder is made; by default here.",
)
def plugin(name: str, seam: str, into: Path) -> int:
    """Write the package of a plugin, with its tests, into a new folder NAME.

    Observers, notifiers, types, wrappers, sources of secrets and commands work as they are written; of the others, each call says
    what it has to do.
    """
    from wingbeat_cli.scaffold.plugin import write

    folder = write(name, seam, into)
    click.echo(f"""\
Wrote {folder}. What to do next:

  cd {folder}
  pip install -e ".[test]"
  pytest
  wingbeat plugins check {name}

README.md says what is in which file.""")
    return 0
