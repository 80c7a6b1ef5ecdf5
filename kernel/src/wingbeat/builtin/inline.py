"""The inline executor: functions of the embedding program, run in its own event loop.

It is given explicitly by the embedder, with the tasks that it may run, and never chosen by a spec. Nothing is isolated: a
function that blocks, blocks the loop. Attempts do not outlive the process; after a crash they are reported lost, which
counts against the system's budget, and run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import traceback
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from wingbeat.base.errors import ConfigurationError, ErrorKind, NonRetryable, PluginFailed
from wingbeat.base.ids import attempt_folder, split_attempt_id
from wingbeat.contracts.executor import Aborted, AttemptRequest, Capabilities, Failed, Outcome, Sink, Succeeded
from wingbeat.runtime import here, report
from wingbeat.runtime.errors import AttemptInputError, describe
from wingbeat.runtime.secrets import Secrets
from wingbeat.runtime.storageio import StorageIO
from wingbeat.spec.literal import Inline
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.whole import literal_of, materialise
from wingbeat.types import ValueMismatch


class InlineTask(Protocol):
    """What a task of the embedding program is to this executor: `wingbeat.author.task.Task` is one."""

    name: str
    fn: Callable[..., Any]

    @property
    def signature(self) -> Any:
        """The typed interface, with the codecs of inputs and outputs."""


YIELD_EVERY = 200
"""Functions that return at once are called one after the other; the loop gets its turn in between."""
PAST_MAX = 10_000
"""Attempts that have ended or were cancelled, and are remembered."""


class InlineExecutor:
    """Runs `tasks` in the event loop of the kernel.

    Args:
        attempts: Folder for what attempts leave (checkpoint, page, log); made on first use. Empty: they can leave nothing.
    """

    def __init__(self, tasks: Sequence[InlineTask], io: StorageIO, attempts: str = "") -> None:
        self._tasks = {task.name: task for task in tasks}
        self._asynchronous = {task.name for task in tasks if inspect.iscoroutinefunction(task.fn)}
        self._io, self._attempts = io, attempts
        self._sink: Sink | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self._count = 0
        self._past: OrderedDict[str, None] = OrderedDict()  # which finds its first at once, however many were removed

    @property
    def capabilities(self) -> Capabilities:
        """See `Executor.capabilities`."""
        return Capabilities(
            adopts=False, isolates=False, reports_running=False, reports_progress=True,
            carries_checkpoints=bool(self._attempts), secrets=True,
        )  # fmt: skip

    async def start(self, sink: Sink) -> None:
        """See `Executor.start`."""
        self._sink, self._loop = sink, asyncio.get_running_loop()

    async def submit(self, request: AttemptRequest) -> None:
        """See `Executor.submit`. Plain functions run at once, `async` ones as tasks of the loop."""
        self._take(request)
        await asyncio.sleep(0)

    def submit_nowait(self, request: AttemptRequest) -> bool:
        """See `Immediate.submit_nowait`."""
        self._count += 1
        if self._count % YIELD_EVERY == 0:
            return False
        self._take(request)
        return True

    def _take(self, request: AttemptRequest) -> None:
        if request.id in self._running or request.id in self._past:
            return
        task = self._tasks[request.task.name]
        assert self._sink is not None
        if request.task.timeout.run_s is not None:
            self._sink.running(request.id)
        if request.task.name in self._asynchronous:
            running = asyncio.create_task(self._run(task, request), name=request.id)
            self._running[request.id] = running
            return
        self._over(request.id)
        self._sink.ended(request.id, self._call(task, request))

    async def recover(self, requests: Sequence[AttemptRequest]) -> None:
        """See `Executor.recover`: they ended with the process that ran them."""
        assert self._sink is not None
        for request in requests:
            message = "The process that ran the attempt has ended."
            self._sink.ended(request.id, Failed(ErrorInfo("Lost", message, ErrorKind.SYSTEM)))

    async def cancel(self, attempt: str, reason: str) -> None:
        """See `Executor.cancel`."""
        assert self._sink is not None
        running = self._running.get(attempt)
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            self._running.pop(attempt, None)
        self._over(attempt)
        self._sink.ended(attempt, Aborted(reason))

    async def list(self) -> list[str]:
        """See `Executor.list`."""
        return list(self._running)

    async def close(self) -> None:
        """See `Executor.close`."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _over(self, attempt: str) -> None:
        """Remember an attempt that must not start again; for as long as a late submit of it may come."""
        self._past[attempt] = None
        if len(self._past) > PAST_MAX:
            self._past.popitem(last=False)

    async def _run(self, task: InlineTask, request: AttemptRequest) -> None:
        assert self._sink is not None
        running, seat = asyncio.current_task(), here.Seat(self._here, request)
        here.context.set(seat)  # of this task of the loop alone
        try:
            if request.task.secrets:
                _take_secrets(seat, request)
            value = await task.fn(**self._inputs(task, request))
            outcome: Outcome = _checked(seat, self._outputs(task, value))
        except asyncio.CancelledError as error:
            if running is None or running.cancelling():  # `cancel` or `close` asked for it, and tells
                raise
            outcome = Failed(_error(error, seat))  # the function's own: it awaited something that was cancelled
        except (Exception, SystemExit) as error:  # noqa: BLE001  # the user's function may raise anything
            outcome = Failed(_error(error, seat))
        finally:
            self._running.pop(request.id, None)
            self._over(request.id)
        self._sink.ended(request.id, _reported(seat, outcome))

    def _call(self, task: InlineTask, request: AttemptRequest) -> Outcome:
        seat = here.Seat(self._here, request)
        token = here.context.set(seat)
        try:
            if request.task.secrets:
                _take_secrets(seat, request)
            outputs = self._outputs(task, task.fn(**self._inputs(task, request)))
            return _reported(seat, _checked(seat, outputs))
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001  # as above; nobody cancels it
            return _reported(seat, Failed(_error(error, seat)))
        finally:
            here.context.reset(token)

    def _here(self, request: AttemptRequest) -> here.Here:
        folder = attempt_folder(*split_attempt_id(request.id))
        directory = f"{self._attempts}/{folder}" if self._attempts else ""
        return here.Here(
            request.id, request.task.name, directory, self._io, checkpoint=request.checkpoint,
            tell=self._advanced, prints=False, number=None if request.replay is None else request.replay.retries,
        )  # fmt: skip

    def _advanced(self, place: here.Here, said: report.Report) -> None:
        """Of an attempt whose function may have handed the report to another thread."""
        assert self._sink is not None
        progress = report.progress_of(said, place.directory)
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # of a thread that outlives the loop
            self._loop.call_soon_threadsafe(self._sink.advanced, place.id, progress)

    def _inputs(self, task: InlineTask, request: AttemptRequest) -> dict[str, Any]:
        codecs, io = task.signature.codecs, self._io
        return {
            name: codecs[name].decode(literal.value if type(literal) is Inline else materialise(literal, io.read), io)
            for name, literal in request.inputs.items()
        }

    def _outputs(self, task: InlineTask, value: Any) -> Succeeded:
        codecs = task.signature.output_codecs
        return Succeeded(
            {
                name: literal_of(codecs[name].encode(part, self._io), codecs[name].type, self._io.put_bytes)
                for name, part in task.signature.split(value).items()
            }
        )


