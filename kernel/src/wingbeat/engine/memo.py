"""The engine's side of the catalog: keys, lookups, reservations that are kept alive, publications."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from wingbeat.calls import Calls, why
from wingbeat.compile.cachekey import input_digests, interface_digest, key_digest
from wingbeat.contracts.catalog import CacheEntry, CacheKey, Catalog, Explanation, Reserved
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.storage import Storage
from wingbeat.engine.background import Broke, watched
from wingbeat.engine.circuit import Circuit, LeftAlone
from wingbeat.engine.clock import Clock
from wingbeat.engine.content import size_of, stored
from wingbeat.engine.held import Held
from wingbeat.engine.live import Live
from wingbeat.engine.outcomes import wrong_answer, wrong_hit
from wingbeat.machine.event import CacheHeld, CacheHit, CacheMissed, CacheStored, Event
from wingbeat.runtime.threads import in_thread
from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.identity import parse_identity
from wingbeat.spec.labels import place_of, within
from wingbeat.spec.literal import Literals
from wingbeat.spec.phase import CacheStatus
from wingbeat.types import ValueMismatch

NO_CATALOG = "no catalog is installed (pip install wingbeat-catalog)"
CONCURRENCY = 16
RESERVATION_S = 60.0
CLOCKS_S_MAX = 3600.0
"""So far may the clock of a catalog be ahead: who is held up by a reservation of many days waits for a catalog that is broken."""
ANSWER_S_MAX = 30.0
"""A catalog that has not answered by then is done without."""
VERIFY_S_MAX = 60.0
"""A storage that has not verified a value by then is done without, too."""
START_S_MAX = 60.0

Post = Callable[[Live, Event], None]
_log = logging.getLogger("wingbeat.plugins")


class Memo:
    """Answers the machine's questions about the catalog with events.

    Attributes:
        catalog: The catalog's calls; None without one, or if it cannot be used.

        looking: How many lookups are under way; their answers are events to come.
    """

    def __init__(
        self, catalog: Catalog | None, name: str, storage: Storage, clock: Clock, post: Post, broke: Broke
    ) -> None:
        self._storage, self._clock, self._post, self._broke = storage, clock, post, broke
        self._circuit, self._none = Circuit(f"The catalog {name!r}"), NO_CATALOG
        self.catalog = None if catalog is None else Calls(catalog, self._circuit.name)
        self._verifying = Circuit(f"The storage {storage.scheme!r}")
        self.looking = 0
        self._limit = asyncio.Semaphore(CONCURRENCY)
        self._held = Held(clock.entropy)
        self._reservations: dict[tuple[str, int], tuple[CacheKey, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin. A catalog that cannot work is done without."""
        if self.catalog is None:
            return
        try:
            await self.catalog.ask_within(START_S_MAX, "start")
        except (Exception, SystemExit) as error:  # noqa: BLE001  # it may raise anything, and tasks can run without it
            self._none = f"{self.catalog.name} cannot be used: {why(error)}"
            self.catalog = None
            _log.warning("%s", self._none)
        else:
            self._keeper = asyncio.create_task(self._keep(), name="reservations")

    def stop(self) -> None:
        """Stop. Reservations end by themselves, or are adopted by the next kernel under the same owner's name."""
        for task in self._all():
            task.cancel()

    async def close(self) -> None:
        """Stop, and wait until nothing is under way."""
        self.stop()
        await asyncio.gather(*self._all(), return_exceptions=True)
        if self.catalog is not None:
            try:
                await self.catalog.close(ANSWER_S_MAX)
            except (Exception, SystemExit) as error:  # noqa: BLE001  # it may raise anything, and the others are to be closed too
                _log.warning("%s did not close: %s", self.catalog.name, why(error))

    def _all(self) -> list[asyncio.Task[None]]:
        return [t for t in (self._keeper, *self._tasks) if t is not None]

    def lookup(self, live: Live, node: int) -> None:
        """Look a node's outputs up, or ask for the right to compute them; the answer is posted."""
        if self.catalog is None:
            self._post(live, CacheMissed(self._clock.now(), node, CacheStatus.DISABLED, self._none, publish=False))
        elif self._held.asks(live, node):
            self._ask(live, node, self.catalog)

    def forget(self, live: Live) -> None:
        """An execution has ended, or is let go of: none of its nodes waits any more."""
        self._held.forget(live)

    def adopt(self, live: Live, node: int) -> None:
        """Keep the reservation alive that an earlier kernel was granted for a node which is still being computed."""
        task = live.machine.graph.task(node)
        if self.catalog is None or task is None or not live.machine.state.node(node).publish:
            return
        if not (task.cache and task.cache.serialize):
            return
        reserved = (cache_key(live, node), _owner(live, node))
        self._reservations[live.id, node] = reserved
        self._spawn(self._extend(self.catalog, *reserved))

    def publish(self, live: Live, node: int) -> None:
        """Store a node's outputs; the answer is posted."""
        watched(self._spawn(self._publish(live, node)), live, self._broke)

    def release(self, live: Live, node: int) -> None:
        """Give a reservation back."""
        reserved = self._reservations.pop((live.id, node), None)
        if reserved is not None and self.catalog is not None:
            self._spawn(self._release(self.catalog, *reserved))

    def _ask(self, live: Live, node: int, catalog: Calls) -> None:
        self.looking += 1
        watched(self._spawn(self._lookup(live, node, catalog)), live, self._broke)

    def _ended(self, digest: str, *, stored: bool) -> None:
        """What was computed here under a key has ended: who waits for it need not wait for a timer."""
        if self.catalog is not None:
            for live, node in self._held.woken(digest, stored=stored):
                self._ask(live, node, self.catalog)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _lookup(self, live: Live, node: int, catalog: Calls) -> None:
        try:
            key = cache_key(live, node)
            async with self._limit, self._circuit.asked((live.id, node), ANSWER_S_MAX) as limit:
                event = await self._answer(live, node, key, catalog, limit)
        except ValueMismatch as error:  # the attempt will fail with the same words
            event = CacheMissed(self._clock.now(), node, CacheStatus.DISABLED, str(error), publish=False)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a catalog may raise anything; the task can run without it
            self.release(live, node)  # which may have been granted before it failed
            event = self._failed(node, self._circuit, error)
        finally:
            self.looking -= 1
        if not isinstance(event, CacheHeld):
            self._held.over(live, node)
        hit("lookup.after")
        self._post(live, event)

    def _failed(self, node: int, circuit: Circuit, error: BaseException) -> CacheMissed:
        told = self._said(circuit, error)
        return CacheMissed(self._clock.now(), node, CacheStatus.LOOKUP_FAILURE, told, publish=False)

    def _said(self, circuit: Circuit, error: BaseException) -> str:
        """Who has failed, and how; also in the log, if it is not left alone for it."""
        if isinstance(error, LeftAlone):
            return error.message
        told = f"{circuit.name} failed: {why(error)}"
        if circuit.is_told:
            _log.warning("%s. Tasks run without it.", told.rstrip("."))
        return told

    async def _answer(self, live: Live, node: int, key: CacheKey, catalog: Calls, limit: asyncio.Timeout) -> Event:
        hit("lookup.before")
        task = live.machine.graph.task(node)
        assert task is not None
        assert task.cache is not None
        damage = None
        entry = await catalog.ask("lookup", key)
        if entry is not None:
            _check(entry, CacheEntry, "lookup")
            if entry.key.digest != key.digest:
                raise ValueError(f"the catalog answered with a foreign key {entry.key.digest}")
            if wrong := wrong_hit(entry.outputs, task):
                raise TypeError(f"lookup answered with {wrong}")
            limit.reschedule(None)  # the storage has a time of its own
            try:
                damage = await self._damage(task, entry.outputs)
            except Exception as error:  # noqa: BLE001  # it may raise anything, and the entry and the catalog cannot help it
                return self._failed(node, self._verifying, error)
            limit.reschedule(asyncio.get_running_loop().time() + ANSWER_S_MAX)
            if damage is None:
                hit("lookup.hit")
                return CacheHit(self._clock.now(), node, entry.outputs, entry.source)
            await catalog.ask("evict", digest=key.digest)
        if task.cache.serialize:
            owner = _owner(live, node)
            reserved = await catalog.ask("reserve", key, owner, RESERVATION_S)
            _check(reserved, Reserved, "reserve")
            if reserved.owner != owner:
                now = self._clock.now()
                if reserved.until > now + RESERVATION_S + CLOCKS_S_MAX:
                    told = f"{reserved.owner!r} holds it for {reserved.until - now:,.0f} s"
                    raise ValueError(f"reserve answered that {told}; nobody asks for more than {RESERVATION_S:g}")
                seconds = self._held.wait(live, node, key.digest)
                return CacheHeld(now, node, reserved.owner, now + seconds)
            hit("reserve.granted")
            self._reservations[live.id, node] = (key, owner)
            if damage is None and await catalog.ask("lookup", key) is not None:  # stored since we looked
                self.release(live, node)
                return await self._answer(live, node, key, catalog, limit)
        reason = f"the entry was damaged: {damage}"
        if not damage:
            explanation = await catalog.ask("explain", key)
            _check(explanation, Explanation, "explain")
            reason = explanation.reason
        return CacheMissed(self._clock.now(), node, CacheStatus.MISS, reason, publish=True)

    async def _damage(self, task: TaskSpec, outputs: Literals) -> str | None:
        """What is wrong with the stored values that a hit refers to, if anything."""
        for blob in stored(task, outputs):
            async with self._verifying.asked(blob.uri, VERIFY_S_MAX):
                damage = await in_thread(self._storage.verify, blob)
            if damage is not None:
                return damage
        return None

    async def _publish(self, live: Live, node: int) -> None:
        state = live.machine.state.seen(node)
        if state is None:  # the execution has ended meanwhile, and its items with it
            self.release(live, node)
            return
        task = live.machine.graph.task(node)
        assert task is not None
        assert task.cache is not None
        assert state.outputs is not None
        status, reason = CacheStatus.POPULATED, ""
        try:
            if self.catalog is None:
                raise RuntimeError(self._none)  # noqa: TRY301  # one place says what failed
            hit("publish.before")
            now, ttl = self._clock.now(), task.cache.ttl_s
            entry = CacheEntry(
                key=cache_key(live, node),
                outputs=state.outputs,
                source=f"{live.id}/{live.node_id(node)}/{state.next_attempt - 1}",
                created_at=now,
                expires_at=None if ttl is None else now + ttl,
                size=size_of(state.outputs),
            )
            async with self._circuit.asked((live.id, node), ANSWER_S_MAX):
                await self.catalog.ask("publish", entry)
            self._reservations.pop((live.id, node), None)  # it has ended with that
            self._ended(entry.key.digest, stored=True)
            hit("publish.after")
        except (Exception, SystemExit) as error:  # noqa: BLE001  # what was computed stays valid without the catalog
            told = self._none if self.catalog is None else self._said(self._circuit, error)
            status, reason = CacheStatus.PUT_FAILURE, f"the outputs could not be stored: {told}"
        self.release(live, node)
        self._post(live, CacheStored(self._clock.now(), node, status, reason))

    async def _release(self, catalog: Calls, key: CacheKey, owner: str) -> None:
        try:
            hit("release.before")
            async with self._circuit.asked(owner, ANSWER_S_MAX):
                await catalog.ask("release", key, owner)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # it ends by itself
            self._said(self._circuit, error)
            return
        self._ended(key.digest, stored=False)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(RESERVATION_S / 3)
            for key, owner in list(self._reservations.values()):
                if self.catalog is not None:
                    await self._extend(self.catalog, key, owner)

    async def _extend(self, catalog: Calls, key: CacheKey, owner: str) -> None:
        try:
            async with self._circuit.asked(owner, ANSWER_S_MAX):
                await catalog.ask("reserve", key, owner, RESERVATION_S)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # tried again in a third of its time
            self._said(self._circuit, error)


