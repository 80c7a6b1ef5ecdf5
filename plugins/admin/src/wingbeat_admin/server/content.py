"""The routes of content: what a client has that the server has not, and the other way round."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from typing import Any

from litestar import Request, Router
from litestar.params import JSONBody
from litestar.response import File, Response

from wingbeat.base.errors import InputError, NotFound
from wingbeat.trees import manifest_bytes
from wingbeat_admin.content import Digests, file_blob, local, manifest_of, missing, put_tree, tree_blob
from wingbeat_admin.server.dependencies import Part, TheHome, get, post, put

FILE_BYTES_MAX = 16 * 2**30
ASKED_MAX = 10_000


@post("/missing", status_code=200)
async def ask(home: TheHome, data: JSONBody[Digests]) -> Digests:
    """Which of these are not here."""
    if len(data.files) + len(data.trees) > ASKED_MAX:
        raise InputError(f"More than {ASKED_MAX:,} digests are asked for at once.")
    return await asyncio.to_thread(missing, home.storage(), data)


@put("/files/{digest:str}", status_code=204, request_max_body_size=FILE_BYTES_MAX)
async def put_file(request: Request[Any, Any, Any], home: TheHome, digest: Part) -> None:
    """Put a file: its bytes, streamed."""
    storage, scratch = home.storage(), _scratch(home)
    file_blob(storage, digest)  # which says what is no digest
    handle, path = tempfile.mkstemp(dir=scratch)
    try:
        seen = hashlib.sha256()
        with os.fdopen(handle, "wb") as stream:
            async for part in request.stream():
                seen.update(part)
                await asyncio.to_thread(stream.write, part)
        if f"sha256:{seen.hexdigest()}" != digest:
            raise InputError("The body has another digest than is said.")
        await asyncio.to_thread(storage.put_file, path, "")
    finally:
        os.unlink(path)


@put("/trees/{digest:str}", status_code=204)
async def put_manifest(request: Request[Any, Any, Any], home: TheHome, digest: Part) -> None:
    """Put a tree: its manifest, when its files are here."""
    body = await request.body()
    await asyncio.to_thread(put_tree, home.storage(), body, digest, _scratch(home))


@get("/files/{digest:str}", media_type="application/octet-stream")
async def get_file(home: TheHome, digest: Part) -> File:
    """A file, streamed."""
    storage = home.storage()
    path = await asyncio.to_thread(local, storage, file_blob(storage, digest))
    if path is None or not os.path.isfile(path):
        raise NotFound(f"There is no file {digest}.")
    return File(path, filename=digest.partition(":")[2], media_type="application/octet-stream")


@get("/trees/{digest:str}", media_type="application/json")
async def get_tree(home: TheHome, digest: Part) -> Response[bytes]:
    """The manifest of a tree; its files are got one by one."""
    storage = home.storage()
    root = await asyncio.to_thread(local, storage, tree_blob(storage, digest))
    if root is None:
        raise NotFound(f"There is no tree {digest}.")
    manifest = await asyncio.to_thread(manifest_of, root)
    return Response(manifest_bytes(manifest), media_type="application/json")


def _scratch(home: TheHome) -> str:
    folder = os.path.join(home.path, "uploads")
    os.makedirs(folder, exist_ok=True)
    return folder


CONTENT = Router("/api/v1/content", route_handlers=[ask, put_file, put_manifest, get_file, get_tree])
