"""Lets go of what is over: executions, the folders of their attempts, closures that nothing runs, content that nothing refers to.

Theory. Executions go first, in batches, each from the outside in: the admin's history, the folders of attempts, the journal. So a
crash leaves something whose time is still over, and nothing that refers to what is gone. Then content: what was not used for some
time is a candidate, and every digest that stands anywhere in what is kept takes one off the list; the storage leaves what was used
meanwhile. References are not counted as they come and go, which would cost every task something; they are looked for when
content is to go.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import structs

from wingbeat.base.errors import ConfigurationError, JournalUnknown, WingbeatError
from wingbeat.builtin.durable import write_atomic
from wingbeat.contracts.admin import Admin, EntityQuery
from wingbeat.contracts.backfill import Backfilling, BackfillQuery
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.journal import Journal, Record
from wingbeat.contracts.retention import Collected, Collecting, Retaining
from wingbeat.contracts.storage import Storage, Sweepable
from wingbeat.engine.bounded import BoundedJournal
from wingbeat.engine.engine import LocalEngine
from wingbeat.host.home import HomeFolder
from wingbeat.host.registry import Registry
from wingbeat.kernel import retention
from wingbeat.kernel.leftovers import Leftovers
from wingbeat.kernel.retention import DIGEST_LENGTH
from wingbeat.kernel.settings import KernelSettings, RetentionSettings
from wingbeat.runtime.files import CHECKPOINT
from wingbeat.runtime.steps import FOLDER as STEPS
from wingbeat.spec.codec import canonical
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.types import Blob

BATCH = 200
"""So many executions go at once."""
PAGE = 500
STAMP = "collected"
"""File of the home; its time of modification is that of the last collection."""
LOOK_S = 3600.0
"""A kernel that stays open looks so often whether it is time."""

_log = logging.getLogger("wingbeat.retention")


class Collector:
    """Collections of one home, by the process that holds it.

    Args:
        journal: Makes another object of the home's journal, to read with.

        admin: The admin that this process has open, if it does.

        has_admin: Whether one is installed: then it has to be open.
    """

    def __init__(
        self,
        home: HomeFolder,
        engine: LocalEngine,
        journal: Callable[[], Journal],
        admin: Callable[[], Admin | None],
        clock: Callable[[], float] = time.time,
        has_admin: bool = False,
    ) -> None:
        self._home, self._engine, self._journal, self._admin, self._clock = home, engine, journal, admin, clock
        self._has_admin = has_admin
        self._settings = home.settings("retention", RetentionSettings)
        self._one = asyncio.Lock()

    async def collect(self, *, dry: bool = False) -> Collected:
        """See `wingbeat.contracts.retention.Collecting.collect`."""
        admin = self._admin()
        if not self._sees_all():
            raise ConfigurationError(
                "What is registered is not open in this process, so nothing tells what has to stay.",
                hint="'wingbeat serve' collects, and 'wingbeat gc' where nothing else holds the home.",
            )
        async with self._one:
            journal = BoundedJournal(self._journal(), "of the home")
            await journal.open_to_read()
            try:
                found = await _Collection(self._home, self._engine, journal, admin, self._clock, dry).run()
            finally:
                await journal.close()
        if not dry:
            await asyncio.to_thread(write_atomic, str(self._home.folder / STAMP), b"")
        return found

    async def keep_up(self) -> None:
        """Collect as often as the settings say, while the kernel is open and sees all that has to stay."""
        while True:
            if self._sees_all() and self._is_time():
                try:
                    found = await self.collect()
                except WingbeatError as error:
                    _log.warning("Nothing more is collected now: %s", error.message)
                except Exception as error:  # noqa: BLE001  # what runs is not to suffer from it
                    _log.warning("Nothing more is collected now: %s: %s", type(error).__name__, error)
                else:
                    _log.info("collected %d executions and %d blobs", found.executions, found.blobs)
            await asyncio.sleep(LOOK_S)

    def _sees_all(self) -> bool:
        """Whether what is registered is open in this process: in one that only runs a workflow, it is not."""
        admin = self._admin()
        return not self._has_admin if admin is None else not isinstance(admin, Collecting)

    def _is_time(self) -> bool:
        try:
            last = os.stat(self._home.folder / STAMP).st_mtime
        except OSError:
            return True
        return not 0 <= self._clock() - last < self._settings.every_hours * 3600


def collector_of(
    registry: Registry, home: HomeFolder, engine: LocalEngine, admin: Callable[[], Admin | None]
) -> Collector:
    """The collector of a home that this process has come to hold."""
    journal = home.settings("kernel", KernelSettings).journal
    return Collector(
        home, engine, lambda: registry.make("journal", journal, home), admin, has_admin=bool(registry.names("admin"))
    )


class _Collection:
    """One collection."""

    def __init__(
        self,
        home: HomeFolder,
        engine: LocalEngine,
        journal: BoundedJournal,
        admin: Admin | None,
        clock: Callable[[], float],
        dry: bool,
    ) -> None:
        self._home, self._engine, self._journal, self._admin, self._clock = home, engine, journal, admin, clock
        self._settings, self._dry = home.settings("retention", RetentionSettings), dry
        self._history = _retaining(admin)
        self._attempts = home.folder / "attempts"
        self._kept: dict[str, int] = {}
        self._skipped: list[str] = []
        self._going: set[str] = set()
        self._met: set[str] = set()
        self._values: set[str] = set()
        self._named: set[str] = set()
        self._storages: list[Sweepable] = []

    async def run(self) -> Collected:
        """All of it."""
        executions, folders_bytes = await self._executions()
        leftovers = Leftovers(self._home, self._engine, self._admin, self._clock(), self._dry)
        rest = await leftovers.run()
        closures = blobs = blobs_bytes = 0
        try:
            closures, blobs, blobs_bytes = await self._content()
        except (JournalUnknown, ConfigurationError, OSError) as error:  # what cannot be read may refer to anything
            self._skipped.append(f"No content is removed: {error}")
        return structs.replace(
            rest, executions=executions, folders_bytes=folders_bytes, closures=closures, blobs=blobs, blobs_bytes=blobs_bytes,
            kept=self._kept, skipped=(*self._skipped, *leftovers.skipped), dry=self._dry,
        )  # fmt: skip

    # -- executions

    async def _executions(self) -> tuple[int, int]:
        over = []
        now, needed = self._clock(), self._engine.forgetting.needed()
        async for record in self._records():
            if not retention.is_over(record, self._settings.days, now):
                continue
            if record.execution in needed:
                self._keep("an execution goes on with what it has left")
            else:
                over.append(retention.over_of(record))
        others = {one.parent for one in over if one.parent}.difference(one.execution for one in over)
        kept = {parent for parent in others if await self._journal.record(parent) is not None}
        going = retention.with_parents(reversed(over), kept)
        self._keep("what has launched it is kept", len(over) - len(going))
        count = freed = 0
        for start in range(0, len(going), BATCH):
            batch = await self._free(going[start : start + BATCH])
            freed += await asyncio.to_thread(_size_of, self._attempts, batch)
            count += len(batch) if self._dry else await self._forget(batch)
            self._going.update(batch)
        return count, freed

    async def _free(self, executions: Sequence[str]) -> list[str]:
        """Those that the admin lets go of."""
        if self._history is None:
            return list(executions)
        retained = await self._history.retained(executions)
        for why in retained.values():
            self._keep(why)
        return [execution for execution in executions if execution not in retained]

    def _keep(self, why: str, count: int = 1) -> None:
        if count:
            self._kept[why] = self._kept.get(why, 0) + count

    async def _forget(self, executions: Sequence[str]) -> int:
        if self._history is not None:
            await self._history.forget(executions)
        hit("collect.history-forgotten")
        stuck = await asyncio.to_thread(_remove_folders, self._attempts, executions)
        self._keep("the folder of its attempts cannot be removed", len(stuck))
        hit("collect.folders-removed")
        count = await self._engine.forget([execution for execution in executions if execution not in stuck])
        hit("collect.forgotten")
        return count

    # -- content

    async def _content(self) -> tuple[int, int, int]:
        """Closures and blobs that go: how many, and bytes."""
        now = self._clock()
        before = min(now - self._settings.spare_hours * 3600, self._engine.forgetting.working_since(now))
        unused: dict[str, int] = {}
        for storage in self._sweepable():
            unused |= await asyncio.to_thread(lambda s: dict(s.unused(before)), storage)
        self._named = {*await self._journal.closures()}
        closures = self._engine.forgetting.unused(sorted(self._named))
        if not unused and not closures:
            return 0, 0, 0
        async for referred in self._references():
            await self._mark(referred, unused, closures)
        if not self._dry:
            hit("collect.sweeping")
            if closures:
                await self._engine.forget((), sorted(closures))
            for start in range(0, len(names := sorted(unused)), BATCH):
                part = names[start : start + BATCH]
                stayed = await asyncio.to_thread(_remove, self._storages, part, before)
                for name in stayed:
                    del unused[name]
                hit("collect.swept")
        return len(closures), len(unused), sum(unused.values())

    def _sweepable(self) -> list[Sweepable]:
        for ref in self._home.storages():
            storage: Storage = self._home.storage(ref.scheme)
            if isinstance(storage, Sweepable):
                self._storages.append(storage)
            else:
                self._skipped.append(f"The storage {ref.scheme!r} keeps everything: it has no call to remove anything.")
        return self._storages

    async def _references(self) -> AsyncIterator[bytes]:
        """Everything that may refer to content."""
        async for record in self._records():
            if record.execution in self._going:
                continue
            yield record.inputs
            yield record.closure.encode()
            for row in await self._journal.read(record.execution):
                yield row.body
            if record.phase != ExecutionPhase.SUCCEEDED:  # another one may go on with what it has left
                for body in await asyncio.to_thread(_steps_of, self._attempts / record.execution):
                    yield body
        if self._admin is not None:
            after = ""
            while True:
                page = await self._admin.entities(EntityQuery(after=after, limit=PAGE))
                for entity in page.items:
                    yield canonical((await self._admin.definition(entity.id)).closure)
                if not (after := page.following):
                    break
        async for inputs in _inputs_of(self._admin):
            yield inputs

    async def _mark(self, body: bytes, unused: dict[str, int], closures: set[str]) -> None:
        """Take what `body` refers to off both lists, and what that refers to."""
        if b"sha256:" not in body:
            return
        found = await asyncio.to_thread(self._referred, body)
        for digest in found:
            unused.pop(digest, None)
        for digest in found & self._named:  # also of one in memory, which stays itself: its code has to stay, too
            closures.discard(digest)
            if (closure := await self._journal.closure(digest)) is not None:
                await self._mark(closure, unused, closures)

    def _referred(self, body: bytes) -> set[str]:
        """What `body` refers to, with what is inside of trees and of values in storage, as far as it was not met before."""
        todo = retention.digests(body)
        value = retention.decoded(body)
        # What cannot be read as a whole may name a value in storage by any of them.
        unsure = [(f"{self._home.storage().scheme}:{digest}", 0) for digest in todo] if value is None else ()
        for uri, size in (*retention.offloaded(value), *unsure):
            todo |= self._inside_value(uri, size)
        found = set[str]()
        while todo := todo - self._met:
            self._met |= todo
            found |= todo
            todo = {inner for digest in todo for storage in self._storages for inner in storage.inside(digest)}
        return found

    def _inside_value(self, uri: str, size: int) -> set[str]:
        """What a value in storage refers to: its text is read in parts."""
        digest = next(iter(retention.digests(uri.encode())), "")
        if not digest or digest in self._values:
            return set()
        self._values.add(digest)
        try:
            path = self._home.storage().fetch(Blob(uri, digest, size, ""))
        except (FileNotFoundError, ValueError):  # it is gone, or is none of ours
            return set()
        found, rest = set[str](), b""
        with open(path, "rb") as file:
            while part := file.read(2**20):
                found |= retention.digests(rest + part)
                rest = (rest + part)[1 - DIGEST_LENGTH :]
        return found

    async def _records(self) -> AsyncIterator[Record]:
        """Every execution, the newest first."""
        after = ""
        while page := await self._journal.records(after=after, limit=PAGE):
            for record in page:
                yield record
            after = page[-1].execution


async def _inputs_of(admin: object) -> AsyncIterator[bytes]:
    """What backfills are given: ticks of them may still come to their turn."""
    after = ""
    while isinstance(admin, Backfilling):
        page = await admin.backfills(BackfillQuery(after=after, limit=PAGE))
        for each in page.items:
            yield canonical((await admin.backfill(each.id)).inputs)
        if not (after := page.following):
            return


def _retaining(admin: object) -> Retaining | None:
    return admin if isinstance(admin, Retaining) else None


def _remove(storages: Sequence[Sweepable], digests: Iterable[str], before: float) -> list[str]:
    """Remove content; those of it that stayed, as they were used meanwhile."""
    return [digest for digest in digests if not _is_removed(storages, digest, before)]


def _is_removed(storages: Sequence[Sweepable], digest: str, before: float) -> bool:
    gone = [storage.remove(digest, before) for storage in storages]  # of every one that has it
    return any(gone)


def _size_of(attempts: Path, executions: Iterable[str]) -> int:
    """Bytes in the folders of the attempts of these executions."""
    return sum(status.st_size for execution in executions for status in _files(attempts / execution))


def _files(folder: Path) -> Iterator[os.stat_result]:
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                yield os.lstat(os.path.join(root, name))


def _remove_folders(attempts: Path, executions: Iterable[str]) -> set[str]:
    """Those of which something is left."""
    stuck = set()
    for execution in executions:
        shutil.rmtree(attempts / execution, onerror=_insist)
        if os.path.lexists(attempts / execution):
            stuck.add(execution)
    return stuck


def _insist(remove: Callable[[str], object], path: str, _: object) -> None:
    """Remove what a task has left in a folder that it had made read-only."""
    with contextlib.suppress(OSError):
        os.chmod(os.path.dirname(path), 0o700)
        remove(path)


def _steps_of(folder: Path) -> list[bytes]:
    """What attempts have recorded of their steps: a later attempt takes it, with the files that it refers to."""
    found = []
    for path in folder.glob(f"*/{CHECKPOINT}/{STEPS}/*"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes())
    return found
