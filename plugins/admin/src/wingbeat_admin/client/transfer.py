"""Content that the server lacks, and content that is lacking here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import quote

import anyio
import msgspec

from wingbeat.base.errors import InputError, NotFound
from wingbeat.contracts.storage import Storage
from wingbeat.spec.entities import Borrowed, Closure
from wingbeat.trees import manifest_bytes, read_manifest
from wingbeat.types import Blob
from wingbeat_admin.client.api import Api
from wingbeat_admin.content import READ_BYTES, Digests, blobs_in, file_blob, local, manifest_of, put_tree, tree_blob
from wingbeat_admin.problems import ContentMissing

T = TypeVar("T")

AT_ONCE = 8
DOWNLOAD_BYTES_MAX = 256 * 2**20
"""Outputs that are larger stay where they are."""
TRIES_MAX = 3
"""So often content is put for one request that refers to it."""


class Transfer:
    """Between a storage here and the server's.

    Args:
        scratch: A folder for what is on its way.
    """

    def __init__(self, api: Api, storage: Storage, scratch: str) -> None:
        self._api, self._storage, self._scratch = api, storage, scratch
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def referring(
        self, call: Callable[[], Awaitable[T]], closures: Iterable[Closure] = (), values: Any = None
    ) -> T:
        """What a call answers that refers to closures and values, once the server has what they need. A server that began anew in
        between has forgotten who has put what, and says that it is not there: it is put again, and the call repeated.

        Raises:
            InputError: Something is not here either. And what the call raises.
        """
        needed = list(closures)
        for _ in range(TRIES_MAX - 1):
            with contextlib.suppress(ContentMissing):
                await self.closures(needed, values)
                return await call()
        await self.closures(needed, values)
        return await call()

    async def closures(self, closures: Iterable[Closure], values: Any = None) -> None:
        """See that the server has what closures need (code, locks, files among defaults), and what values refer to. What others
        have registered need not be here: the server has it with that.

        Raises:
            InputError: Something is not here either.
        """
        files, trees = set[str](), set[str]()
        for closure in closures:
            codes: list[Closure | Borrowed] = [closure, *filter(self._is_here, closure.borrowed.values())]
            for code in codes:
                trees |= {code.bundle} - {""}
                files |= {code.environment} - {""}
            self._add(msgspec.to_builtins(closure), files, trees)
        self._add(values, files, trees)
        if not files | trees:
            return
        lacking = await self._missing(Digests(sorted(files), sorted(trees)))
        manifests = {digest: await asyncio.to_thread(manifest_of, self._tree(digest)) for digest in lacking.trees}
        inside = {file.digest: (digest, file.path) for digest, found in manifests.items() for file in found.files}
        more = await self._missing(Digests(sorted(set(inside) - files), []))
        uploads = [self._put(digest, self._file(digest)) for digest in lacking.files]
        for digest in more.files:
            tree, path = inside[digest]
            uploads.append(self._put(digest, os.path.join(self._tree(tree), path)))
        await asyncio.gather(*uploads)
        for digest, manifest in manifests.items():
            await self._api.send("PUT", f"/content/trees/{_quoted(digest)}", manifest_bytes(manifest))

    async def outputs(self, values: Any) -> None:
        """Get the files and trees that values refer to, unless they are here, or very large."""
        for blob in blobs_in(values):
            if blob.size > DOWNLOAD_BYTES_MAX or local(self._storage, blob) is not None:
                continue
            if blob.layout == "directory":
                await self._get_tree(blob.digest)
            else:
                await self._get(blob.digest)

    async def stored(self, values: Iterable[tuple[str, int, str]]) -> None:
        """Get values that are stored as a whole, by URI, size and digest; and the files that they refer to, as far as they are for
        whoever asks."""
        for uri, size, _ in values:
            blob = Blob(uri, uri.partition(":")[2], size, "")
            if size > DOWNLOAD_BYTES_MAX:
                continue
            if local(self._storage, blob) is None:
                await self._get(blob.digest)
            with contextlib.suppress(NotFound):
                await self.outputs(msgspec.json.decode(await asyncio.to_thread(self._storage.read_bytes, blob)))

    async def files(self, tree: str) -> dict[str, str]:
        """What is in a tree at the server, as `Manifest.contents`; nothing is brought here. Raises NotFound."""
        return read_manifest(await self._api.call("GET", f"/content/trees/{_quoted(tree)}")).contents

    def _add(self, value: Any, files: set[str], trees: set[str]) -> None:
        for blob in blobs_in(value):
            (trees if blob.layout == "directory" else files).add(blob.uri.partition(":")[2])

    async def _missing(self, asked: Digests) -> Digests:
        if not asked.files and not asked.trees:
            return asked
        return msgspec.json.decode(await self._api.call("POST", "/content/missing", body=asked), type=Digests)

    def _is_here(self, code: Borrowed) -> bool:
        blobs = [tree_blob(self._storage, code.bundle)] if code.bundle else []
        blobs += [file_blob(self._storage, code.environment)] if code.environment else []
        return all(local(self._storage, blob) is not None for blob in blobs)

    def _file(self, digest: str) -> str:
        return self._here(file_blob(self._storage, digest))

    def _tree(self, digest: str) -> str:
        return self._here(tree_blob(self._storage, digest))

    def _here(self, blob: Blob) -> str:
        path = local(self._storage, blob)
        if path is None:
            raise InputError(f"The content {blob.digest} is neither at the server nor here.")
        return path

    async def _put(self, digest: str, path: str) -> None:
        async with self._slots:
            await self._api.send("PUT", f"/content/files/{_quoted(digest)}", lambda: _read(path))

    async def _get(self, digest: str) -> None:
        os.makedirs(self._scratch, exist_ok=True)
        handle, path = tempfile.mkstemp(dir=self._scratch)
        try:
            with os.fdopen(handle, "wb") as stream:
                async for part in self._api.receive(f"/content/files/{_quoted(digest)}"):
                    stream.write(part)
            await asyncio.to_thread(self._storage.put_file, path, "")
        finally:
            os.unlink(path)

    async def _get_tree(self, digest: str) -> None:
        body = await self._api.call("GET", f"/content/trees/{_quoted(digest)}")
        for file in read_manifest(body).files:
            if local(self._storage, file_blob(self._storage, file.digest)) is None:
                await self._get(file.digest)
        await asyncio.to_thread(put_tree, self._storage, body, digest, self._scratch)


async def _read(path: str) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as stream:
        while part := await stream.read(READ_BYTES):
            yield part


def _quoted(digest: str) -> str:
    return quote(digest, safe="")
