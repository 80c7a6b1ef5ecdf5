"""The files: one for each registration, which never changes, and one with the `Book`. All is called in one thread.

A registration is one file, so it is there whole or not at all. Its number is its place in the order; what a reviewer sees of
a release is one new file.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TypeVar

import msgspec
from msgspec import Struct

from acme_ledger.book import Book, Triggers
from wingbeat.base.errors import ConfigurationError, ConflictError, InputError, NotFound
from wingbeat.base.ids import digest
from wingbeat.contracts.admin import Definition, Entity, EntityQuery, Kind, Registered
from wingbeat.spec.codec import SPEC_BYTES_MAX, canonical, read_bounded
from wingbeat.spec.diff import differences
from wingbeat.spec.entities import Closure, LaunchPlanSpec
from wingbeat.spec.identity import Identity, Name, parse_identity
from wingbeat.types import LimitExceeded

BUSY_S = 10.0
"""For so long another command may have the ledger."""
DIFFERENCES_MAX = 20
T = TypeVar("T")


class Entry(Struct, frozen=True, omit_defaults=True):
    """One definition of a registration; `closure` is the name of what it runs, in the same file."""

    id: str
    kind: Kind
    digest: str
    closure: str
    plan: LaunchPlanSpec | None = None


class Registration(Struct, frozen=True):
    """A file."""

    at: float
    by: str
    entries: list[Entry]
    closures: dict[str, Closure]


class Known(Struct, frozen=True):
    """An entity, and the file that it is in."""

    entity: Entity
    file: Path


_registration = msgspec.json.Decoder(Registration)
_book = msgspec.json.Decoder(Book)


class Ledger:
    """What is in the files.

    Args:
        home: Of the book and the lock.

        folder: Of the registrations.

    Raises:
        ConfigurationError: Another process works with it, or a file is not as it was written.
    """

    def __init__(self, home: Path, folder: Path) -> None:
        self._home, self._folder = home, folder
        self._known: dict[str, Known] = {}
        self.book = Book()
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(home / "ledger.lock")
        try:
            for file in sorted(folder.glob("[0-9]*.json")):
                self._take(file, _read(file))
            if (home / "ledger.json").exists():
                self.book = _decoded(home / "ledger.json", _book)
        except BaseException:
            self._lock.close()
            raise

    def close(self) -> None:
        """Let another process have it."""
        self._lock.close()

    def _take(self, file: Path, found: Registration) -> None:
        for entry in found.entries:
            definition = _definition(entry, found)
            if definition.digest != entry.digest:
                raise ConfigurationError(
                    f"{file} was changed: {entry.id} is not what was registered.",
                    hint="A version never changes. Take the file back, and register what is new under another version.",
                )
            there = self._known.get(entry.id)
            if there is not None and there.entity.digest != entry.digest:
                raise ConfigurationError(
                    f"{file} and {there.file} both register {entry.id}, with another content.",
                    hint="As it comes when two branches are merged: take one of them back.",
                )
            plan = entry.plan
            doc = plan.doc if plan is not None else definition.closure.workflow.doc
            self._known[entry.id] = Known(
                Entity(
                    entry.id, entry.kind, entry.digest, definition.interface, found.at, found.by, doc,
                    fixed={} if plan is None else plan.fixed, trigger=None if plan is None else plan.trigger,
                ),
                file,
            )  # fmt: skip

    def register(self, given: Sequence[tuple[Identity, Definition]], at: float, by: str) -> list[Registered]:
        """Write what is new into one file. Raises `ConflictError`: then nothing is."""
        for id, definition in given:
            there = self._known.get(str(id))
            if there is not None and there.entity.digest != definition.digest:
                raise self._conflict(id, definition)
        new = [(id, definition) for id, definition in given if str(id) not in self._known]
        if new:
            entries = [Entry(str(id), d.kind, d.digest, _named(d.closure), d.plan) for id, d in new]
            made = Registration(at, by, entries, {_named(d.closure): d.closure for _, d in new})
            last = max((int(file.name[:6]) for file in self._folder.glob("[0-9]*.json")), default=0)
            place = new[0][0]
            file = self._folder / f"{last + 1:06}-{place.project}-{place.domain}-{place.version}.json"
            data = msgspec.json.format(canonical(made), indent=2)
            if len(data) > SPEC_BYTES_MAX:
                raise InputError(
                    f"A registration of {len(data)} bytes is too large.", hint="Register fewer files at once."
                )
            _write(file, data)
            self._take(file, made)
        return [Registered(str(id), d.kind, any(id == each for each, _ in new)) for id, d in given]

    def _conflict(self, id: Identity, definition: Definition) -> ConflictError:
        there = self.definition(id)
        compared = differences(there.closure, definition.closure, old_plan=there.plan, new_plan=definition.plan)
        told = [str(each) for each in compared] or [f"it is a {there.kind.label}, not a {definition.kind.label}"]
        lines = "".join(f"\n    {line}" for line in told[:DIFFERENCES_MAX])
        return ConflictError(
            f"{id} is in {self._known[str(id)].file.name} already, with another content:{lines}",
            hint="A version never changes: register under another one.",
        )

    def identity(self, name: Name, version: str) -> Identity:
        """One version; without it, the active one, else the newest. Raises `NotFound`."""
        active = self.book.active.get(str(name))
        if not version and active is not None:
            version = active.version
        wanted = f"{name}@{version}"
        for id in reversed(self._known):
            if id == wanted or (not version and id.startswith(wanted)):
                return name.at(id.rpartition("@")[2])
        raise NotFound(
            f"Nothing is registered as {wanted.rstrip('@')}.",
            hint="See 'wingbeat get workflows|tasks|launchplans'.",
        )

    def entity(self, id: Identity) -> Entity:
        """One version, which is there."""
        entity = self._known[str(id)].entity
        active = self.book.active.get(str(id.entity))
        if active is None or active.version != id.version:
            return entity
        next_ = None if active.paused else active.next
        return msgspec.structs.replace(entity, active=True, paused=active.paused, next=next_)

    def definition(self, id: Identity) -> Definition:
        """What was registered, from its file."""
        found = _read(self._known[str(id)].file)
        return next(_definition(entry, found) for entry in found.entries if entry.id == str(id))

    def entities(self, query: EntityQuery, limit: int) -> list[Entity]:
        """The newest that a query selects. Raises `NotFound` for an `after` that is not there."""
        if query.after and query.after not in self._known:
            raise NotFound(f"Nothing is registered as {query.after}.")
        found: list[Entity] = []
        behind = not query.after
        for id in reversed(self._known):
            if behind and len(found) < limit and self._selected(id, query):
                found.append(self.entity(parse_identity(id)))
            behind = behind or id == query.after
        return found

    def _selected(self, id: str, query: EntityQuery) -> bool:
        one, kind = parse_identity(id), self._known[id].entity.kind
        wanted = (query.kind, query.project, query.domain, query.name, query.version)
        given = (kind, one.project, one.domain, one.name, one.version)
        return all(not w or w == has for w, has in zip(wanted, given, strict=True))

    def write(self, book: Book) -> bool:
        """Keep another book. False if it is the same."""
        if book == self.book:
            return False
        _write(self._home / "ledger.json", msgspec.json.encode(book))
        self.book = book
        return True

    def triggers(self) -> Triggers:
        """Those of what is active."""
        ids = (f"{plan}@{active.version}" for plan, active in self.book.active.items())
        return {id: self._known[id].entity.trigger for id in ids if id in self._known}


def _definition(entry: Entry, found: Registration) -> Definition:
    return Definition(entry.kind, parse_identity(entry.id).name, found.closures[entry.closure], entry.plan)


def _named(closure: Closure) -> str:
    return digest(canonical(closure))


def _locked(path: Path) -> IO[bytes]:
    """The lock, as an open file. Raises `ConfigurationError`."""
    lock, end = path.open("wb"), time.monotonic() + BUSY_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > end:
                lock.close()
                raise ConfigurationError(
                    f"Another process works with the ledger of {path.parent}.",
                    hint="A program that keeps its kernel's admin open, or a command that takes long: let it end.",
                ) from None
            time.sleep(0.02)


def _read(file: Path) -> Registration:
    return _decoded(file, _registration)


def _decoded(file: Path, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return read_bounded(file.read_bytes(), decoder)
    except (OSError, msgspec.MsgspecError, LimitExceeded) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.") from error


def _write(file: Path, data: bytes) -> None:
    """Write a file whole, and so that it stays; over the one before."""
    part = file.with_name(f".{file.name}.part")
    with part.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
