"""`wingbeat lineage ARTIFACT|ID`: where something comes from, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wingbeat.contracts.artifacts import Artifacts, Lineage
    from wingbeat.kernel import Kernel


_BACK = {"published": "published by", "taken by": "took", "fired": "fired by", "launched": "launched by"}


@click.command("lineage", context_settings=HELP)
@click.argument("id_", metavar="[PROJECT/DOMAIN/]NAME[@EXECUTION]|ID")
@output_option()
def command(id_: str, output: str) -> int:
    """Show where an artifact or an execution comes from, and what came of it.

    An artifact without a version is its newest one, and without a place one of the project and domain of the settings, unless an
    execution has this id. Executions publish artifacts and take them; and their ends start others.
    """
    from wingbeat_cli.commands.get import keeping
    from wingbeat_cli.door import within

    if not id_.strip():
        raise click.UsageError("name an artifact, or the id of an execution")

    async def work(kernel: Kernel) -> Lineage:
        return await _lineage(keeping(await kernel.admin()), id_)

    found = within(work)
    if output != "table":
        import msgspec

        from wingbeat_cli.render import document

        document.dump(msgspec.to_builtins(found), output)
    else:
        _tell(found)
    return 0


async def _lineage(artifacts: Artifacts, id_: str) -> Lineage:
    """Of an execution, or of an artifact. Raises NotFound."""
    from wingbeat.base.errors import NotFound
    from wingbeat_cli.arguments import placed

    if "/" in id_ or "@" in id_:  # which are in no id of an execution
        return await artifacts.lineage(placed(id_))
    try:
        return await artifacts.lineage(id_)
    except NotFound as missing:
        try:
            return await artifacts.lineage(placed(id_))
        except NotFound as error:
            raise NotFound(f"{missing.message} {error.message}", hint=error.hint) from None


def _tell(found: Lineage) -> None:
    before, after = found.sources_elsewhere, found.effects_elsewhere
    if not (found.sources or found.effects or before or after):
        click.echo(f"{found.id} comes from nothing that is known, and nothing came of it", err=True)
        return
    if found.sources or before:
        click.echo(f"{found.id} comes from:")
        _tree(found.id, [(tie.target, _BACK[tie.kind], tie.source) for tie in found.sources])
        _tell_elsewhere(before)
    if found.effects or after:
        click.echo(f"{found.id} led to:")
        _tree(found.id, [(tie.source, tie.kind, tie.target) for tie in found.effects])
        _tell_elsewhere(after)
    if not found.whole:
        click.echo("… and more than is shown")


def _tell_elsewhere(count: int) -> None:
    """As of who refers to what is registered."""
    if count:
        things = "execution or artifact" if count == 1 else "executions or artifacts"
        click.echo(f"  {count:,} {things} where you may not look")


def _tree(root: str, ties: Sequence[tuple[str, str, str]]) -> None:
    """What hangs on something, each with what hangs on that below it; once. Ties may be as deep as there are any."""
    below: dict[str, list[tuple[str, str]]] = {}
    for near, kind, far in ties:
        below.setdefault(near, []).append((kind, far))
    seen, todo = {root}, [(1, *each) for each in reversed(below.get(root, []))]
    while todo:
        depth, kind, name = todo.pop()
        again = name in seen and name in below
        click.echo(f"{'  ' * depth}{kind} {name}" + (" (see above)" if again else ""))
        if name not in seen:
            seen.add(name)
            todo += [(depth + 1, *each) for each in reversed(below.get(name, []))]
