"""Giving attempts to executors, one line of waiting for each executor, so that a slow one delays nobody else."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import AttemptRequest, Executor, Failed
from wingbeat.contracts.failpoints import hit
from wingbeat.engine.reports import Reports
from wingbeat.spec.outcome import ErrorInfo

TRIES_MAX = 5
TRY_DELAY_S = 0.2


class Dispatcher:
    """Submits and cancels at one executor, in order, trying again when it raises.

    Args:
        name: The executor's, for messages.

        reports: Told when an attempt could not be submitted however often it was tried.
    """

    def __init__(self, name: str, executor: Executor, reports: Reports) -> None:
        self.name, self.executor, self._reports = name, executor, reports
        self._queue: deque[AttemptRequest] = deque()
        self._lined: set[str] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to submit."""
        self._task = asyncio.create_task(self._run(), name=f"dispatch {self.name}")

    def submit(self, request: AttemptRequest) -> None:
        """Line an attempt up."""
        self._queue.append(request)
        self._lined.add(request.id)
        self._wake.set()

    def cancel(self, attempt: str, reason: str) -> None:
        """Stop an attempt, whether it is still in the line or not."""
        self._lined.discard(attempt)
        task = asyncio.create_task(self._cancel(attempt, reason), name=f"cancel {attempt}")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def stop(self) -> None:
        """Stop; what is in the line is in the journal and comes back at the next start."""
        self._queue.clear()
        self._lined.clear()
        for task in self._tasks():
            task.cancel()

    async def close(self) -> None:
        """Stop, and wait until nothing is under way."""
        self.stop()
        await asyncio.gather(*self._tasks(), return_exceptions=True)

    def _tasks(self) -> list[asyncio.Task[Any]]:
        return [t for t in (self._task, *self._background) if t is not None]

    async def _run(self) -> None:
        queue, submit = self._queue, self.executor.submit
        while True:
            self._wake.clear()
            while queue:
                request = queue.popleft()
                if request.id not in self._lined:
                    continue  # it was cancelled before its turn
                self._lined.discard(request.id)
                try:
                    hit("submit.before")
                    await submit(request)
                    hit("submit.after")
                except Exception as error:  # noqa: BLE001  # a plugin may raise anything; it is contained here
                    self._later(request, error, 1)
            await self._wake.wait()

    def _later(self, request: AttemptRequest, error: Exception, tries: int) -> None:
        task = asyncio.create_task(self._again(request, error, tries), name=f"submit {request.id}")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _again(self, request: AttemptRequest, error: Exception, tries: int) -> None:
        """It is not known whether the attempt was accepted; submitting the same id again is safe."""
        while tries < TRIES_MAX:
            await asyncio.sleep(TRY_DELAY_S * 2**tries)
            try:
                await self.executor.submit(request)
                return
            except Exception as later:  # noqa: BLE001  # as above
                error, tries = later, tries + 1
        message = f"Executor {self.name!r} did not take the attempt: {type(error).__name__}: {error}"
        failed = Failed(ErrorInfo("ExecutorFailed", message, ErrorKind.SYSTEM))
        self._reports.refused(request.id, failed)
        await self._cancel(
            request.id, message
        )  # it may run all the same: the next attempt has to wait until it is gone
        self._reports.ended(request.id, failed)

    async def _cancel(self, attempt: str, reason: str) -> None:
        tries = 0
        while True:
            try:
                hit("cancel.before")
                await self.executor.cancel(attempt, reason)
                hit("cancel.after")
                return
            except Exception:  # noqa: BLE001  # an attempt must be seen gone; its end is awaited, so try for as long as it takes
                tries += 1
                await asyncio.sleep(min(TRY_DELAY_S * 2**tries, 30.0))
