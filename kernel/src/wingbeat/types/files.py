"""`File` and `Directory`: content by name and digest, fetched when someone looks at it."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, ClassVar, Protocol, Self, cast

from wingbeat.types.model import Blob, BlobIO, Layout

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

__all__ = ["Directory", "File", "LocalFiles", "set_local_files"]


class LocalFiles(Protocol):
    """How local paths are looked at: this room does no I/O itself."""

    def absolute(self, path: str) -> str:
        """The path from the root."""
        ...

    def path(self, path: str) -> Path:
        """As a `pathlib.Path`."""
        ...

    def open(self, path: str, mode: str) -> IO[Any]:
        """Open a file (text is UTF-8)."""
        ...

    def size(self, path: str) -> int:
        """Bytes of a file, or of all files of a tree."""
        ...

    def digest(self, path: str) -> str:
        """`sha256:…` of a file, or of a tree."""
        ...


_local_files: LocalFiles | None = None


def set_local_files(files: LocalFiles) -> None:
    """Choose who looks at local paths, in place of `wingbeat.runtime.handlers.local`."""
    global _local_files  # noqa: PLW0603  # one for the process
    _local_files = files


def _local() -> LocalFiles:
    global _local_files  # noqa: PLW0603  # one for the process
    if _local_files is None:
        from wingbeat.types.registry import load

        _local_files = cast(LocalFiles, load("wingbeat.runtime.handlers.local:LocalDisk"))
    return _local_files


class _Content:
    """Either a local path that is not stored yet, or stored content with the door to fetch it."""

    __slots__ = ("_blob", "_io", "_name", "_path")
    layout: ClassVar[Layout]

    def __init__(self, path: str | PathLike[str], *, name: str | None = None) -> None:
        text = path if isinstance(path, str) else path.__fspath__()
        self._path: str | None = _local().absolute(text)
        self._name = name or self._path.rstrip("/").rpartition("/")[2]
        self._blob: Blob | None = None
        self._io: BlobIO | None = None

    @classmethod
    def stored(cls, blob: Blob, io: BlobIO) -> Self:
        """Content that is in a store already."""
        self = cls.__new__(cls)
        self._path, self._name, self._blob, self._io = None, blob.name, blob, io
        return self

    @property
    def blob(self) -> Blob | None:
        """Where the content is stored; None while it is only a local path."""
        return self._blob

    @property
    def name(self) -> str:
        """Its own name, without folders."""
        return self._name

    @property
    def size(self) -> int:
        """Bytes; of a directory, of all its files."""
        return self._blob.size if self._blob else _local().size(self._local_path())

    @property
    def digest(self) -> str:
        """`sha256:…` of the content."""
        return self._blob.digest if self._blob else _local().digest(self._local_path())

    def path(self) -> Path:
        """A local path of the content, fetched now if it is not here yet. Read-only: it may be the store's own."""
        return _local().path(self._local_path())

    def _local_path(self) -> str:
        if self._path is None:
            assert self._io is not None
            assert self._blob is not None
            self._path = self._io.fetch(self._blob)
        return self._path

    def __fspath__(self) -> str:
        return self._local_path()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, _Content)
        if self._path is not None and self._path == other._path:
            return True
        return self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        where = self._path or (self._blob.uri if self._blob else "")
        return f"{type(self).__name__}({where!r})"


class File(_Content):
    """A file. Make one from a local path, `File("a.csv")`; one that comes in is fetched when it is opened."""

    __slots__ = ()
    layout: ClassVar[Layout] = "file"

    def open(self, mode: str = "r") -> IO[Any]:
        """Open it: stored content streams and can only be read; a file that is not stored yet opens in any mode."""
        if self._path is not None and self._blob is None:
            return _local().open(self._path, mode)
        if set(mode) - set("rbt") or "r" not in mode:
            raise ValueError(f"{self._name} is stored and cannot change: open it to read, not with mode {mode!r}")
        assert self._io is not None
        assert self._blob is not None
        return self._io.open(self._blob, mode)


class Directory(_Content):
    """A tree of files.

    Make one from a local path, `Directory("out")`; one that comes in is fetched when its path is asked for.
    """

    __slots__ = ()
    layout: ClassVar[Layout] = "directory"
