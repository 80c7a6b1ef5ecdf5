"""What lists are selected by, as it comes in a query."""

from __future__ import annotations

from wingbeat.base.errors import InputError

FILTERS_MAX = 20


def pairs(given: list[str] | None) -> dict[str, str]:
    """Several `name=value`. Raises InputError."""
    found = {}
    for pair in conditions(given):
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise InputError(f"{pair[:80]!r} is no name=value, as keys and labels are given.")
        found[name] = value
    return found


def conditions(given: list[str] | None) -> tuple[str, ...]:
    """Several conditions, a bounded number. Raises InputError."""
    if len(given or ()) > FILTERS_MAX:
        raise InputError(f"There are more than {FILTERS_MAX} conditions.")
    return tuple(given or ())
