"""Stand-ins for what an engine speaks to, which do as they are told."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from wingbeat.contracts.catalog import CacheEntry, CacheKey, Evicted, Explanation, Reserved
from wingbeat.contracts.executor import Aborted, AttemptRequest, Capabilities, Outcome, Sink, Succeeded
from wingbeat.spec.literal import Inline

Behaviour = Callable[[AttemptRequest], Outcome | Awaitable[None] | None]


class ScriptedExecutor:
    """Answers attempts as `behaviour` says: with an outcome, or with None to leave them running. Default: success.

    Attributes:
        submitted: How often each attempt was submitted.

        running: What was submitted and has not ended.

        fail_submits: How many of the next calls of `submit` raise.
    """

    def __init__(self, behaviour: Behaviour | None = None, *, capabilities: Capabilities | None = None) -> None:
        self.behaviour = behaviour
        self.capabilities = capabilities or Capabilities()
        self.sink: Sink | None = None
        self.submitted: Counter[str] = Counter()
        self.running: dict[str, AttemptRequest] = {}
        self.cancelled: list[str] = []
        self.recovered: list[str] = []
        self.fail_submits = 0
        self.fail_cancels = 0
        self.closed = 0
        self._outcomes: dict[str, Outcome] = {}

    async def start(self, sink: Sink) -> None:
        """See `Executor.start`."""
        self.sink = sink

    async def submit(self, request: AttemptRequest) -> None:
        """See `Executor.submit`."""
        if self.fail_submits:
            self.fail_submits -= 1
            raise OSError("the executor is away")
        self.submitted[request.id] += 1
        if request.id in self._outcomes:
            self.end(request.id, self._outcomes[request.id])
            return
        self.running[request.id] = request
        outcome = self.behaviour(request) if self.behaviour else success()
        if isinstance(outcome, Awaitable):
            await outcome
        elif outcome is not None:
            self.end(request.id, outcome)

    def end(self, attempt: str, outcome: Outcome | None = None) -> None:
        """Report the end of an attempt; success by default."""
        self.running.pop(attempt, None)
        assert self.sink is not None
        self._outcomes[attempt] = outcome or success()
        self.sink.ended(attempt, self._outcomes[attempt])

    async def recover(self, requests: Sequence[AttemptRequest]) -> None:
        """See `Executor.recover`: as if each were submitted for the first time."""
        for request in requests:
            self.recovered.append(request.id)
            await self.submit(request)

    async def cancel(self, attempt: str, reason: str) -> None:
        """See `Executor.cancel`."""
        self.cancelled.append(attempt)
        if self.fail_cancels:
            self.fail_cancels -= 1
            raise OSError("the executor is away")
        self.submitted[attempt] += 1
        self.end(attempt, Aborted(reason))

    async def list(self) -> list[str]:
        """See `Executor.list`."""
        return list(self.running)

    async def close(self) -> None:
        """See `Executor.close`."""
        self.closed += 1


def success(value: Any = 1, name: str = "o0") -> Succeeded:
    """An outcome with one output."""
    return Succeeded({name: Inline(value)})


class MemoryCatalog:
    """A catalog in memory. `broken` names calls that raise; `calls` counts them."""

    def __init__(self) -> None:
        self.entries: dict[str, CacheEntry] = {}
        self.reservations: dict[str, str] = {}
        self.broken: set[str] = set()
        self.calls: Counter[str] = Counter()

    def _called(self, name: str) -> None:
        self.calls[name] += 1
        if name in self.broken:
            raise OSError(f"{name} is broken")

    async def start(self) -> None:
        """See `Catalog.start`."""

    async def close(self) -> None:
        """See `Catalog.close`."""

    async def lookup(self, key: CacheKey) -> CacheEntry | None:
        """See `Catalog.lookup`."""
        self._called("lookup")
        return self.entries.get(key.digest)

    async def reserve(self, key: CacheKey, owner: str, seconds: float) -> Reserved:
        """See `Catalog.reserve`."""
        self._called("reserve")
        return Reserved(self.reservations.setdefault(key.digest, owner), seconds)

    async def release(self, key: CacheKey, owner: str) -> None:
        """See `Catalog.release`."""
        self._called("release")
        if self.reservations.get(key.digest) == owner:
            del self.reservations[key.digest]

    async def publish(self, entry: CacheEntry, *, overwrite: bool = False) -> None:
        """See `Catalog.publish`."""
        self._called("publish")
        if self.reservations.get(entry.key.digest) == entry.source.rpartition("/")[0]:
            del self.reservations[entry.key.digest]
        if overwrite or entry.key.digest not in self.entries:
            self.entries[entry.key.digest] = entry

    async def evict(
        self,
        *,
        digest: str | None = None,
        task: str | None = None,
        older_than_s: float | None = None,
        size_max: int | None = None,
    ) -> Evicted:
        """See `Catalog.evict`; nothing by size."""
        self._called("evict")
        before = None if older_than_s is None else time.time() - older_than_s
        gone = [
            entry
            for key, entry in self.entries.items()
            if (digest, task, before) != (None, None, None)
            and digest in (None, key)
            and task in (None, entry.key.task)
            and (before is None or entry.created_at < before)
        ]
        for entry in gone:
            del self.entries[entry.key.digest]
        return Evicted(len(gone), sum(entry.size for entry in gone))

    async def explain(self, key: CacheKey) -> Explanation:
        """See `Catalog.explain`."""
        self._called("explain")
        return Explanation(key.digest in self.entries, "there is no entry of this task")
