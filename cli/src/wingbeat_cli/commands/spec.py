"""`wingbeat spec`: what a file or an execution is compiled to, and what differs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.spec.entities import Closure


@click.group("spec", context_settings=HELP)
def command() -> None:
    """Look at what workflows are compiled to. SOURCE is FILE:ENTITY, or the id of an execution: what that runs."""


@command.command("show")
@click.argument("source")
def show(source: str) -> int:
    """Print a spec as JSON: the workflow at its root, and every task and workflow that it reaches, by digest."""
    import msgspec

    from wingbeat.spec.codec import canonical

    click.echo(msgspec.json.format(canonical(_closure(source)), indent=2).decode())
    return 0


@command.command("diff")
@click.argument("old")
@click.argument("new")
@output_option()
def diff(old: str, new: str, output: str) -> int:
    """Say what differs between two specs, each FILE:ENTITY or the id of an execution. Exit status 1 if anything does."""
    from wingbeat.spec.diff import differences

    found = differences(_closure(old), _closure(new))
    if output != "table":
        import msgspec

        from wingbeat_cli.render import document

        document.dump({"old": old, "new": new, "differences": [msgspec.to_builtins(each) for each in found]}, output)
    else:
        for each in found:
            click.echo(str(each))
        if not found:
            click.echo("They are the same.")
    return int(bool(found))


@command.command("lint")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@output_option()
def lint(file: str, output: str) -> int:
    """Compile every workflow and task of FILE, and say what is wrong with which; nothing runs. Exit status 3 if anything is."""
    from wingbeat.base.errors import CompileError
    from wingbeat.kernel import compile_file, entities_of
    from wingbeat_cli.door import given
    from wingbeat_cli.errors import COMPILE

    wrong: dict[str, str] = {}
    names = entities_of(file)
    for name in names:
        try:
            compile_file(file, name, settings=given())
        except CompileError as error:
            wrong[name] = str(error)
    if output != "table":
        from wingbeat_cli.render import document

        document.dump({"file": file, "entities": names, "problems": wrong}, output)
    else:
        for name in names:
            click.echo(f"{name}: {wrong.get(name, 'ok')}")
    return COMPILE if wrong else 0


def _closure(source: str) -> Closure:
    """Of a file's workflow or task, or what an execution runs. Raises as these do."""
    file, mark, entity = source.rpartition(":")
    if mark and (file.endswith(".py") or os.path.isfile(file)):
        from wingbeat.kernel import compile_file
        from wingbeat_cli.door import given

        return compile_file(file, entity, settings=given())
    from wingbeat_cli.door import reading

    async def work(kernel: Any) -> Closure:
        found: Closure = await kernel.engine.closure(source)
        return found

    return reading(work)
