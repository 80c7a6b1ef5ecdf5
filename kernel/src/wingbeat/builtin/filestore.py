"""Storage in files of the home: content-addressed, for URIs like ``store:sha256:<hex>``.

::

    HOME/storage/objects/<hex>         the content of one file, or the manifest of a directory; read-only
                 named/<hex>/<name>    an object under the name that people gave it (libraries decide by the suffix)
                 trees/<hex>/…         a directory, made again from its manifest
                 scratch/              what is being written now

URIs say nothing about where the home is, so a home can be moved. `named` and `trees` can be deleted at any time.

They are made of hard links: no byte is copied, a hundred attempts can fetch a directory of gigabytes at once, and the
name is that of a real file, which symbolic links would lose to libraries that resolve paths. The price is that who
writes to a fetched file against its read-only mode (root may) damages the object, which `verify` finds. Where a link
cannot be made, and for executables, whose mode an object does not have, the content is copied. Folders stay writable,
so that ``rm -r`` works.

Every object has the same time of modification, `SEALED_NS`, set when its content was known to be right. Any later
write gives it another one. So "changed since it was verified" needs no records, and survives a copy of the home that
keeps times.

The time of access is when an object was last used (`wingbeat.contracts.storage.Sweepable`). It is set when something is used; a
file system that sets it whenever a file is read, as some do, only has content stay a little longer.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from wingbeat.builtin.durable import (
    CHUNK_BYTES,
    collect_scratch,
    fsync_directory,
    make_directory,
    scratch_directory,
    scratch_file,
    write_all,
)
from wingbeat.builtin.filecopy import hash_stream, link_or_copy, read_small
from wingbeat.builtin.filetree import (
    MANIFEST_BYTES_MAX,
    MANIFEST_HEAD,
    Manifest,
    TreeFile,
    check_digest,
    check_name,
    check_relative,
    kind_of,
    make_manifest,
    manifest_bytes,
    read_manifest,
    walk_tree,
)
from wingbeat.contracts.failpoints import hit
from wingbeat.types import Blob

SCHEME = "store"
SEALED_NS = 10**9 * 10**9
"""Time of modification of whole objects, in ns: 2001-09-09T01:46:40Z, which archives and databases can hold."""

USE_S = 3600.0
"""Who fetches content again and again is noted as its user so often."""
HASH_ALWAYS_BYTES_MAX = 16 * 2**20
"""Up to this size `verify` always reads the content; above it only if the file was written to since it was right."""


class FileStore:
    """The content-addressed storage of one home. Safe for many processes and threads at once.

    Args:
        root: Its folder, for example ``HOME/storage``; made with the first content.
    """

    scheme = SCHEME

    def __init__(self, root: str) -> None:
        self._root = os.path.abspath(root)
        self._objects = os.path.join(self._root, "objects")
        self._named = os.path.join(self._root, "named")
        self._trees = os.path.join(self._root, "trees")
        self._scratch = os.path.join(self._root, "scratch")
        self._prepared = False

    def put_bytes(self, data: bytes) -> Blob:
        """Store `data`. Stored already: returns the same."""
        digest = self._put_data(data)
        fsync_directory(self._objects)
        return self.blob(digest, size=len(data))

    def put_file(self, path: str, name: str = "") -> Blob:
        """Store a local file, streaming. `name` is what people call it: by default the file's own."""
        name = check_name(name or os.path.basename(path))
        digest, size, _ = self._put_path(path)
        fsync_directory(self._objects)
        return self.blob(digest, size=size, name=name)

    def put_directory(self, path: str, name: str = "") -> Blob:
        """Store a local tree of regular files. Links inside the tree are stored as what they point to.

        Raises:
            ValueError: A link leads out of the tree, or something is neither file nor folder; the message names it.
        """
        name = check_name(name or os.path.basename(os.path.abspath(path)) or "root")
        return self._put_tree(walk_tree(path), name)

    def put_files(self, files: Mapping[str, str | bytes]) -> Blob:
        """Store a tree of these files: path in it, and what to read or the content itself.

        Raises:
            FileNotFoundError: One is not there.

            ValueError: A path leads out of the tree, or what is to be read is no regular file.
        """
        return self._put_tree(((check_relative(path), source) for path, source in files.items()), "")

    def _put_tree(self, entries: Iterable[tuple[str, str | bytes]], name: str) -> Blob:
        manifest = make_manifest(TreeFile(relative, *self._put_entry(source)) for relative, source in entries)
        # Objects first: a manifest whose files are missing must not be found after a power cut.
        self._prepare()
        fsync_directory(self._objects)
        hit("store.tree-stored")
        digest = self._put_data(manifest_bytes(manifest))
        fsync_directory(self._objects)
        return self.blob(digest, size=manifest.size, name=name, layout_directory=True)

    def blob(self, digest: str, *, size: int = 0, name: str = "", layout_directory: bool = False) -> Blob:
        """The blob of a digest that was stored here. Only `verify` needs the right size."""
        check_digest(digest)
        layout = "directory" if layout_directory else "file"
        return Blob(uri=f"{SCHEME}:{digest}", digest=digest, size=size, name=name, layout=layout)  # type: ignore[arg-type]

    def read_bytes(self, blob: Blob, bytes_max: int = 256 * 2**20) -> bytes:
        """The content of a file blob.

        Raises:
            FileNotFoundError: It is not here.

            OSError: It is damaged.

            ValueError: It is larger than `bytes_max`, or the blob is not one of this storage.
        """
        if blob.layout == "directory":
            raise ValueError(f"{blob.uri} is a directory, not a file")
        return self._read(_digest_of(blob), bytes_max)

    def fetch(self, blob: Blob) -> str:
        """A local path of the content, read-only, which ends in the blob's name if it has one.

        Raises:
            FileNotFoundError: It is not here, or a file of the directory is not.

            OSError: The manifest of the directory is damaged.

            ValueError: The blob is not one of this storage, or its name cannot be that of a file.
        """
        digest = _digest_of(blob)
        name = check_name(blob.name) if blob.name else ""
        if blob.layout == "directory":
            tree = self._fetch_tree(digest)
            return self._fetch_named(tree, digest, name, link_tree=True) if name else tree
        path = self._object(digest)
        if self._stat(digest).st_atime < time.time() - USE_S:
            self._use(digest)
        return self._fetch_named(path, digest, name, link_tree=False) if name else path

    def share(self, blob: Blob) -> dict[str, str]:
        """What a store elsewhere has to find below its root to have this blob: place there, and path here, of files and folders.

        For a container, into which they are mounted, read-only. Raises as `fetch` does.
        """
        path = self.fetch(msgspec.structs.replace(blob, name=""))
        hexadecimal = _digest_of(blob).removeprefix("sha256:")
        found = {f"objects/{hexadecimal}": self._object(blob.digest)}
        if blob.layout == "directory":
            found[f"trees/{hexadecimal}"] = path
        elif blob.name:
            found[f"named/{hexadecimal}/{check_name(blob.name)}"] = path
        return found

    def adopt(self, blob: Blob, root: str) -> None:
        """Have a blob that is in the store at `root`, to which anybody may have written: nothing there is believed.

        Raises:
            OSError: It is not there, or something there is no regular file.

            ValueError: It is not what its digest says.
        """
        digest = _digest_of(blob)
        if self.verify(blob) is None:
            return
        folder = os.open(os.path.join(root, "objects"), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self._adopt_object(digest, folder)
            if blob.layout == "directory":
                for file in self._manifest(digest).files:
                    if not self._is_whole(file.digest, file.size):
                        self._adopt_object(file.digest, folder)
        finally:
            os.close(folder)
        fsync_directory(self._objects)

    def _adopt_object(self, digest: str, folder: int) -> None:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        source = os.open(check_digest(digest).removeprefix("sha256:"), flags, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(source).st_mode):
                raise OSError(errno.EIO, "not a regular file", f"{SCHEME}:{digest}")
            if self._copy_in(source)[0] != digest:
                raise ValueError(f"{SCHEME}:{digest} is not what its digest says")
        finally:
            os.close(source)

    def verify(self, blob: Blob) -> str | None:
        """None if the content is there and whole; else what is wrong with it.

        Existence and size are always checked. Up to `HASH_ALWAYS_BYTES_MAX` the content is hashed each time; larger
        files are hashed only if they were written to since they were last known to be right, as their time of
        modification tells: a silent flip of bits on the disk is then left to the disk to report.
        """
        try:
            digest = _digest_of(blob)
            if blob.layout != "directory":
                return self._verify_object(digest, blob.size)
            manifest = self._manifest(digest)
        except (OSError, ValueError) as error:
            return str(error)
        if manifest.size != blob.size:
            return f"{blob.uri}: has {manifest.size} bytes, not {blob.size}"
        problems = ((f.path, self._verify_object(f.digest, f.size)) for f in manifest.files)
        wrong = next((f"{path}: {problem}" for path, problem in problems if problem), None)
        if wrong is None and not self._use(digest):
            return f"{blob.uri}: not in the storage {self._root}"
        return wrong

    # -- removing: `wingbeat.contracts.storage.Sweepable`

    def unused(self, before: float) -> Iterator[tuple[str, int]]:
        """See `Sweepable.unused`."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self._objects) as entries:
            for entry in entries:
                with contextlib.suppress(OSError, ValueError):
                    digest, status = check_digest(f"sha256:{entry.name}"), entry.stat(follow_symlinks=False)
                    if status.st_atime < before:
                        yield digest, status.st_size

    def inside(self, digest: str) -> Sequence[str]:
        """See `Sweepable.inside`."""
        try:
            with open(self._object(check_digest(digest)), "rb") as file:
                head = file.read(len(MANIFEST_HEAD))
        except FileNotFoundError:
            return ()
        return [file.digest for file in self._manifest(digest).files] if head == MANIFEST_HEAD else ()

    def remove(self, digest: str, before: float) -> bool:
        """See `Sweepable.remove`."""
        path, hexadecimal = self._object(check_digest(digest)), digest.removeprefix("sha256:")
        try:
            seen = os.lstat(path)
        except FileNotFoundError:
            return False
        if seen.st_atime >= before:
            return False
        self._prepare()
        with scratch_directory(self._scratch) as aside:
            hit("store.removing")
            for kind in (self._named, self._trees):  # made of the object, and made again where somebody asks for it
                with contextlib.suppress(FileNotFoundError):
                    os.rename(os.path.join(kind, hexadecimal), os.path.join(aside, os.path.basename(kind)))
            # Whoever uses it sets its time, or does not find it and writes it anew: so what was used is seen here.
            away = os.path.join(aside, "object")
            os.rename(path, away)
            if os.lstat(away).st_atime_ns != seen.st_atime_ns:
                os.rename(away, path)
                return False
            hit("store.removed")
        return True

    # -- writing

    def _prepare(self) -> None:
        if not self._prepared:
            for folder in (self._objects, self._scratch):
                make_directory(folder)
            collect_scratch(self._scratch)
            self._prepared = True

    def _put_data(self, data: bytes | memoryview) -> str:
        """Store `data`; durable once the folder of objects is synchronised."""
        self._prepare()
        hexadecimal = hashlib.sha256(data).hexdigest()
        digest = f"sha256:{hexadecimal}"
        if not self._is_whole(digest, len(data)):
            with scratch_file(self._scratch) as (fd, path):
                write_all(fd, data)
                hit("store.written")
                self._publish(fd, path, digest)
        return digest

    def _put_path(self, path: str) -> tuple[str, int, bool]:
        """Store the file at `path`; durable once the folder of objects is synchronised: digest, size, executable."""
        # O_NONBLOCK: opening a pipe must not wait for its writer.
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(source)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, "a folder, not a file; store it as a Directory", path)
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"{path} is {kind_of(status.st_mode)}, not a regular file")
            executable = bool(status.st_mode & 0o100)
            if status.st_size <= CHUNK_BYTES:
                data = read_small(source)
                if len(data) <= CHUNK_BYTES:
                    return self._put_data(data), len(data), executable
            digest, size = hash_stream(source)
            # Read a second time only if it is new: who puts the same large file again writes nothing.
            if not self._is_whole(digest, size):
                digest, size = self._copy_in(source)
            return digest, size, executable
        finally:
            os.close(source)

    def _put_entry(self, source: str | bytes) -> tuple[int, str, bool]:
        if isinstance(source, bytes):
            return len(source), self._put_data(source), False
        digest, size, executable = self._put_path(source)
        return size, digest, executable

    def _copy_in(self, source: int) -> tuple[str, int]:
        self._prepare()
        with scratch_file(self._scratch) as (fd, path):
            # Hashed again: the file may have changed since it was hashed before.
            digest, size = hash_stream(source, fd)
            if not self._is_whole(digest, size):
                self._publish(fd, path, digest)
        return digest, size

    def _publish(self, fd: int, path: str, digest: str) -> None:
        os.fchmod(fd, 0o444)
        os.utime(fd, ns=(time.time_ns(), SEALED_NS))
        os.fsync(fd)
        hit("store.synced")
        os.rename(path, self._object(digest))
        hit("store.renamed")

    # -- reading

    def _object(self, digest: str) -> str:
        return os.path.join(self._objects, digest.removeprefix("sha256:"))

    def _stat(self, digest: str) -> os.stat_result:
        try:
            status = os.lstat(self._object(digest))
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, f"not in the storage {self._root}", f"{SCHEME}:{digest}") from None
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EIO, "damaged: not a regular file", self._object(digest))
        return status

    def _read(self, digest: str, bytes_max: int) -> bytes:
        size = self._stat(digest).st_size
        if size > bytes_max:
            raise ValueError(f"{SCHEME}:{digest} has {size} bytes, over the limit of {bytes_max}")
        with open(self._object(digest), "rb") as file:
            data = file.read(bytes_max + 1)
        if hashlib.sha256(data).hexdigest() != digest.removeprefix("sha256:"):
            _break_seal(self._object(digest))
            raise OSError(errno.EIO, "damaged: the content is not what its digest says", self._object(digest))
        return data

    def _manifest(self, digest: str) -> Manifest:
        return read_manifest(self._read(digest, MANIFEST_BYTES_MAX))

    def _is_whole(self, digest: str, size: int) -> bool:
        """Whether an object can be relied upon without writing it again."""
        try:
            status = self._stat(digest)
        except OSError:
            return False
        if status.st_size != size:
            return False
        return (status.st_mtime_ns == SEALED_NS or self._hash_object(digest)) and self._use(digest)

    def _verify_object(self, digest: str, size: int) -> str | None:
        try:
            status = self._stat(digest)
            if status.st_size != size:
                return f"{SCHEME}:{digest}: has {status.st_size} bytes, not {size}"
            unchanged = status.st_mtime_ns == SEALED_NS and size > HASH_ALWAYS_BYTES_MAX
            whole = unchanged or self._hash_object(digest)
            if whole and not self._use(digest):
                self._stat(digest)  # which says that it is gone
        except OSError as error:
            return str(error)
        return None if whole else f"{SCHEME}:{digest}: damaged, the content is not what its digest says"

    def _use(self, digest: str) -> bool:
        """Note that an object is used, so that nobody removes it; False if somebody just has."""
        path = self._object(digest)
        try:
            os.utime(path, ns=(time.time_ns(), SEALED_NS))
        except FileNotFoundError:
            return False
        except OSError:  # another user's home, or a read-only one
            return True
        # The time may have been set after who removes it had looked: it was found by its name, and then had none.
        return os.path.lexists(path)

    def _hash_object(self, digest: str) -> bool:
        """Whether the content is what its digest says; notes in the file's time that it is."""
        path = self._object(digest)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            before = os.fstat(fd).st_mtime_ns
            if hash_stream(fd)[0] != digest:
                _break_seal(fd)
                return False
            if before != SEALED_NS:
                with contextlib.suppress(OSError):  # another user's home, or a read-only one
                    os.utime(fd, ns=(time.time_ns(), SEALED_NS))
            return True
        finally:
            os.close(fd)

    # -- fetching

    def _fetch_named(self, target: str, digest: str, name: str, *, link_tree: bool) -> str:
        folder = os.path.join(self._named, digest.removeprefix("sha256:"))
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            if os.path.samefile(path, target) or (not link_tree and _same_content_kept(path, target)):
                return path
        os.makedirs(folder, exist_ok=True)
        self._prepare()
        with scratch_directory(self._scratch) as scratch:
            made = os.path.join(scratch, "entry")
            if link_tree:
                os.symlink(os.path.relpath(target, folder), made)
            else:
                link_or_copy(target, made, executable=False, time_ns=SEALED_NS)
            os.rename(made, path)
        return path

    def _fetch_tree(self, digest: str) -> str:
        manifest = self._manifest(digest)
        if self._stat(digest).st_atime < time.time() - USE_S:
            for each in (*(file.digest for file in manifest.files), digest):
                self._use(each)
        path = os.path.join(self._trees, digest.removeprefix("sha256:"))
        if _tree_is_whole(path, manifest):
            return path
        os.makedirs(self._trees, exist_ok=True)
        self._prepare()
        with scratch_directory(self._scratch) as made:
            self._fill_tree(made, manifest)
            hit("store.tree-filled")
            for _ in range(10):
                if _rename_new(made, path) or _tree_is_whole(path, manifest):
                    return path
                with contextlib.suppress(FileNotFoundError), scratch_directory(self._scratch) as aside:
                    os.rename(path, os.path.join(aside, "damaged"))
        raise OSError(errno.EIO, "the tree is damaged again and again by another process", path)

    def _fill_tree(self, root: str, manifest: Manifest) -> None:
        folders = {""}
        for file in manifest.files:
            folder = file.path.rpartition("/")[0]
            if folder not in folders:
                os.makedirs(os.path.join(root, folder), exist_ok=True)
                folders.add(folder)
            self._stat(file.digest)
            link_or_copy(
                self._object(file.digest), os.path.join(root, file.path), executable=file.executable, time_ns=SEALED_NS
            )


def _digest_of(blob: Blob) -> str:
    """The digest of a blob of this storage; ValueError for any other."""
    digest = check_digest(blob.digest)
    if blob.uri != f"{SCHEME}:{digest}":
        raise ValueError(f"{blob.uri[:200]!r} is not the address of {digest} in this storage")
    return digest


def _rename_new(source: str, target: str) -> bool:
    """Rename a folder to a name that is free; False if something is there."""
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False
        raise
    return True


def _same_content_kept(path: str, target: str) -> bool:
    """Whether `path` is a copy that nobody wrote to since."""
    copy, original = os.lstat(path), os.lstat(target)
    return stat.S_ISREG(copy.st_mode) and copy.st_mtime_ns == SEALED_NS and copy.st_size == original.st_size


def _tree_is_whole(root: str, manifest: Manifest) -> bool:
    """Whether every file is there, of its size and not written to; looks at no content."""
    if not os.path.isdir(root):
        return False
    try:
        for file in manifest.files:
            status = os.lstat(f"{root}/{file.path}")
            if status.st_size != file.size or status.st_mtime_ns != SEALED_NS or not stat.S_ISREG(status.st_mode):
                return False
    except OSError:
        return False
    return True


def _break_seal(object_: str | int) -> None:
    """Note that an object is damaged, so that who stores the same content again writes it anew: bits that the disk flips leave
    the time of modification as it was."""
    with contextlib.suppress(OSError):  # another user's home, or a read-only one
        os.utime(object_)
