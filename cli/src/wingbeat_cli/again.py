"""What `recover` and `relaunch` have in common: what is run again, the name of the new execution, and whether to stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from wingbeat_cli.arguments import complete_versions, execution_argument, placed
from wingbeat_cli.group import output_option

if TYPE_CHECKING:
    from wingbeat.kernel import Execution, Kernel
    from wingbeat.spec.entities import Closure

F = TypeVar("F", bound=Callable[..., Any])


class Version(NamedTuple):
    """What is run in the place of an execution.

    Attributes:
        entity: A workflow that was compiled, or the reference of one that is registered; None: what the execution has run.

        source: The file and the entity that it is from.
    """

    entity: Closure | str | None = None
    source: tuple[str, str] | None = None


class Wish(NamedTuple):
    """How it is asked for."""

    name: str
    wait: bool
    output: str


def again_arguments(f: F) -> F:
    """The arguments ``id_``, ``version`` and ``entity``, and the options ``name``, ``wait`` and ``output``."""
    name = "Id of the new execution; the same name again starts nothing new."
    wait = (
        "Stay until it has ended, as without a word, where Ctrl-C aborts it; or leave it to the process that runs the home, "
        "and print its id."
    )
    f = output_option()(f)
    f = click.option("--wait/--no-wait", default=True, help=wait)(f)
    f = click.option("--name", default="", metavar="NEW", help=name)(f)
    f = click.argument("entity", required=False, metavar="ENTITY]")(f)
    f = click.argument("version", required=False, metavar="[REFERENCE | FILE", shell_complete=complete_versions)(f)
    return execution_argument()(f)


def new_version(ctx: click.Context, version: str | None, entity: str | None) -> Version:
    """The version that was named: a file, which is compiled, or a reference. Raises UsageError."""
    from pathlib import Path

    if version is None:
        return Version()
    is_file = Path(version).is_file()
    if entity is None and is_file:
        raise click.UsageError(f"name the workflow too: {ctx.command_path} ID FILE ENTITY", ctx)
    if entity is None and not version.endswith(".py"):
        return Version(placed(version))
    if not is_file:
        raise click.UsageError(f"there is no file {version}", ctx)
    from wingbeat.kernel import compile_file
    from wingbeat_cli.door import given

    assert entity is not None, "else it is a reference"
    return Version(compile_file(version, entity, settings=given()), (version, entity))


async def stay_or_leave(
    kernel: Kernel, execution: Execution, wish: Wish, note: str, version: Version, *, again: bool
) -> int:
    """Follow it to its end, or print its id; the exit status. `again` says whether the same command goes on with it."""
    from wingbeat_cli.follow import follow, left

    if wish.wait:
        return await follow(kernel, execution, wish.output, note=note, source=version.source, again=again)
    told = {"id": execution.id, "created": execution.created, "recovered": execution.recovered}
    return left(kernel, told, wish.output)
