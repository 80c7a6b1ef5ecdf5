"""The routes of content: what a client has that the server has not, and the other way round."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from typing import Any

from litestar import Request, Router
from litestar.response import File, Response

from wingbeat.base.errors import InputError, NotFound
from wingbeat.contracts.home import UPLOADS
from wingbeat.trees import Manifest, manifest_bytes
from wingbeat.types import Blob
from wingbeat_admin.content import Digests, file_blob, local, manifest_in, manifest_of, missing, put_tree, tree_blob
from wingbeat_admin.server.bodies import body_of
from wingbeat_admin.server.dependencies import Part, TheCaller, TheHome, TheReach, get, post, put
from wingbeat_admin.server.policy import Caller
from wingbeat_admin.server.reach import Reach

FILE_BYTES_MAX = 16 * 2**30
ASKED_MAX = 10_000


@post("/missing", status_code=200, body=Digests)
async def ask(home: TheHome, caller: TheCaller, reach: TheReach, request: Request[Any, Any, Any]) -> Digests:
    """Which of these are not here: or not for who asks, who has to put them to show that they are theirs."""
    data = await body_of(request, Digests)
    if len(data.files) + len(data.trees) > ASKED_MAX:
        raise InputError(f"More than {ASKED_MAX:,} digests are asked for at once.")
    scheme, found = home.storage().scheme, await asyncio.to_thread(missing, home.storage(), data)
    files, trees = (
        [digest for digest in asked if digest in {*lacking} or not reach.has(caller, f"{scheme}:{digest}")]
        for asked, lacking in ((data.files, found.files), (data.trees, found.trees))
    )
    return Digests(files, trees)


@put("/files/{digest:str}", status_code=204, request_max_body_size=FILE_BYTES_MAX)
async def put_file(
    request: Request[Any, Any, Any], home: TheHome, caller: TheCaller, reach: TheReach, digest: Part
) -> None:
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
        reach.add(caller, [file_blob(storage, digest).uri])
    finally:
        os.unlink(path)


@put("/trees/{digest:str}", status_code=204, body=Manifest)
async def put_manifest(
    request: Request[Any, Any, Any], home: TheHome, caller: TheCaller, reach: TheReach, digest: Part
) -> None:
    """Put a tree: its manifest, when its files are here."""
    body, storage = await request.body(), home.storage()
    reach.check(caller, (file_blob(storage, file.digest).uri for file in manifest_in(body).files))
    await asyncio.to_thread(put_tree, storage, body, digest, _scratch(home))
    reach.add(caller, [tree_blob(storage, digest).uri])


@get("/files/{digest:str}", media_type="application/octet-stream")
async def get_file(home: TheHome, caller: TheCaller, reach: TheReach, digest: Part) -> File:
    """A file, streamed."""
    path = await _found(home, file_blob(home.storage(), digest), caller, reach)
    if path is None or not os.path.isfile(path):
        raise NotFound(f"There is no file {digest}.")
    return File(path, filename=digest.partition(":")[2], media_type="application/octet-stream")


@get("/trees/{digest:str}", media_type="application/json", answer=Manifest)
async def get_tree(home: TheHome, caller: TheCaller, reach: TheReach, digest: Part) -> Response[bytes]:
    """The manifest of a tree; its files are got one by one."""
    storage = home.storage()
    root = await _found(home, tree_blob(storage, digest), caller, reach)
    if root is None:
        raise NotFound(f"There is no tree {digest}.")
    manifest = await asyncio.to_thread(manifest_of, root)
    reach.add(caller, (file_blob(storage, file.digest).uri for file in manifest.files))
    return Response(manifest_bytes(manifest), media_type="application/json")


async def _found(home: TheHome, blob: Blob, caller: Caller, reach: Reach) -> str | None:
    """Where content is that the caller may ask for."""
    return await asyncio.to_thread(local, home.storage(), blob) if reach.has(caller, blob.uri) else None


def _scratch(home: TheHome) -> str:
    folder = os.path.join(home.path, UPLOADS)
    os.makedirs(folder, exist_ok=True)
    return folder


CONTENT = Router("/api/v1/content", route_handlers=[ask, put_file, put_manifest, get_file, get_tree])