def _reported(seat: here.Seat, outcome: Outcome) -> Outcome:
    """The outcome, with the last that the attempt has said of itself."""
    place = seat.taken
    if place is None or (said := place.leave()) is None:
        return outcome
    found = report.evidence_of(report.progress_of(said, place.directory))
    if isinstance(outcome, Failed):
        return Failed(msgspec.structs.replace(outcome.error, evidence={**outcome.error.evidence, **found}))
    return msgspec.structs.replace(outcome, evidence=found) if isinstance(outcome, Succeeded) else outcome


def _take_secrets(seat: here.Seat, request: AttemptRequest) -> None:
    """Look the secrets of an attempt up. Raises as `Secrets.look_up`."""
    place = seat.take()
    place.secrets = Secrets(request.task.name)
    place.secrets.look_up(request.task.secrets, request.secrets)


def _checked(seat: here.Seat, outcome: Succeeded) -> Succeeded:
    """The outcome, which holds no secrets. Raises SecretInOutput."""
    if seat.taken is not None and seat.taken.secrets is not None:
        seat.taken.secrets.check_outputs(msgspec.json.encode(outcome.outputs))
    return outcome


def _error(error: BaseException, seat: here.Seat) -> ErrorInfo:
    mask = str if seat.taken is None else seat.taken.mask
    if isinstance(error, AttemptInputError | ConfigurationError | PluginFailed):
        return describe(error, mask=mask)
    code = "TypeError" if isinstance(error, ValueMismatch) else type(error).__name__
    trace = "".join(traceback.format_exception(error))
    return ErrorInfo(
        mask(code), mask(str(error) or code), retryable=not isinstance(error, NonRetryable), trace=mask(trace)
    )
