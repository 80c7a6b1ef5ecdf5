"""What `recover` and `relaunch` have in common: the version that is run again, and the name of the new execution."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wingbeat_cli.arguments import execution_argument

if TYPE_CHECKING:
    from wingbeat.spec.entities import Closure

F = TypeVar("F", bound=Callable[..., Any])


def again_arguments(f: F) -> F:
    """The arguments ``id_``, ``file`` and ``entity``, and the option ``name``."""
    help_ = "Id of the new execution; the same name again starts nothing new."
    f = click.option("--name", default="", metavar="NEW", help=help_)(f)
    f = click.argument("entity", required=False)(f)
    f = click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))(f)
    return execution_argument()(f)


def new_version(
    ctx: click.Context, file: str | None, entity: str | None
) -> tuple[Closure | None, tuple[str, str] | None]:
    """The new version that was named, compiled, and where it is from; nothing if the same is run again. Raises UsageError."""
    if file is None:
        return None, None
    if entity is None:
        raise click.UsageError(f"name the workflow too: {ctx.command_path} ID FILE ENTITY", ctx)
    from wingbeat.kernel import compile_file
    from wingbeat_cli.door import given

    return compile_file(file, entity, settings=given()), (file, entity)
