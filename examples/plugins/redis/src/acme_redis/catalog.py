"""A catalog in Redis."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from acme_redis import scripts
from acme_redis.explain import explained
from acme_redis.plugin import RedisSettings
from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.catalog import CacheEntry, CacheKey, Evicted, Explanation, Reserved

CONNECTIONS_MAX = 16
WAIT_S = 20.0
"""How long a call waits for one of them."""
FORGOTTEN_MS = 3_600_000
"""A reservation that has run out is deleted so much later; who asks goes by the catalog's clock."""
PAGE = 500
"""So many entries are looked at in one go."""
NEAR_MAX = 200
"""So many entries of a task are compared to explain a miss: those that were used last."""


class RedisCatalog:
    """See `wingbeat.contracts.catalog.Catalog`.

    Args:
        settings: Which Redis.

        clock: Epoch seconds.
    """

    def __init__(self, settings: RedisSettings, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock = settings, clock
        self._redis: Redis | None = None

    async def start(self) -> None:
        """Connect. Raises `ConfigurationError` where nobody answers, or what answers may forget."""
        pool = BlockingConnectionPool.from_url(self._settings.url, max_connections=CONNECTIONS_MAX, timeout=WAIT_S)
        self._redis = Redis.from_pool(pool)
        try:
            await self._redis.ping()
            said = await self._redis.config_get("append*") if self._settings.lasting else {}
        except RedisError as error:
            raise ConfigurationError(f"There is no Redis at {self._settings.url}: {error}") from error
        if self._settings.lasting and (said.get("appendonly"), said.get("appendfsync")) != ("yes", "always"):
            raise ConfigurationError(
                f"The Redis at {self._settings.url} may forget what it was told.",
                hint="Start it with appendonly yes and appendfsync always, or set redis.lasting = false.",
            )

    async def close(self) -> None:
        """Let go of the connections."""
        if self._redis is not None:
            await self._redis.aclose()
            self._redis = None

    async def lookup(self, key: CacheKey) -> CacheEntry | None:
        """The entry, unless it has expired."""
        body = await self._run(scripts.LOOKUP, [self._entry(key.digest), self._all], [self._now(), key.digest])
        return None if body is None else _entry(body)

    async def reserve(self, key: CacheKey, owner: str, seconds: float) -> Reserved:
        """Create or extend a reservation, or say whose it is."""
        now = self._clock()
        kept_ms = int(seconds * 1000) + FORGOTTEN_MS
        said = [owner, repr(now), repr(now + seconds), str(kept_ms)]
        holder, until = await self._run(scripts.RESERVE, [self._reserved(key)], said)
        return Reserved(holder.decode(), float(until))

    async def release(self, key: CacheKey, owner: str) -> None:
        """Give a reservation back."""
        await self._run(scripts.RELEASE, [self._reserved(key)], [owner])

    async def publish(self, entry: CacheEntry, *, overwrite: bool = False) -> None:
        """Store an entry, and release the reservation of who computed it."""
        key = entry.key
        node = entry.source.rpartition("/")[0]
        expires = "" if entry.expires_at is None else repr(entry.expires_at)
        said = [self._now(), "1" if overwrite else "0", node, msgspec.json.encode(entry), expires, key.task]
        said += [repr(entry.created_at), str(entry.size), key.digest]
        names = [self._entry(key.digest), self._all, self._task(key.task), self._reserved(key)]
        await self._run(scripts.PUBLISH, names, said)

    async def evict(
        self,
        *,
        digest: str | None = None,
        task: str | None = None,
        older_than_s: float | None = None,
        size_max: int | None = None,
    ) -> Evicted:
        """Remove what all that is given selects, entry by entry."""
        if digest is None and task is None and older_than_s is None and size_max is None:
            return Evicted(0, 0)
        before = None if older_than_s is None else self._clock() - older_than_s
        chosen: list[tuple[str, str, int]] = []
        for one in [digest] if digest is not None else await self._digests():
            body = await self._client.hget(self._entry(one), "body")
            entry = None if body is None else _entry(body)
            if entry is None or (task is not None and entry.key.task != task):
                continue
            if before is None or entry.created_at <= before:
                chosen.append((one, entry.key.task, entry.size))
        if size_max is not None:
            chosen = _until(chosen, size_max)
        sizes = [
            await self._run(scripts.EVICT, [self._entry(one), self._all, self._task(name)], [one])
            for one, name, _ in chosen
        ]
        gone = [int(size) for size in sizes if size is not None]
        return Evicted(len(gone), sum(gone))

    async def stale(self, unused_s: float) -> Evicted:
        """How much was not used for so long, and is not reserved."""
        return await self._stale(unused_s, None)

    async def trim(self, unused_s: float, limit: int) -> Evicted:
        """Remove at most so much of it, entry by entry, each if that still holds."""
        return await self._stale(unused_s, limit)

    async def _stale(self, unused_s: float, limit: int | None) -> Evicted:
        now, entries, size, passed = self._clock(), 0, 0, 0
        before, removes = repr(now - unused_s), "0" if limit is None else "1"
        while limit is None or entries < limit:
            many = PAGE if limit is None else min(PAGE, limit - entries)
            found = await self._client.zrangebyscore(self._all, "-inf", f"({before}", start=passed, num=many)
            for digest in [one.decode() for one in found]:
                task = await self._client.hget(self._entry(digest), "task") or b""
                names = [self._entry(digest), self._all, self._reservation(digest), self._task(task.decode())]
                told = await self._run(scripts.STALE, names, [repr(now), before, digest, removes])
                passed += limit is None or told is None
                if told is not None:
                    entries, size = entries + 1, size + int(told)
            if not found:
                break
        return Evicted(entries, size)

    async def explain(self, key: CacheKey) -> Explanation:
        """Why a lookup hits or misses, against the nearest entry of the task."""
        body = await self._client.hget(self._entry(key.digest), "body")
        same = None if body is None else _entry(body)
        others = []
        if same is None:
            members = {one.decode() for one in await self._client.smembers(self._task(key.task))}
            near = [one for one in reversed(await self._digests()) if one in members][:NEAR_MAX]
            bodies = [await self._client.hget(self._entry(one), "body") for one in near]
            others = [_entry(body) for body in bodies if body is not None]
        return explained(key, same, others, self._clock())

    async def _digests(self) -> list[str]:
        """All of them, the least recently used first."""
        return [one.decode() for one in await self._client.zrange(self._all, 0, -1)]

    async def _run(self, script: str, names: list[str], said: list[Any]) -> Any:
        return await self._client.eval(script, len(names), *names, *said)

    @property
    def _client(self) -> Redis:
        if self._redis is None:
            raise RuntimeError("the catalog was not started")
        return self._redis

    def _now(self) -> str:
        return repr(self._clock())

    @property
    def _all(self) -> str:
        return f"{self._settings.prefix}:all"

    def _entry(self, digest: str) -> str:
        return f"{self._settings.prefix}:e:{digest}"

    def _reserved(self, key: CacheKey) -> str:
        return self._reservation(key.digest)

    def _reservation(self, digest: str) -> str:
        return f"{self._settings.prefix}:r:{digest}"

    def _task(self, task: str) -> str:
        return f"{self._settings.prefix}:t:{task}"


def _entry(body: bytes) -> CacheEntry:
    return msgspec.json.decode(body, type=CacheEntry)


def _until(entries: list[tuple[str, str, int]], size_max: int) -> list[tuple[str, str, int]]:
    """Those to remove, from the first on, until at most `size_max` is left."""
    left, gone = sum(size for _, _, size in entries), 0
    for _, _, size in entries:
        if left <= size_max:
            break
        left -= size
        gone += 1
    return entries[:gone]
