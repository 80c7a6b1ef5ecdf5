"""Content by its digest, between a client's storage and the server's: files as they are, trees as their manifest.

A tree is taken apart into its files; what arrives is put together from files that are there, by a manifest that is checked as
every one is: regular files at relative paths, no link, nothing outside.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from wingbeat.base.errors import InputError
from wingbeat.contracts.storage import Storage
from wingbeat.trees import Manifest, TreeFile, check_digest, make_manifest, read_manifest, walk_tree
from wingbeat.types import Blob
from wingbeat_admin.problems import ContentMissing

READ_BYTES = 2**20
_BLOB = frozenset({"uri", "digest", "size"})


class Digests(Struct, forbid_unknown_fields=True):
    """Content, by its digests."""

    files: list[str] = []
    trees: list[str] = []


def file_blob(storage: Storage, digest: str) -> Blob:
    """A file by its digest alone. Raises InputError for what is no digest."""
    return Blob(f"{storage.scheme}:{_checked(digest)}", digest, 0, "")


def tree_blob(storage: Storage, digest: str) -> Blob:
    """A tree, likewise."""
    return Blob(f"{storage.scheme}:{_checked(digest)}", digest, 0, "", layout="directory")


def _checked(digest: str) -> str:
    try:
        return check_digest(digest)
    except ValueError as error:
        raise InputError(f"{digest[:80]!r} is no digest: {error}.") from error


def local(storage: Storage, blob: Blob) -> str | None:
    """Where content is here; None if it is not."""
    try:
        return storage.fetch(blob)
    except OSError:
        return None


def missing(storage: Storage, asked: Digests) -> Digests:
    """What of it is not here."""
    return Digests(
        [digest for digest in asked.files if local(storage, file_blob(storage, digest)) is None],
        [digest for digest in asked.trees if local(storage, tree_blob(storage, digest)) is None],
    )


def manifest_of(root: str) -> Manifest:
    """What is in a local tree."""
    files = []
    for relative, path in walk_tree(root):
        status = os.stat(path)
        files.append(TreeFile(relative, status.st_size, file_digest(path), bool(status.st_mode & 0o100)))
    return make_manifest(files)


def file_digest(path: str) -> str:
    """The digest of a local file."""
    with open(path, "rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def put_tree(storage: Storage, body: bytes, digest: str, scratch: str) -> None:
    """Put a tree together from a manifest and files that are here.

    Raises:
        InputError: The body is no manifest, or not that of the digest.

        ContentMissing: A file is not here.
    """
    manifest = manifest_in(body)
    if f"sha256:{hashlib.sha256(body).hexdigest()}" != _checked(digest):
        raise InputError("The body has another digest than is said.")
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        for file in manifest.files:
            source = local(storage, file_blob(storage, file.digest))
            if source is None:
                raise ContentMissing(f"The file {file.path!r} of the tree is not here: put it first.")
            target = os.path.join(folder, file.path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(source, target)
            os.chmod(target, 0o755 if file.executable else 0o644)
        stored = storage.put_directory(folder)
    if stored.digest != digest:
        raise InputError("The tree has another digest than is said: its files have changed.")


def manifest_in(body: bytes) -> Manifest:
    """The manifest that a body is. Raises InputError."""
    try:
        return read_manifest(body)
    except ValueError as error:
        raise InputError(f"The body is no manifest of a tree: {error}.") from error


def blobs_in(value: Any) -> Iterator[Blob]:
    """Files and trees that a wire value, or a specification as plain data, refers to."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            if one.keys() >= _BLOB and isinstance(one["uri"], str):
                yield Blob(
                    one["uri"], one["digest"], one["size"], one.get("name", ""), layout=one.get("layout", "file")
                )
            else:
                stack += one.values()
        elif isinstance(one, list | tuple):
            stack += one
