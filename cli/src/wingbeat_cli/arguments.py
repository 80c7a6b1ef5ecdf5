"""Arguments that name what is there: executions, and what is registered; with what a shell completes them to."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from wingbeat.kernel import Kernel

F = TypeVar("F", bound=Callable[..., Any])

SHOWN_MAX = 200
"""How many are offered: the newest."""


def execution_argument() -> Callable[[F], F]:
    """The argument ``id_``: the id of an execution."""
    return click.argument("id_", metavar="ID", shell_complete=complete_executions)


def reference_argument(metavar: str, *kinds: str) -> Callable[[F], F]:
    """The argument ``reference``: ``project/domain/name@version``. A name alone is one of the place that the settings say.

    Args:
        metavar: How the help names it; one without ``@`` takes no version.

        kinds: ``task``, ``workflow``, ``launchplan``; by default all.
    """

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        found = _references(ctx, kinds)
        return _beginning(found if "@" in metavar else _names(found), incomplete)

    return click.argument("reference", metavar=metavar, shell_complete=complete, callback=_placed)


def _placed(ctx: click.Context, param: click.Parameter, value: str) -> str:
    return value if ctx.resilient_parsing else placed(value)


def placed(reference: str) -> str:
    """A reference; a name alone is one of the place that the settings say."""
    if "/" in reference:
        return reference
    from wingbeat.kernel import place_of
    from wingbeat_cli.door import given

    return "/".join((*place_of(given()), reference))


def complete_executions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of the newest executions."""

    async def ask(kernel: Kernel) -> list[str]:
        return [each.id for each in await kernel.engine.executions(limit=SHOWN_MAX)]

    return _beginning(_read(ctx, ask), incomplete)


def complete_backfills(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of the newest backfills of a server; those of a home cannot be asked for without a kernel, which goes on with them."""
    from wingbeat_cli.door import is_elsewhere

    with ctx.scope(cleanup=False):
        if not is_elsewhere():
            return []

    async def ask(kernel: Kernel) -> list[str]:
        from wingbeat.contracts.backfill import BackfillQuery
        from wingbeat_cli.backfills import filling

        page = await filling(await kernel.admin()).backfills(BackfillQuery(limit=SHOWN_MAX))
        return [each.id for each in page.items]

    return _beginning(_read(ctx, ask), incomplete)


def complete_references(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of what is registered."""
    return _beginning(_references(ctx, ()), incomplete)


def complete_versions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """What is run in the place of an execution: what is registered, files."""
    from click.shell_completion import CompletionItem

    found = complete_references(ctx, param, incomplete)
    return [*map(CompletionItem, found), CompletionItem(incomplete, type="file")]


def complete_sources(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """What `wingbeat spec` takes: executions, what is registered, files."""
    from click.shell_completion import CompletionItem

    found = [*complete_references(ctx, param, incomplete), *complete_executions(ctx, param, incomplete)]
    return [*map(CompletionItem, found), CompletionItem(incomplete, type="file")]


def _references(ctx: click.Context, kinds: tuple[str, ...]) -> list[str]:
    """Of a server, what it has; of a home, what commands here have registered or listed: its admin cannot be asked without a
    kernel, which goes on with what waits there."""
    from wingbeat_cli.door import is_elsewhere
    from wingbeat_cli.remembered import remembered

    with ctx.scope(cleanup=False):
        elsewhere = is_elsewhere()
    if not elsewhere:
        return remembered(kinds)

    async def ask(kernel: Kernel) -> list[str]:
        from wingbeat.contracts.admin import EntityQuery, Kind

        admin = await kernel.admin()
        queries = [EntityQuery(Kind(kind), limit=SHOWN_MAX) for kind in kinds] or [EntityQuery(limit=SHOWN_MAX)]
        return [each.id for query in queries for each in (await admin.entities(query)).items]

    return _read(ctx, ask)


def _read(ctx: click.Context, ask: Callable[[Kernel], Awaitable[list[str]]]) -> list[str]:
    """What a kernel that only reads answers; nothing where there is no home, or whatever else is wrong."""
    from wingbeat_cli.door import reading

    with contextlib.suppress(Exception), ctx.scope(cleanup=False):  # a line that is completed is in no context any more
        return reading(ask)
    return []


def _names(references: list[str]) -> list[str]:
    return list(dict.fromkeys(each.partition("@")[0] for each in references))


def _beginning(found: list[str], incomplete: str) -> list[str]:
    return [each for each in found if each.startswith(incomplete)][:SHOWN_MAX]
