"""Why a key hits or misses, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wingbeat.contracts.catalog import CacheEntry, CacheKey, Explanation


def explained(key: CacheKey, same: CacheEntry | None, others: Sequence[CacheEntry], now: float) -> Explanation:
    """Of the entry under the key, if there is one, and of others of its task."""
    if same is not None:
        if same.expires_at is None or same.expires_at > now:
            return Explanation(True, f"It was computed by {same.source}.")
        return Explanation(False, f"The entry of {same.source} has expired.", nearest=same)
    if not others:
        return Explanation(False, f"Nothing of {key.task} was ever published.")
    nearest = min(others, key=lambda entry: len(list(differences(key, entry.key))))
    found = tuple(differences(key, nearest.key))
    return Explanation(False, f"It differs from {nearest.source}: {'; '.join(found)}.", found, nearest)


def differences(key: CacheKey, other: CacheKey) -> Iterator[str]:
    """What is not the same, each in some words."""
    if key.version != other.version:
        derived = key.version.startswith("sha256:") and other.version.startswith("sha256:")
        yield f"the code of {key.task}" if derived else f"the cache version: {key.version}, not {other.version}"
    if key.interface != other.interface:
        yield "the interface of the task"
    for name in sorted(key.inputs.keys() | other.inputs.keys()):
        if key.inputs.get(name) != other.inputs.get(name):
            yield f"the input {name!r}"
