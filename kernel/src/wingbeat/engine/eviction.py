"""Entries of the catalog that somebody wants gone."""

from __future__ import annotations

import asyncio

from wingbeat.base.errors import ConfigurationError, InputError, WingbeatError
from wingbeat.contracts.catalog import Catalog, Evicted, Eviction

ANSWER_S_MAX = 300.0
"""A catalog of millions of entries takes a while; one that takes longer is broken."""
ANY_AGE_S = -100 * 365 * 86400.0
"""No entry is newer than a century from now."""
SIZE_MAX = 2**63 - 1


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
