"""The executor. What it must not forget is in the directory of each attempt: who claimed it, or that it must not start."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from distributed import Client, Future, LocalCluster

from acme_dask.plugin import DaskSettings
from acme_dask.work import CANCEL, LOOK_S, run_attempt, runs
from wingbeat.attempts import AttemptFiles, attempt_variables, fetch_bundle, job_outcome, write_job
from wingbeat.base.errors import ConfigurationError, ErrorKind
from wingbeat.contracts.executor import Aborted, AttemptRequest, Capabilities, ErrorInfo, Failed, Outcome, Sink
from wingbeat.contracts.storage import Storage, StorageRef

CLOSE_S = 10.0
"""How long attempts may take to stop when the kernel closes."""
LEFT = "its kernel has closed"
LOST = Failed(ErrorInfo("Lost", "The attempt was left by an earlier kernel.", ErrorKind.SYSTEM))


class Attempt:
    """An attempt that is followed to its end."""

    def __init__(self, files: AttemptFiles) -> None:
        self.files = files
        self.task: asyncio.Task[None] | None = None
        self.future: Future | None = None


class DaskExecutor:
    """See `wingbeat.contracts.executor.Executor`."""

    def __init__(self, home: str, storage: Storage, storages: Sequence[StorageRef], settings: DaskSettings) -> None:
        self._home, self._storage, self._storages, self._settings = home, storage, storages, settings
        self._attempts: dict[str, Attempt] = {}
        self._sink: Sink | None = None
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Attempts end with the kernel: Dask forgets what nobody waits for."""
        return Capabilities(adopts=False, isolates=True, reports_running=False, carries_checkpoints=True)

    async def start(self, sink: Sink) -> None:
        """Connect to the cluster, or start one. Raises `ConfigurationError` where nobody answers."""
        self._sink = sink
        address = self._settings.address
        try:
            if not address:
                self._cluster = await LocalCluster(
                    n_workers=self._settings.workers,
                    threads_per_worker=self._settings.threads,
                    dashboard_address=None,
                    silence_logs=logging.ERROR,
                    asynchronous=True,
                )
            self._client = await Client(self._cluster or address, asynchronous=True, timeout=20)
        except (OSError, TimeoutError) as error:
            raise ConfigurationError(f"There is no Dask cluster at {address or 'this machine'}: {error}") from error

    async def submit(self, request: AttemptRequest) -> None:
        """Take an attempt, unless it was taken."""
        if request.id not in self._attempts:
            attempt = self._attempts[request.id] = Attempt(self._files(request.id))
            attempt.task = asyncio.create_task(self._follow(attempt, request))

    async def recover(self, requests: Sequence[AttemptRequest]) -> None:
        """Report all of them lost, once their processes have ended: their workers are told to stop them, or have died."""
        for request in requests:
            files = self._files(request.id)
            await self._stop(files, LEFT)
            refused = files.refused()
            self._tell.ended(request.id, LOST if refused in (None, LEFT) else Aborted(refused))

    async def cancel(self, attempt: str, reason: str) -> None:
        """See to it that it never starts, or have its worker stop it, and wait until nothing of it runs."""
        files, known = self._files(attempt), self._attempts.get(attempt)
        await self._stop(files, reason)
        if known is None or known.task is None:
            self._tell.ended(attempt, await asyncio.to_thread(_outcome, files, None))
            return
        if files.refused() is not None and known.future is not None:
            await known.future.cancel()
        await asyncio.wait({known.task})

    async def list(self) -> list[str]:
        """Those that were claimed and have not ended."""
        return [name for name, attempt in self._attempts.items() if attempt.files.claimed()]

    async def close(self) -> None:
        """Stop everything, without a word."""
        self._sink = None
        followed = list(self._attempts.values())
        tasks = [attempt.task for attempt in followed if attempt.task is not None]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(*(self._stop(attempt.files, LEFT) for attempt in followed))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for part in (self._client, self._cluster):
            if part is not None:
                await part.close()
        self._client = self._cluster = None

    async def _follow(self, attempt: Attempt, request: AttemptRequest) -> None:
        """From the first file to the report of its end."""
        files = attempt.files
        try:
            outcome = await self._run(attempt, request)
        except Exception as error:  # noqa: BLE001  # whatever the cluster says, it is the end of this attempt
            outcome = Failed(ErrorInfo(type(error).__name__, f"Dask: {error}", ErrorKind.SYSTEM))
            if files.refused() is not None:  # nobody else cancels a future
                outcome = await asyncio.to_thread(_outcome, files, None)
            await self._stop(files, "it could not be started")
        del self._attempts[request.id]
        if self._sink is not None:
            self._sink.ended(request.id, outcome)

    async def _run(self, attempt: Attempt, request: AttemptRequest) -> Outcome:
        assert self._client is not None
        files, code = attempt.files, None
        if not files.claimed():
            variables = await asyncio.to_thread(self._prepare, files, request)
            arguments = (self._attempts_folder, request.id, variables)
            attempt.future = self._client.submit(run_attempt, *arguments, key=f"{request.id}@{id(attempt)}", pure=False)
            code = await attempt.future
        await _gone(files)
        return await asyncio.to_thread(_outcome, files, code)

    def _prepare(self, files: AttemptFiles, request: AttemptRequest) -> dict[str, str]:
        """Write what the process is started from; the variables of its environment."""
        bundle = fetch_bundle(self._storage, request.bundle)
        files.make()
        files.carry_checkpoint(request.checkpoint)
        write_job(request, files.path, inside=files.path, bundle=bundle, storages=self._storages)
        return attempt_variables(request, files.path)

    async def _stop(self, files: AttemptFiles, reason: str) -> None:
        """See to it that it never starts, or have its worker stop it; until nothing of it runs."""
        files.make()
        if not await asyncio.to_thread(files.refuse, reason) and files.refused() is None:
            if files.read(CANCEL) is None:
                files.write(CANCEL, reason.encode())
            await _gone(files)

    @property
    def _tell(self) -> Sink:
        assert self._sink is not None, "it is not open"
        return self._sink

    @property
    def _attempts_folder(self) -> str:
        return f"{self._home}/attempts"

    def _files(self, attempt: str) -> AttemptFiles:
        return AttemptFiles(self._attempts_folder, attempt)


async def _gone(files: AttemptFiles) -> None:
    """Wait until nothing of a claimed attempt runs."""
    while runs(files):
        await asyncio.sleep(LOOK_S)


def _outcome(files: AttemptFiles, code: int | None) -> Outcome:
    """What became of an attempt that does not run: what it wrote, or why it could not."""
    if (written := job_outcome(files.path)) is not None:
        return written
    if (refused := files.refused()) is not None:
        return Aborted(refused)
    if (reason := files.read(CANCEL)) is not None:
        return Aborted(reason.decode())
    said = "its worker was lost" if code is None else f"its process has ended with {code}"
    kind = ErrorKind.SYSTEM if code is None else ErrorKind.USER
    return Failed(ErrorInfo("Crashed", f"The attempt ended without a word: {said}.", kind))
