"""Entries of the catalog that somebody wants gone, and those that nobody asks for any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from wingbeat.base.errors import ConfigurationError, InputError, WingbeatError
from wingbeat.contracts.catalog import Catalog, Evicted, Eviction, Trimmable
from wingbeat.contracts.failpoints import hit

ANSWER_S_MAX = 300.0
"""A catalog of millions of entries takes a while; one that takes longer is broken."""
ANY_AGE_S = -100 * 365 * 86400.0
"""No entry is newer than a century from now."""
SIZE_MAX = 2**63 - 1
TRIMMED_AT_ONCE = 1000
"""So many entries go at once."""


async def evict(catalog: Catalog | None, eviction: Eviction) -> Evicted:
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
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            if eviction.everything:
                return await catalog.evict(older_than_s=ANY_AGE_S)
            return await catalog.evict(
                digest=eviction.digest,
                task=eviction.task,
                older_than_s=eviction.older_than_s,
                size_max=eviction.size_max,
            )
    except WingbeatError:
        raise
    except TimeoutError as error:
        raise WingbeatError(f"The catalog did not answer within {ANSWER_S_MAX:.0f} s.") from error
    except (Exception, SystemExit) as error:
        raise WingbeatError(f"The catalog failed to evict: {type(error).__name__}: {error}") from error


async def trim(catalog: Catalog | None, name: str, unused_s: float, *, dry: bool) -> tuple[int, str]:
    """Have those entries go, in batches, that were last used so long ago, or count them; says how many, and why not all of them.

    Args:
        name: The catalog, in messages.
    """
    if catalog is None:
        return 0, ""
    if not isinstance(catalog, Trimmable):
        return 0, f"{name} keeps its entries until they are evicted: it has no call to remove what is not used."
    gone = 0
    try:
        left = (await _answered(catalog.stale(unused_s))).entries
        while left > 0 and not dry:  # never more than there were: what is broken may say that there are always more
            found = (await _answered(catalog.trim(unused_s, min(left, TRIMMED_AT_ONCE)))).entries
            gone, left = gone + found, left - found if found > 0 else 0
            hit("collect.trimmed")
    except (Exception, SystemExit) as error:  # noqa: BLE001  # it may raise anything, and there is more to collect
        return gone, f"{name} keeps its entries for now: {type(error).__name__}: {error}"
    return left if dry else gone, ""


async def _answered(call: Awaitable[object]) -> Evicted:
    async with asyncio.timeout(ANSWER_S_MAX):
        found = await call
    if not isinstance(found, Evicted):
        raise TypeError(f"it answered with {type(found).__name__}, not with {Evicted.__name__}")
    return found
