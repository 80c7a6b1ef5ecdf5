"""`wingbeat deck`: the page that an attempt has made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wingbeat_cli.arguments import execution_argument
from wingbeat_cli.group import HELP

if TYPE_CHECKING:
    from wingbeat.kernel import Kernel

_TOLD_MAX = 5


@click.command("deck", context_settings=HELP)
@execution_argument()
@click.argument("node")
@click.option(
    "--attempt", type=click.IntRange(0), help="Which attempt, from 0 on; by default the last that made a page."
)
@click.option("--open", "opening", is_flag=True, help="Show it in the browser.")
@click.option(
    "--out", type=click.Path(dir_okay=False, allow_dash=True), metavar="FILE", help="Copy it to FILE; '-' prints it."
)
def command(id_: str, node: str, attempt: int | None, opening: bool, out: str | None) -> int:
    """Print the path of the page that a node has made, or show or copy the page; of a map, that of the first item that has one."""
    from wingbeat_cli.door import reading

    (of, path), *others = reading(lambda kernel: _find(kernel, id_, node, attempt))
    if others:
        told = ", ".join(other for other, _ in others[:_TOLD_MAX]) + (", …" if len(others) > _TOLD_MAX else "")
        click.echo(f"this is the page of {of}; these have one too: {told}", err=True)
    if out == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(path.read_bytes())
    elif out is not None:
        _copy(path, out)
    if opening:
        import webbrowser

        if not webbrowser.open(path.as_uri()):
            click.echo(f"no browser could be started; the page is {path}", err=True)
            return 1
    elif out is None:
        click.echo(str(path))
    return 0


async def _find(kernel: Kernel, id_: str, node: str, attempt: int | None) -> list[tuple[str, Path]]:
    """The newest page of the node, or of each of its items. Raises `NotFound`."""
    from wingbeat.base.errors import NotFound
    from wingbeat_cli.attempts import meant
    from wingbeat_cli.commands.logs import Chosen

    view = await (await kernel.get(id_)).describe()
    await kernel.bring_logs(id_)
    found: list[tuple[str, Path]] = []
    for each in Chosen(view, node, kernel).nodes:
        known = sorted({*(a.number for a in each.attempts), *kernel.attempts(id_, each.id)})
        paths = [kernel.deck_path(id_, each.id, number) for number in reversed(meant(each, known, attempt))]
        found += [(each.id, path) for path in paths if path.is_file()][:1]
    if found:
        return found
    which = "" if attempt is None else f", attempt {attempt},"
    raise NotFound(
        f"node {node} of execution {id_}{which} has made no page", hint="a task makes one with wingbeat.current().deck"
    )


def _copy(path: Path, out: str) -> None:
    import shutil

    try:
        shutil.copyfile(path, out)
    except OSError as error:
        raise click.FileError(out, error.strerror or str(error)) from error
