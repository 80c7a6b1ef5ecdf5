"""Entries of the catalog that somebody wants gone, and those that nobody asks for any more."""

from __future__ import annotations

from typing import Any

from wingbeat.base.errors import ConfigurationError, InputError, WingbeatError
from wingbeat.calls import Calls, NoAnswer, why
from wingbeat.contracts.catalog import Evicted, Eviction, Trimmable
from wingbeat.contracts.failpoints import hit

ANSWER_S_MAX = 300.0
"""A catalog of millions of entries takes a while; one that takes longer is broken."""
ANY_AGE_S = -100 * 365 * 86400.0
"""No entry is newer than a century from now."""
SIZE_MAX = 2**63 - 1
TRIMMED_AT_ONCE = 1000
"""So many entries go at once."""


async def evict(catalog: Calls | None, eviction: Eviction) -> Evicted:
    """See `Engine.evict_cache`."""
    if eviction == Eviction():
        raise InputError(
            "Nothing says which entries of the cache are to be evicted.",
            hint="Give a key, a task or an age, or ask for everything.",
        )
    if eviction.size_max is not None and not 0 <= eviction.size_max <= SIZE_MAX:
        raise InputError(f"{eviction.size_max} is no size in bytes.")
    if catalog is None:
        raise ConfigurationError(
            "There is no catalog, hence nothing to evict.",
            hint="Install one (pip install wingbeat-catalog), or look at the setting kernel.catalog.",
        )
    chosen: dict[str, Any] = {
        "digest": eviction.digest,
        "task": eviction.task,
        "older_than_s": eviction.older_than_s,
        "size_max": eviction.size_max,
    }
    try:
        return await _answered(catalog, "evict", **({"older_than_s": ANY_AGE_S} if eviction.everything else chosen))
    except (Exception, SystemExit) as error:
        if isinstance(error, WingbeatError) and not isinstance(error, NoAnswer):
            raise
        raise WingbeatError(f"{catalog.name} failed to evict: {why(error)}.") from error


async def trim(catalog: Calls | None, unused_s: float, *, dry: bool) -> tuple[int, str]:
    """Have those entries go, in batches, that were last used so long ago, or count them; says how many, and why not all of them."""
    if catalog is None:
        return 0, ""
    if not isinstance(catalog.plugin, Trimmable):
        return 0, f"{catalog.name} keeps its entries until they are evicted: it has no call to remove what is not used."
    gone = 0
    try:
        left = (await _answered(catalog, "stale", unused_s)).entries
        while left > 0 and not dry:  # never more than there were: what is broken may say that there are always more
            found = (await _answered(catalog, "trim", unused_s, min(left, TRIMMED_AT_ONCE))).entries
            gone, left = gone + found, left - found if found > 0 else 0
            hit("collect.trimmed")
    except (Exception, SystemExit) as error:  # noqa: BLE001  # it may raise anything, and there is more to collect
        return gone, f"{catalog.name} keeps its entries for now: {why(error)}"
    return left if dry else gone, ""


async def _answered(catalog: Calls, call: str, *args: Any, **named: Any) -> Evicted:
    found = await catalog.ask_within(ANSWER_S_MAX, call, *args, **named)
    if not isinstance(found, Evicted):
        raise TypeError(f"{call} answered with {type(found).__name__}, not with {Evicted.__name__}")
    return found
