"""A storage whose objects are files of an fsspec file system, named by their digest.

Files are in ``files/``; a tree is a manifest in ``trees/`` that names its files by their digests, and is written
last.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from typing import IO, Any

import fsspec

from acme_fsspec.files import check_file
from wingbeat.trees import TreeFile, check_relative, make_manifest, manifest_bytes, read_manifest, walk_tree
from wingbeat.types import Blob

SCHEME = "fsspec"
CHUNK = 2**20
LIST_BYTES_MAX = 256 * 2**20
DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


class FsspecStorage:
    """See `wingbeat.contracts.storage.Storage`.

    Args:
        url: The folder that holds everything.

        cache: A local folder for what is fetched.
    """

    scheme = SCHEME

    def __init__(self, url: str, cache: str) -> None:
        self._url, self._cache = url, cache

    # Putting

    def put_bytes(self, data: bytes) -> Blob:
        """Store bytes."""
        return self._put(io.BytesIO(data), "")

    def put_file(self, path: str, name: str = "") -> Blob:
        """Store a local file."""
        check_file(path)
        with open(path, "rb") as source:
            return self._put(source, name or os.path.basename(path))

    def put_directory(self, path: str, name: str = "") -> Blob:
        """Store a local tree."""
        return self._put_tree(dict(walk_tree(path)), name or os.path.basename(os.path.abspath(path)))

    def put_files(self, files: Mapping[str, str | bytes]) -> Blob:
        """Store a tree of files from here and there."""
        return self._put_tree(files, "")

    def _put_tree(self, files: Mapping[str, str | bytes], name: str) -> Blob:
        for path, content in files.items():
            check_relative(path)
            if isinstance(content, str):
                check_file(content)
        entries = []
        for path, content in files.items():
            runs = isinstance(content, str) and check_file(content)
            blob = self.put_file(content) if isinstance(content, str) else self.put_bytes(content)
            entries.append(TreeFile(path, blob.size, blob.digest, runs))
        manifest = make_manifest(entries)
        made = self._put(io.BytesIO(manifest_bytes(manifest)), name, "trees")
        return Blob(made.uri, made.digest, manifest.size, name, layout="directory")

    def _put(self, source: IO[bytes], name: str, kind: str = "files") -> Blob:
        """Write beside its place, then move there: who looks meanwhile finds nothing, or all of it."""
        digest, size = _digest(source)
        source.seek(0)
        fs, path = self._at(kind, digest)
        if not (fs.exists(path) and self._found(fs, path) == (digest, size)):
            part = f"{path}.{uuid.uuid4().hex}.part"
            fs.makedirs(os.path.dirname(path), exist_ok=True)
            with _removed(fs, part):
                with fs.open(part, "wb") as target:
                    written = _digest(source, target)
                    _settle(fs, target)
                if written != (digest, size):
                    raise OSError(f"{name or 'the content'} was changed while it was stored")
                fs.mv(part, path)
                _settle_folder(fs, os.path.dirname(path))
        return Blob(f"{SCHEME}:{digest}", digest, size, name)

    # Reading

    def read_bytes(self, blob: Blob, bytes_max: int = 256 * 2**20) -> bytes:
        """The content of a file."""
        _check(blob)
        if blob.layout != "file":
            raise ValueError(f"{blob.uri} is a directory")
        return self._read("files", blob.digest, bytes_max)

    def _read(self, kind: str, digest: str, bytes_max: int) -> bytes:
        fs, path = self._at(kind, digest)
        size = fs.size(path)
        if size is not None and size > bytes_max:
            raise ValueError(f"{digest} has {size} bytes, over the limit of {bytes_max}")
        data: bytes = fs.cat_file(path)
        if _digest(io.BytesIO(data))[0] != digest:
            raise OSError(f"{digest} is damaged")
        return data

    def fetch(self, blob: Blob) -> str:
        """A local copy, made once."""
        _check(blob)
        name = blob.name or "content"
        folder = os.path.join(self._cache, blob.layout, blob.digest.partition(":")[2])
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            os.makedirs(folder, exist_ok=True)
            part = os.path.join(self._cache, f"{uuid.uuid4().hex}.part")
            try:
                if blob.layout == "file":
                    self._copy("files", blob.digest, part)
                else:
                    os.mkdir(part)
                    for entry in read_manifest(self._read("trees", blob.digest, LIST_BYTES_MAX)).files:
                        target = os.path.join(part, entry.path)
                        os.makedirs(os.path.dirname(target), exist_ok=True)
                        self._copy("files", entry.digest, target)
                        os.chmod(target, 0o555 if entry.executable else 0o444)
                os.rename(part, path)
            except OSError:
                if not os.path.exists(path):  # who was quicker has the same
                    raise
            finally:
                shutil.rmtree(part, ignore_errors=True)
                with contextlib.suppress(OSError):
                    os.unlink(part)
        return path

    def _copy(self, kind: str, digest: str, target: str) -> None:
        fs, path = self._at(kind, digest)
        with fs.open(path, "rb") as source, open(target, "wb") as file:
            found = _digest(source, file)[0]
        if found != digest:
            raise OSError(f"{digest} is damaged")
        os.chmod(target, 0o444)

    def verify(self, blob: Blob) -> str | None:
        """What is wrong with the content, read to its end."""
        try:
            _check(blob)
            if blob.layout == "file":
                return self._wrong(blob.digest, blob.size)
            manifest = read_manifest(self._read("trees", blob.digest, LIST_BYTES_MAX))
            if manifest.size != blob.size:
                return f"{blob.uri} has {manifest.size} bytes, not {blob.size}"
            return next(filter(None, (self._wrong(entry.digest, entry.size) for entry in manifest.files)), None)
        except (OSError, ValueError) as error:
            return str(error) or f"{blob.uri} cannot be read"

    def _wrong(self, digest: str, size: int) -> str | None:
        fs, path = self._at("files", digest)
        if not fs.exists(path):
            return f"{digest} is not there"
        found = self._found(fs, path)
        return None if found == (digest, size) else f"{digest} is damaged, or its size is not {size} but {found[1]}"

    def _found(self, fs: Any, path: str) -> tuple[str, int]:
        with fs.open(path, "rb") as file:
            return _digest(file)

    def _at(self, kind: str, digest: str) -> tuple[Any, str]:
        # fsspec keeps the connections, for each process and thread.
        fs, root = fsspec.url_to_fs(self._url)
        name = digest.partition(":")[2]
        return fs, f"{root}/{kind}/{name[:2]}/{name}"


def _check(blob: Blob) -> None:
    """Blobs come from outside: only what this storage could have written is looked for."""
    if not DIGEST.match(blob.digest) or blob.uri != f"{SCHEME}:{blob.digest}":
        raise ValueError(f"{blob.uri} is no address of this storage")
    if blob.name in (".", "..") or "/" in blob.name or "\0" in blob.name:
        raise ValueError(f"{blob.name!r} is no name of a file")


def _digest(source: IO[bytes], target: IO[bytes] | None = None) -> tuple[str, int]:
    """Digest and size of what is read, copying it."""
    made, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        made.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)
    return f"sha256:{made.hexdigest()}", size


@contextlib.contextmanager
def _removed(fs: Any, part: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            fs.rm_file(part)
        raise


def _settle(fs: Any, file: Any) -> None:
    """Have what was written survive a power cut; elsewhere than on a disk of this machine it does when it was taken."""
    if "file" in fs.protocol:
        file.flush()
        os.fsync(file.fileno())


def _settle_folder(fs: Any, folder: str) -> None:
    if "file" in fs.protocol:
        for path in (folder, os.path.dirname(folder)):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