def _check(answer: object, kind: type, call: str) -> None:
    if wrong := wrong_answer(answer, kind):
        raise TypeError(f"{call} answered with {wrong}; {kind.__name__} is wanted")


def _owner(live: Live, node: int) -> str:
    """Who holds the reservations of a node: the same after a restart."""
    return f"{live.id}/{live.node_id(node)}"


def _place(live: Live, node: int) -> str:
    """Whose task it is: what others have registered is theirs wherever it runs, as it runs in their code. But not with other
    options than they gave it: who calls it could have its results kept as those of another version."""
    borrowed = live.machine.graph.borrowed_as_registered(node)
    if borrowed is None:
        return place_of(live.record.labels)
    owner = parse_identity(borrowed.of)
    return f"{owner.project}/{owner.domain}"


def cache_key(live: Live, node: int) -> CacheKey:
    """The cache key of a node whose inputs are there. Raises ValueMismatch where an input cannot be taken."""
    if node not in live.keys:
        task = live.machine.graph.task(node)
        assert task is not None
        assert task.cache is not None
        inputs = input_digests(task, live.machine.values(node))
        interface = interface_digest(task.interface)
        name = within(_place(live, node), task.name)
        digest = key_digest(task, name, interface, inputs)
        live.keys[node] = CacheKey(digest, name, task.cache.version, interface, inputs)
    return live.keys[node]
