"""Storage: bytes and trees by URI.

Content stored through `put_*` is addressed by its digest: the same content twice is one object. It is published
atomically: a URI is readable whole or not at all, and what `put_*` returned survives a power cut.

The kit is `wingbeat.testing.conformance.storage.StorageContract`. What holds for all calls:

- *Addresses*: the URI of a blob is ``scheme:digest``. The digest of a file is ``sha256:`` and the SHA-256 of its bytes; that of a
  tree is the digest of its manifest (`wingbeat.trees`): the paths of its files, what is in them, and which of them may be executed.
  So content has one digest in every storage, and the engine writes such URIs itself.
- *Blobs come from outside*, and their size and name may not be known (0 and empty): only `verify` needs the size. A blob of another
  scheme, or whose URI and digest do not agree, is refused; nothing outside of the store is read, whatever a blob says.
- *Where it is*: a plugin registers where its class is (`Registrar.storage`), since objects are made in the kernel and in attempts'
  processes; the distribution is needed in both. What is in a home may be of several storages: it is read by the scheme of its
  URI, and what is new goes to the one that `kernel.storage` names.
- *Threads*: calls come from many threads, of several processes, at once. There is no start, no close and no event loop; an object
  is made cheaply, and holds nothing that a fork would break.
- *Called again*: every call may be repeated. An interrupted `put_*` leaves nothing that could be taken for its content.
- *Raises*: besides what is said below, OSError where the store cannot be reached or is full. A `put_*` that raised may be repeated.
  Whoever calls is told `StorageFailed` then, which names the storage; and for an answer of another type, bytes that are not those
  of the digest, a path where nothing is, or anything else that is raised. For FileNotFoundError of what is to be read it is
  `ContentLost`. An attempt for which its storage fails has failed by the system.
- *Hanging*: in an attempt's process each call has an hour, or as many seconds as the object's attribute `patience_s` says, where it
  has one; then the attempt's process is ended, and has failed by the system. In the kernel whoever waits is told, and the thread is
  left behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from wingbeat.base.errors import WingbeatError
from wingbeat.types import Blob


class StorageFailed(WingbeatError, OSError):
    """A storage cannot be reached, is full, or has done what is none of the contract. Not raised by storages: by who calls them."""


class ContentLost(StorageFailed, FileNotFoundError):
    """What was stored is not there any more. Raised by who calls storages, for their FileNotFoundError where something is read."""


class StorageRef(Struct, frozen=True, omit_defaults=True):
    """How any process makes a storage.

    Attributes:
        scheme: What its URIs begin with, and the name that configuration knows it by.

        target: ``module:class`` of a `Storage`.

        settings: What it is constructed with, by keyword: plain data. It is written to files and may be shown: no place for a
            password, but for where one is found.
    """

    scheme: str
    target: str
    settings: dict[str, Any] = {}


class Storage(Protocol):
    """One URI scheme. Synchronous, because it is used in the attempt's process too; the engine calls it in a thread."""

    scheme: str
    """What its URIs begin with, the name that it is registered under."""

    def put_bytes(self, data: bytes) -> Blob:
        """Store `data`. Returns when it is durable. Stored already: returns the same, and mends what is damaged of it."""

    def put_file(self, path: str, name: str = "") -> Blob:
        """Store a local file, streaming. `name` is what people call it; not part of the address. By default it is the file's own.

        Later changes of the file do not matter. Raises FileNotFoundError, IsADirectoryError, ValueError for what is no file.
        """

    def put_directory(self, path: str, name: str = "") -> Blob:
        """Store a local tree of regular files. Raises ValueError on links out of the tree, devices, pipes and sockets, and names
        what it is about; never waits for one. Links inside the tree are stored as what they point to; empty folders are not. A
        file may be executed if its owner may (mode 0o100); no other bit of its mode counts."""

    def put_files(self, files: Mapping[str, str | bytes]) -> Blob:
        """Store a tree of the given files: relative path in it, and a local path to read or the content itself.

        The same blob as that of a directory which holds them. Raises FileNotFoundError where one cannot be read, ValueError for
        a path that leads out of the tree; there is no tree then.
        """

    def read_bytes(self, blob: Blob, bytes_max: int = 256 * 2**20) -> bytes:
        """The content of a file blob. Raises FileNotFoundError; OSError if it is damaged; ValueError over `bytes_max`, and for
        a directory."""

    def fetch(self, blob: Blob) -> str:
        """A local path of the content, read-only; the store's own where it is local. It ends in the blob's name, if that has one.

        The path stays good while the object lives. Raises FileNotFoundError; ValueError for a name that is none of a file.
        """

    def verify(self, blob: Blob) -> str | None:
        """None if the content is there and whole, of the size that the blob says; else what is wrong with it, for people.

        Called when: a cache hit refers to it, so often and for large files too. Never raises for a missing object.
        """


@runtime_checkable
class Sweepable(Protocol):
    """What a storage can do besides that lets go of content which nothing refers to. One that cannot keeps everything. The kit is
    `wingbeat.testing.conformance.storage_sweep.SweepContract`.

    Content is *used* when it is put, also if it is there already, when `verify` finds it whole, and when it is fetched (which may
    be noted once an hour); a tree with all that is in it. Whoever removes content looks for references after it was last used,
    and leaves what was used since.
    """

    def unused(self, before: float) -> Iterator[tuple[str, int]]:
        """The digests of files and trees that were last used before that moment (epoch seconds), each with the bytes that go with
        it. What is used or put meanwhile may be among them or not."""

    def inside(self, digest: str) -> Sequence[str]:
        """The digests of what a tree consists of; empty for a file, and for what is not there. Raises OSError if it is damaged."""

    def remove(self, digest: str, before: float) -> bool:
        """Remove a file or tree, not what a tree consists of, unless it was used since that moment; whatever happens at the same
        time, what a `put_*` or `verify` has answered for stays. False if it stays, or is not there."""
