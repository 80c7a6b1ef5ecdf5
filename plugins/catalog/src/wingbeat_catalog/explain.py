"""Why a key is not in the catalog: the difference between it and the entry that is nearest to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from wingbeat.base.units import format_duration
from wingbeat.contracts.catalog import CacheEntry, CacheKey, Explanation


def differences(key: CacheKey, old: CacheKey) -> tuple[str, ...]:
    """What differs between `key` and another one of the same task: a clause for each, the code first."""
    found = []
    if key.version != old.version:
        derived = key.version.startswith("sha256:") and old.version.startswith("sha256:")
        changed = f"the code of task {key.task} changed"
        found.append(changed if derived else f"the cache version is {key.version!r}, it was {old.version!r}")
    found += [f"input {n!r} was not part of it" for n in key.inputs if n not in old.inputs]
    found += [f"input {n!r} is no longer part of it" for n in old.inputs if n not in key.inputs]
    found += [f"input {n!r} has another content" for n, d in key.inputs.items() if old.inputs.get(n, d) != d]
    if key.interface != old.interface:
        found.append("the types of inputs or outputs changed")
    # The digest also covers the environment that the task declares, which a key does not name.
    return tuple(found or ["the environment of the task changed"])


def nearest_key(key: CacheKey, others: Iterable[CacheKey]) -> CacheKey | None:
    """The one with the fewest differences, the first of equals."""
    return min(others, key=lambda other: len(differences(key, other)), default=None)


def explain_hit(entry: CacheEntry) -> Explanation:
    """The entry is there and counts."""
    return Explanation(True, f"It was computed {_by(entry)}.", nearest=entry)


def explain_expired(entry: CacheEntry, now: float) -> Explanation:
    """The entry is there but too old."""
    assert entry.expires_at is not None
    ago = format_duration(max(now - entry.expires_at, 0.0))
    what = f"the entry expired {ago} ago"
    return Explanation(False, f"It was computed {_by(entry)}, but {what}.", (what,), entry)


def explain_nothing(key: CacheKey) -> Explanation:
    """There is nothing to compare with."""
    what = f"nothing is kept of task {key.task}: it was never computed, or evicted"
    return Explanation(False, f"{what[0].upper()}{what[1:]}.", (what,))


def explain_miss(key: CacheKey, nearest: CacheEntry) -> Explanation:
    """No entry has this digest; the nearest is another."""
    found = differences(key, nearest.key)
    listed = found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"
    return Explanation(False, f"Compared with what was computed {_by(nearest)}, {listed}.", found, nearest)


def _by(entry: CacheEntry) -> str:
    at = datetime.fromtimestamp(entry.created_at, UTC)
    return f"by {entry.source or 'an unnamed attempt'} on {at:%Y-%m-%d %H:%M:%S} UTC"
