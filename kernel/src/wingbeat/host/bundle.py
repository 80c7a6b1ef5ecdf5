"""Code bundles: a project's sources as one content-addressed directory, so that what runs is what was launched.

Nothing is read that did not change: a cache in the home knows the digest of every file by its path, size, times and
inode. A file that was written to within `SETTLED_NS` before it was read is not remembered, because a second write in
the same tick of the file system's clock would leave no trace.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.durable import write_atomic
from wingbeat.builtin.filecopy import hash_stream
from wingbeat.builtin.filetree import TreeFile, make_manifest, manifest_bytes
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.storage import Storage, StorageFailed
from wingbeat.host.project import Project, find_project, import_roots
from wingbeat.host.sources import project_files
from wingbeat.runtime.bundle import BUNDLE_FILE, bundle_info_bytes
from wingbeat.types import Blob

SETTLED_NS = 2 * 10**9
_TRIES_MAX = 5


class Bundle(Struct, frozen=True):
    """A project's sources, stored.

    Attributes:
        digest: What `Closure.bundle` holds: the digest of the directory.

        root: Where the project is, absolute.

        import_roots: Folders of the bundle that Python imports from, relative to it.

        files: Paths in the bundle.

        blob: The stored directory.

        left_out: Python files and folders (with a slash at the end) that ignore files and settings leave out, and what says so;
            and those that are links out of the project.
    """

    digest: str
    root: str
    import_roots: tuple[str, ...]
    files: tuple[str, ...]
    blob: Blob
    left_out: Mapping[str, str]


class _Known(Struct, frozen=True, array_like=True):
    """What a file was like when it was last read."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    digest: str


class _Sources(Struct, frozen=True):
    project: Project
    import_roots: tuple[str, ...]
    files: tuple[TreeFile, ...]
    digest: str
    left_out: Mapping[str, str]


_decoder = msgspec.msgpack.Decoder(dict[str, _Known])


def source_digest(entry_file: str, cache_dir: str) -> str:
    """The digest of the bundle that `entry_file` would get now; stores nothing.

    Raises:
        ConfigurationError: As `make_bundle`.
    """
    return _scan(entry_file, cache_dir).digest


def make_bundle(entry_file: str, storage: Storage, cache_dir: str) -> Bundle:
    """Store the project of `entry_file` as a bundle, unless it is stored already.

    Args:
        cache_dir: A folder of the home for what is known about files; made if it is not there.

    Raises:
        ConfigurationError: No such file, settings that cannot be used, too much to bundle, or files that keep changing.

        StorageFailed: The storage does not store them as they are.
    """
    seen = set[str]()
    for _ in range(_TRIES_MAX):
        sources = _scan(entry_file, cache_dir)
        seen.add(sources.digest)
        blob = _stored(sources, storage) or _store(sources, storage)
        if blob is not None:
            names = tuple(f.path for f in sources.files)
            return Bundle(sources.digest, sources.project.root, sources.import_roots, names, blob, sources.left_out)
    if len(seen) == 1:
        why = "it does not answer with the digest of the files, which have not changed"
        raise StorageFailed(f"The storage {storage.scheme!r} failed (put_files): {why}.")
    raise ConfigurationError(
        f"The files of {sources.project.root} keep changing while they are read.", hint="Run it again."
    )


def _scan(entry_file: str, cache_dir: str) -> _Sources:
    project = find_project(entry_file)
    key = project.entry if project.alone else project.root
    cache = os.path.join(cache_dir, f"sources-{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}")
    known = _read_cache(cache)
    fresh: dict[str, _Known] = {}
    files = []
    now_ns = time.time_ns()
    found = project_files(project)
    for relative, status in found.files:
        path = os.path.join(project.root, relative)
        stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        entry = known.get(path)
        if entry is None or (entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode) != stamp:
            digest, size = _digest_file(path)
            entry = _Known(size, *stamp[1:], digest)
        if now_ns - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED_NS:
            fresh[path] = entry
        files.append(TreeFile(relative, entry.size, entry.digest, bool(status.st_mode & 0o100)))
    if fresh != known:
        os.makedirs(cache_dir, exist_ok=True)
        write_atomic(cache, msgspec.msgpack.encode(fresh))
    roots = import_roots(project)
    info = bundle_info_bytes(roots)
    files.append(TreeFile(BUNDLE_FILE, len(info), f"sha256:{hashlib.sha256(info).hexdigest()}", executable=False))
    manifest = make_manifest(files)
    digest = f"sha256:{hashlib.sha256(manifest_bytes(manifest)).hexdigest()}"
    return _Sources(project, roots, manifest.files, digest, found.left_out)


def _read_cache(path: str) -> dict[str, _Known]:
    try:
        with open(path, "rb") as stream:
            return _decoder.decode(stream.read())
    except (OSError, msgspec.DecodeError):  # it is a cache: without it everything is read
        return {}


def _digest_file(path: str) -> tuple[str, int]:
    with open(path, "rb") as stream:
        return hash_stream(stream.fileno())


def _stored(sources: _Sources, storage: Storage) -> Blob | None:
    """The bundle, if it is stored; it is ready for attempts then."""
    size = sum(f.size for f in sources.files)
    blob = Blob(f"{storage.scheme}:{sources.digest}", sources.digest, size, "", "directory")
    try:
        storage.fetch(blob)
    except OSError:  # not there, or damaged: storing it again helps with both
        return None
    return blob


def _store(sources: _Sources, storage: Storage) -> Blob | None:
    """Store what was scanned; None if files changed since."""
    files: dict[str, str | bytes] = {f.path: os.path.join(sources.project.root, f.path) for f in sources.files}
    files[BUNDLE_FILE] = bundle_info_bytes(sources.import_roots)
    hit("bundle.scanned")
    try:
        stored = storage.put_files(files)
    except FileNotFoundError:
        return None
    hit("bundle.stored")
    return stored if stored.digest == sources.digest else None
