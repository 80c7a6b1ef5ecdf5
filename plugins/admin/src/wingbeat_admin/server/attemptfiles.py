"""The routes of what attempts have written: logs and pages, as bytes that no browser shows."""

from __future__ import annotations

from collections.abc import AsyncIterator

from litestar import Router
from litestar.params import FromQuery
from litestar.response import Stream

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.attemptfiles import AttemptFile, AttemptFiles
from wingbeat_admin.server.dependencies import Number, Part, TheEngine, get

_HEADERS = {
    "content-disposition": "attachment",
    "content-security-policy": "sandbox",
    "x-content-type-options": "nosniff",
}
"""User code has written it: a page among it must not be one of this server."""


@get("/executions/{execution:str}/files")
async def files(engine: TheEngine, execution: Part) -> list[AttemptFile]:
    """The logs and pages that there are of an execution."""
    return await _having(engine).attempt_files(execution)


@get("/executions/{execution:str}/files/{folder:str}", media_type="application/octet-stream")
async def file(
    engine: TheEngine, execution: Part, folder: Part, name: FromQuery[str] = "log", offset: Number = 0
) -> Stream:
    """One of them, streamed, from `offset` on."""
    parts = _having(engine).read_attempt_file(execution, AttemptFile(folder, name, 0), max(0, offset))
    first = await anext(parts, b"")  # what is not there is told by the status

    async def rest() -> AsyncIterator[bytes]:
        yield first
        async for part in parts:
            yield part

    return Stream(rest(), media_type="application/octet-stream", headers=_HEADERS)


def _having(engine: object) -> AttemptFiles:
    if not isinstance(engine, AttemptFiles):
        raise ConfigurationError(f"{type(engine).__name__} does not give the logs of attempts.")
    return engine


ATTEMPT_FILES = Router("/api/v1", route_handlers=[files, file])
