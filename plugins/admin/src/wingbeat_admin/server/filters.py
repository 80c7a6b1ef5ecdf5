"""What lists are selected by, as it comes in a query."""

from __future__ import annotations

from wingbeat.base.errors import InputError

FILTERS_MAX = 20


def pairs(given: list[str] | None) -> dict[str, str]:
    """Several `name=value`. Raises InputError."""
    found = dict(pair.partition("=")[::2] for pair in conditions(given))
    if "" in found:
        raise InputError("Keys and labels are given as name=value.")
    return found


def conditions(given: list[str] | None) -> tuple[str, ...]:
    """Several conditions, a bounded number. Raises InputError."""
    if len(given or ()) > FILTERS_MAX:
        raise InputError(f"There are more than {FILTERS_MAX} conditions.")
    return tuple(given or ())
