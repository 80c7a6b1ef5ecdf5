"""What a launch finds that was there before: its own name, the same work unfinished, an execution whose results it takes over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from wingbeat.base.errors import ConflictError
from wingbeat.contracts.engine import LaunchRequest, RecoveryPlan
from wingbeat.contracts.journal import Journal, Record
from wingbeat.contracts.storage import Storage
from wingbeat.engine.archive import Archive
from wingbeat.engine.foreseen import foreseen
from wingbeat.engine.live import Live
from wingbeat.engine.loading import Loading
from wingbeat.engine.lost import lost
from wingbeat.engine.reuse import Reuse, reusable
from wingbeat.spec.phase import ExecutionPhase

_GOING_ON = (ExecutionPhase.QUEUED, ExecutionPhase.RUNNING, ExecutionPhase.SUCCEEDING)


class Earlier:
    """Looks among the executions under way (`lives`), and in the journal.

    Args:
        left: By launch key, what was being stopped when the earlier kernel ended.
    """

    def __init__(
        self,
        lives: Mapping[str, Live],
        left: dict[str, str],
        archive: Archive,
        journal: Journal,
        loading: Loading,
        storage: Storage,
    ) -> None:
        self._lives, self._left, self._archive, self._journal = lives, left, archive, journal
        self._loading, self._storage = loading, storage

    async def resumed(self, request: LaunchRequest) -> tuple[LaunchRequest, Live | None]:
        """The execution that a launch which resumes goes on with; or the request that takes over what one that was being
        stopped when somebody left has finished."""
        if not request.resume:
            return request, None
        found = await self._resumable(request.launch_key)
        if found is not None and found.machine.state.phase not in _GOING_ON:
            await found.ended.wait()
            return msgspec.structs.replace(request, recover=found.id), None
        if found is None and (left := self._left.pop(request.launch_key, "")):
            return msgspec.structs.replace(request, recover=left), None
        return request, found

    async def existing(self, name: str) -> Record | None:
        """The execution of that name, when it is durable."""
        if (live := self._lives.get(name)) is not None:
            await asyncio.shield(live.launched)
            return live.record
        return await self._journal.record(name)

    async def reuse(self, request: LaunchRequest) -> Reuse:
        """What a launch takes over.

        Raises:
            NotFound: From nothing that there is.

            ConflictError: From what is under way, of which everything would be done twice.
        """
        if not request.recover:
            return Reuse()
        live = self._lives.get(request.recover)
        if live is not None and (phase := live.machine.state.phase) in _GOING_ON:
            raise ConflictError(
                f"Execution {request.recover!r} is under way ({phase}); what has ended can be recovered.",
                hint=f"Wait for its end, or stop it: wingbeat abort {request.recover}.",
            )
        old = (await self._recovered(request)).machine
        plan = self._archive.plan(self._archive.keep(request.closure))
        return reusable(request.recover, old, plan, request.inputs, await lost(old, self._storage))

    async def plan(self, request: LaunchRequest) -> RecoveryPlan:
        """What a launch would take over, in words. Raises NotFound."""
        old = await self._recovered(request)
        return foreseen(request, old.machine, old.closure, await lost(old.machine, self._storage))

    async def _resumable(self, launch_key: str) -> Live | None:
        """An execution of the same content that has not ended and that nobody waits for."""
        for record in await self._journal.records(live=True, launch_key=launch_key, limit=10):
            live = self._lives.get(record.execution)
            if live is not None and not live.waiters and not live.subscribers:
                return live
        return None

    async def _recovered(self, request: LaunchRequest) -> Live:
        old = self._lives.get(request.recover) or await self._archive.live(request.recover)
        await self._loading.lists(old, ended=True)
        return old
