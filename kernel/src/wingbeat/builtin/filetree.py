"""Trees as content: the canonical manifest of a directory, and reading one from disk or from outside.

A manifest lists regular files by their relative path, sorted, each with its size, digest and whether it may be
executed. Its canonical JSON is what is hashed: the digest of a directory is the digest of its manifest. Empty
directories, times, owners and other permissions are no content.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

FILES_MAX = 500_000
PATH_BYTES_MAX = 2048
"""Where a tree is put has a path, too, and both together have to fit what systems take."""
MANIFEST_BYTES_MAX = 256 * 2**20
FORMAT = "wingbeat-tree/1"
MANIFEST_HEAD = f'["{FORMAT}",'.encode()
"""How every manifest begins."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_FORBIDDEN = re.compile("[\n\r\0\ud800-\udfff]")


class TreeFile(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One file of a tree."""

    path: str
    size: int
    digest: str
    executable: bool


class Manifest(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is in a tree; `files` are sorted by path."""

    format: str
    files: tuple[TreeFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(f.size for f in self.files)

    @property
    def contents(self) -> dict[str, str]:
        """By path, what a file is: the same text for the same bytes that may be executed alike."""
        return {f.path: f"{f.digest}{' executable' if f.executable else ''}" for f in self.files}


_decoder = msgspec.json.Decoder(Manifest)


def make_manifest(files: Iterable[TreeFile]) -> Manifest:
    """The manifest of these files, in any order."""
    return Manifest(FORMAT, tuple(sorted(files, key=lambda f: f.path)))


def manifest_bytes(manifest: Manifest) -> bytes:
    """The canonical JSON of a manifest: what is hashed."""
    return msgspec.json.encode(manifest)


def read_manifest(data: bytes) -> Manifest:
    """The manifest that `data` holds. Nothing in it leads out of the tree.

    Raises:
        ValueError: It is not a manifest, or a path in it is not to be trusted.
    """
    try:
        manifest = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"the object is not a directory: {error}") from None
    if manifest.format != FORMAT:
        raise ValueError(f"the object is not a directory of the format {FORMAT}: {manifest.format[:40]!r}")
    folders: set[str] = set()
    last = ""
    for file in manifest.files:
        check_relative(file.path)
        check_digest(file.digest)
        if file.path <= last or file.size < 0:
            raise ValueError(f"the directory's list of files is not canonical at {file.path[:200]!r}")
        last = file.path
        folder = file.path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    if clash := next((f.path for f in manifest.files if f.path in folders), None):
        raise ValueError(f"the directory's list of files has {clash[:200]!r} as a file and as a folder")
    return manifest


def check_digest(digest: str) -> str:
    """Return `digest` if it is ``sha256:`` and 64 hexadecimal digits. Raises ValueError."""
    if not _DIGEST.match(digest):
        raise ValueError(f"{digest[:100]!r} is not a digest; expected 'sha256:' and 64 hexadecimal digits")
    return digest


def check_name(name: str) -> str:
    """Return `name` if it can be the name of a file in a directory, and nothing else. Raises ValueError."""
    if name in ("", ".", "..") or "/" in name or _FORBIDDEN.search(name) or len(name.encode()) > 255:
        raise ValueError(f"{name[:100]!r} cannot be the name of a file")
    return name


def check_relative(path: str) -> str:
    """Return `path` if it stays below the folder it is relative to. Raises ValueError."""
    try:
        for part in path.split("/"):
            check_name(part)
    except ValueError:
        raise ValueError(f"{path[:200]!r} is not a path inside a directory") from None
    if len(path.encode()) > PATH_BYTES_MAX:
        raise ValueError(f"the path {path[:200]!r}… is longer than {PATH_BYTES_MAX} bytes")
    return path


def walk_tree(root: str) -> Iterator[tuple[str, str]]:
    """The regular files below `root`: relative path, and path to read. Links inside the tree are what they point to.

    Raises:
        ValueError: Something there cannot be stored; the message names its path.
    """
    top = os.path.realpath(root)
    if not os.path.isdir(top):
        raise NotADirectoryError(f"{root} is not a directory")
    count = 0
    pending: list[tuple[str, str, tuple[str, ...]]] = [("", top, (top,))]
    while pending:
        prefix, folder, above = pending.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                relative = prefix + entry.name
                if _FORBIDDEN.search(entry.name):
                    raise ValueError(f"{entry.path!r}: names with line breaks or outside UTF-8 cannot be stored")
                real = _resolve(entry, top) if entry.is_symlink() else entry.path
                mode = os.lstat(real).st_mode
                if stat.S_ISDIR(mode):
                    if real in above:
                        raise ValueError(f"{entry.path}: the link points to a folder that holds it")
                    pending.append((relative + "/", real, (*above, real)))
                elif stat.S_ISREG(mode):
                    count += 1
                    if count > FILES_MAX:
                        raise ValueError(f"{root}: more than {FILES_MAX:,} files; pack them into fewer")
                    yield relative, real
                else:
                    raise ValueError(
                        f"{entry.path}: {kind_of(mode)} cannot be stored; only regular files and folders can"
                    )


def _resolve(entry: os.DirEntry[str], top: str) -> str:
    real = os.path.realpath(entry.path)
    if not os.path.exists(real):
        raise ValueError(f"{entry.path}: the link points to nothing ({os.readlink(entry.path)})")
    if real != top and not real.startswith(top.rstrip("/") + "/"):
        raise ValueError(f"{entry.path}: the link leads out of the directory, to {real}; copy the content instead")
    return real


def kind_of(mode: int) -> str:
    """What is neither file nor folder, in words."""
    kinds = (
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISCHR, "a device"),
    )
    return next((word for test, word in kinds if test(mode)), "this kind of file")
