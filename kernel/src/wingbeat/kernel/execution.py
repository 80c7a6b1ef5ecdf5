"""A handle on one execution."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from wingbeat.base.errors import ExecutionFailed
from wingbeat.contracts.engine import Engine, ExecutionView
from wingbeat.contracts.observer import Published
from wingbeat.spec.literal import Literals
from wingbeat.spec.outcome import ABORTED
from wingbeat.spec.phase import ExecutionPhase

Decode = Callable[[Literals], Any]


class Execution:
    """One execution of a kernel, whether it runs, has ended, or runs in the process that holds the home.

    Attributes:
        id: Its id.

        created: False if a launch found it there already.

        recovered: How many nodes were taken over from another execution.
    """

    def __init__(self, id: str, engine: Engine, decode: Decode, *, created: bool = True, recovered: int = 0) -> None:
        self.id, self.created, self.recovered = id, created, recovered
        self._engine, self._decode = engine, decode

    def __repr__(self) -> str:
        return f"<execution {self.id}>"

    async def wait(self) -> ExecutionPhase:
        """Return when it has ended, with its terminal phase."""
        return await self._engine.wait(self.id)

    async def result(self) -> Any:
        """The outputs, as the workflow's function would return them, when it has ended.

        Raises:
            ExecutionFailed: It ended without success.

            wingbeat.contracts.storage.StorageFailed: A value cannot be read from its storage; `ContentLost` if it is not there.
        """
        phase = await self.wait()
        view = await self._engine.describe(self.id, nodes=False)
        if phase is not ExecutionPhase.SUCCEEDED:
            raise failure(view)
        return self._decode(view.outputs or {})

    async def describe(self) -> ExecutionView:
        """Everything that is known of it now."""
        return await self._engine.describe(self.id)

    async def abort(self, reason: str = "") -> None:
        """Stop it; returns when it has ended."""
        await self._engine.abort(self.id, reason)

    def events(self, cursor: int = -1) -> AsyncIterator[Published]:
        """What happened and happens in it behind `cursor`, until it has ended."""
        return self._engine.events(self.id, cursor)


def failure(view: ExecutionView) -> ExecutionFailed:
    """Why an execution ended without success, as an exception."""
    error = view.error
    if error is None:
        message = f"aborted: {view.reason}" if view.reason else "aborted"
        return ExecutionFailed(message, execution=view.id, code=ABORTED)
    return ExecutionFailed(
        error.message,
        execution=view.id,
        node=error.node,
        code=error.code,
        kind=error.kind.value,
        retryable=error.retryable,
    )
