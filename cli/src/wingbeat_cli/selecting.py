"""Options that lists have in common: of where, sorted by what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wingbeat_cli.group import not_empty

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wingbeat.spec.sorts import Sorts

NEWEST_FIRST = "-created_at"


def place_options(function: Any) -> Any:
    """`--project` and `--domain`, of what is listed."""
    project = click.option("--project", "-p", callback=not_empty, default="", help="Of this project only.")
    domain = click.option("--domain", "-d", callback=not_empty, default="", help="Of this domain only.")
    return project(domain(function))


def sort_option(sorts: str, what: str) -> Callable[[Any], Any]:
    """`--sort`, of a list that allows what `wingbeat.spec.sorts` has under a name."""

    def allowed() -> Sorts:
        from wingbeat.spec import sorts as there

        found: Sorts = getattr(there, sorts)
        return found

    def check(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
        from wingbeat.base.errors import InputError

        try:
            allowed().parse(value)
        except InputError as error:
            raise click.BadParameter(f"{error.message} {error.hint}") from None
        return value

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
        way, given = ("-", incomplete[1:]) if incomplete.startswith("-") else ("", incomplete)
        every = (*allowed().keys, *(f"{side}." for side in allowed().sides))
        return [way + each for each in every if each.startswith(given)]

    return click.option(
        "--sort",
        default=NEWEST_FIRST,
        show_default=True,
        metavar="[-]KEY",
        callback=check,
        shell_complete=complete,
        help=f"{what}; with '-' before it, the greatest first.",
    )


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Several `NAME=VALUE` of an option. Raises UsageError for what is none."""
    found = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} takes NAME=VALUE, not {pair!r}")
        found[name] = value
    return found
