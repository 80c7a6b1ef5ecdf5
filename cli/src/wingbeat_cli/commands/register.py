"""`wingbeat register [PATH]...`: take up what is defined there, under a version."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, not_empty, output_option

if TYPE_CHECKING:
    from wingbeat.base.errors import ConflictError
    from wingbeat.contracts.admin import Registered, Registration
    from wingbeat.kernel import Kernel


@click.command("register", context_settings=HELP)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True))
@click.option(
    "--project", "-p", callback=not_empty, default="", help="Whose it is; by default, that of the setting project.name."
)
@click.option(
    "--domain",
    "-d",
    callback=not_empty,
    default="",
    help="Where it is used, as production; by default, project.domain.",
)
@click.option(
    "--version", callback=not_empty, default="", help="Of everything in it; by default, one made from its content."
)
@click.option("--activate", is_flag=True, help="Have triggers start this version of the launch plans among it, too.")
@click.option(
    "--verbose", "-v", is_flag=True, help="List the files of folders that were left out, as they define nothing."
)
@output_option()
def command(
    paths: tuple[str, ...], project: str, domain: str, version: str, activate: bool, verbose: bool, output: str
) -> int:
    """Take up the workflows, tasks and launch plans of files, or of a folder and those below (by default this one): all, or none.

    Of a folder those files are imported that define something, by their syntax: a function under @task or @workflow, or a name
    that is given a LaunchPlan, also by way of the project's own helpers. Scripts that only run something are left out. A file
    that is named is always imported.

    From then on `wingbeat launch` runs them without their sources. A version never changes: the same content again is fine,
    another one is refused.
    """
    from wingbeat.base.errors import ConflictError
    from wingbeat.contracts.admin import Registration
    from wingbeat.kernel import definitions_of, left_out_of, place_of
    from wingbeat_cli.door import given, within
    from wingbeat_cli.interrupts import undone

    with undone():
        left_out = left_out_of(paths or ".")
        _say(left_out, verbose=verbose)
        warnings: list[str] = []
        definitions = definitions_of(paths or ".", settings=given(), warnings=warnings)
    name, where = place_of(given())
    registration = Registration(project or name, domain or where, tuple(definitions), version)
    try:
        within(lambda kernel: _register(kernel, registration, activate, output, left_out, warnings))
    except ConflictError as error:
        error.hint = _with_diff(error, paths)
        raise
    return 0


def _with_diff(error: ConflictError, paths: tuple[str, ...]) -> str:
    """The hint of a refusal, which knows digests of code only, with the command that names the files that differ."""
    id_, there, _ = error.message.partition(" is registered already, with another content")
    if not there:
        return error.hint
    file = paths[0] if len(paths) == 1 and os.path.isfile(paths[0]) else "FILE"
    entity = id_.rpartition("@")[0].rpartition("/")[2].rpartition(".")[2]
    return f"{error.hint}\n  Which files differ is told by: wingbeat spec diff {id_} {file}:{entity}"


def _say(left_out: list[str], *, verbose: bool) -> None:
    if not left_out:
        return
    one = len(left_out) == 1
    files = (
        "1 file speaks of wingbeat, defines nothing and was"
        if one
        else f"{len(left_out)} files speak of wingbeat, define nothing and were"
    )
    more = ":" if verbose else f"; --verbose lists {'it' if one else 'them'}"
    click.echo(f"{files} left out{more}", err=True)
    for file in left_out if verbose else ():
        click.echo(f"  {file}", err=True)


async def _register(
    kernel: Kernel,
    registration: Registration,
    activate: bool,
    output: str,
    left_out: list[str],
    compiling: list[str],
) -> None:
    from wingbeat.base.errors import WingbeatError
    from wingbeat.contracts.admin import Kind
    from wingbeat_cli.remembered import remember

    admin = await kernel.admin()
    found = await admin.register(registration)
    remember((each.kind, each.id) for each in found)
    active, refused = [], None
    warnings = compiling + [f"{each.id}: {warning}" for each in found for warning in each.warnings]
    for each in found if activate else ():
        if each.kind is Kind.LAUNCHPLAN:
            try:
                warnings += [f"{each.id}: {warning}" for warning in (await admin.activate(each.id)).warnings]
            except WingbeatError as error:
                refused = refused or error
            else:
                active.append(each.id)
    warnings = list(dict.fromkeys(warnings))
    if output != "table":
        import msgspec

        from wingbeat_cli.render import document

        version = found[0].id.rpartition("@")[2]
        names = ("id", "kind", "created")
        entities = [
            {**{name: msgspec.to_builtins(getattr(each, name)) for name in names}, "active": each.id in active}
            for each in found
        ]
        document.dump({"version": version, "entities": entities, "left_out": left_out, "warnings": warnings}, output)
    else:
        _table(found, active)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if refused is not None:  # what is registered is told all the same
        raise refused


def _table(found: list[Registered], active: list[str]) -> None:
    from wingbeat_cli.render.table import coloured, columns, echo

    notes = [["new" if each.created else "already there", *(["active"] if each.id in active else [])] for each in found]
    rows = [(each.id, each.kind.label, ", ".join(note)) for each, note in zip(found, notes, strict=True)]
    echo(columns(rows, heading=("ID", "KIND", ""), colour=coloured(sys.stdout)))
