"""The engine of a server elsewhere."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from wingbeat.base.errors import EngineStopped
from wingbeat.base.ids import short_id
from wingbeat.contracts.attemptfiles import AttemptFile
from wingbeat.contracts.catalog import Evicted, Eviction
from wingbeat.contracts.engine import Change, ExecutionView, LaunchReply, LaunchRequest, RecoveryPlan, Summary
from wingbeat.contracts.observer import Published
from wingbeat.contracts.retention import Collected
from wingbeat.spec.entities import Closure
from wingbeat.spec.literal import Literal
from wingbeat.spec.phase import ExecutionPhase
from wingbeat_admin.client.api import Api
from wingbeat_admin.client.collect import collect
from wingbeat_admin.client.transfer import Transfer
from wingbeat_admin.views import view_of

T = TypeVar("T")

WAIT_S = 20.0
"""One question after the end of an execution waits so long for the answer."""


class HttpEngine:
    """A `wingbeat.contracts.engine.RemoteEngine` over HTTP."""

    def __init__(self, api: Api, transfer: Transfer) -> None:
        self.api, self.transfer = api, transfer

    async def open(self) -> None:
        """See `RemoteEngine.open`."""
        self.api.open()

    async def close(self) -> None:
        """See `RemoteEngine.close`."""
        await self.api.close()

    async def launch(self, request: LaunchRequest) -> LaunchReply:
        """See `Engine.launch`. The id is made here, so that the call can be repeated."""
        named = request if request.name else msgspec.structs.replace(request, name=short_id(os.urandom(16)))
        return await self.transfer.referring(
            lambda: self._call(LaunchReply, "POST", "/engine/launches", body=named),
            (request.closure,),
            msgspec.to_builtins(request.inputs),
        )

    async def recovery_plan(self, request: LaunchRequest) -> RecoveryPlan:
        """See `Engine.recovery_plan`."""
        return await self._call(RecoveryPlan, "POST", "/engine/recovery-plans", body=request)

    async def wait(self, execution: str) -> ExecutionPhase:
        """See `Engine.wait`."""
        while True:
            phase = await self._call(ExecutionPhase, "GET", _path(execution, "/wait"), params={"seconds": WAIT_S})
            if phase.terminal:
                return phase

    async def describe(self, execution: str, *, nodes: bool = True) -> ExecutionView:
        """See `Engine.describe`. Files among the outputs of the execution are got, too, and those that are stored as a whole."""
        params = {"nodes": "true" if nodes else "false"}
        found = await self._call(dict[str, Any], "GET", _path(execution), params=params)
        await self.transfer.outputs(found.get("outputs"))
        await self.transfer.stored(found.get("stored", {}).get("outputs", {}).values())
        return view_of(found)

    async def executions(self, *, after: str = "", limit: int = 100) -> list[Summary]:
        """See `Engine.executions`."""
        return await self._call(list[Summary], "GET", "/engine/executions", params={"after": after, "limit": limit})

    async def closure(self, execution: str) -> Closure:
        """See `Engine.closure`."""
        return await self._call(Closure, "GET", _path(execution, "/closure"))

    async def abort(self, execution: str, reason: str) -> None:
        """See `Engine.abort`."""
        await self.api.call("POST", _path(execution, "/abort"), body={"reason": reason})
        await self.wait(execution)

    async def signal(self, execution: str, name: str, value: Literal, id: str) -> None:
        """See `Engine.signal`."""
        body = {"name": name, "value": value, "id": id}
        await self.api.call("POST", _path(execution, "/signals"), body=body)

    async def events(self, execution: str, cursor: int = -1) -> AsyncIterator[Published]:
        """See `Engine.events`: goes on behind the last event when the server has been away."""
        while True:
            try:
                async for event in self.api.stream(_path(execution, "/events"), {"after": cursor}):
                    if event.event == "end":
                        return
                    found = msgspec.json.decode(event.data, type=Published)
                    cursor = found.cursor
                    yield found
            except EngineStopped:
                await self.describe(execution, nodes=False)  # which is tried for as long as it makes sense

    async def changes(self, after: int = 0) -> AsyncIterator[list[Change]]:
        """See `Engine.changes`."""
        while True:
            try:
                async for event in self.api.stream("/engine/changes", {"after": after}):
                    found = msgspec.json.decode(event.data, type=list[Change])
                    after = found[-1].number if found else after
                    yield found
            except EngineStopped:
                await self.executions(limit=1)  # as above

    async def explain_waiting(self, execution: str, node: str = "") -> str:
        """See `Engine.explain_waiting`."""
        return await self._call(str, "GET", _path(execution, "/waiting"), params={"node": node})

    async def explain_cache(self, execution: str, node: str) -> str:
        """See `Engine.explain_cache`."""
        return await self._call(str, "GET", _path(execution, "/cache"), params={"node": node})

    async def evict_cache(self, eviction: Eviction) -> Evicted:
        """See `Engine.evict_cache`."""
        return await self._call(Evicted, "POST", "/engine/evictions", body=eviction)

    async def attempt_files(self, execution: str) -> list[AttemptFile]:
        """See `AttemptFiles.attempt_files`."""
        return await self._call(list[AttemptFile], "GET", _path(execution, "/files"))

    async def read_attempt_file(self, execution: str, file: AttemptFile, offset: int = 0) -> AsyncIterator[bytes]:
        """See `AttemptFiles.read_attempt_file`."""
        where = f"/files/{quote(file.folder, safe='')}?{urlencode({'name': file.name, 'offset': offset})}"
        async for part in self.api.receive(_path(execution, where)):
            yield part

    async def collect(self, *, dry: bool = False) -> Collected:
        """See `Collecting.collect`."""
        return await collect(self.api, dry)

    async def _call(self, kind: type[T], method: str, path: str, **given: Any) -> T:
        return self.api.read(kind, await self.api.call(method, path, **given))


def _path(execution: str, rest: str = "") -> str:
    return f"/executions/{quote(execution, safe='')}{rest}"
