"""Giving attempts to executors, one line of waiting for each executor, so that a slow or broken one delays nobody else."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any

from wingbeat.base.errors import ConfigurationError, ErrorKind
from wingbeat.base.units import format_duration
from wingbeat.calls import Calls, Watch, Within, let_go, why, within
from wingbeat.contracts.executor import Aborted, AttemptRequest, Executor, Failed, Immediate
from wingbeat.contracts.failpoints import hit
from wingbeat.engine.circuit import Circuit, LeftAlone
from wingbeat.engine.reports import Reports
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import AttemptPhase

TRIES_MAX = 5
TRY_DELAY_S = 0.2
TRY_DELAY_S_MAX = 30.0
START_S_MAX = 60.0
"""An executor that has not started by then is done without."""
SUBMIT_S_MAX = 60.0
"""An executor that has not taken an attempt by then is asked again."""
OUTAGE_S_MAX = 600.0
"""For how long attempts wait for an executor that fails for all of them, before they fail."""
CANCEL_S_MAX = 300.0
REPORT_S_MAX = 60.0
"""So long after it was cancelled the end of an attempt has to be reported."""
ADOPT_S_MAX = 120.0
CLOSE_S_MAX = 30.0

_log = logging.getLogger("wingbeat.plugins")


class Dispatcher:
    """Submits and cancels at one executor, in order, trying again when it raises or does not answer.

    Args:
        name: The executor's, for messages.

        reports: Told when an attempt could not be submitted however often it was tried.
    """

    def __init__(self, name: str, executor: Executor, reports: Reports) -> None:
        self.name, self.executor, self._reports = name, executor, reports
        self.circuit = Circuit(f"The executor {name!r}")
        self._calls = Calls(executor, self.circuit.name)
        self._nowait = executor.submit_nowait if isinstance(executor, Immediate) else None
        self._queue: deque[AttemptRequest] = deque()
        self._lined: set[str] = set()
        self._asked: tuple[str, float] | None = None
        self._untaken: dict[str, str] = {}
        self._wake, self._adopted = asyncio.Event(), asyncio.Event()
        self._adopted.set()
        self._task: asyncio.Task[None] | None = None
        self._watch = Watch()
        self._background: set[asyncio.Task[Any]] = set()

    async def open(self, *, needed: bool) -> str:
        """Start the executor, and begin to submit. Says why it cannot be used; raises that for one that is `needed`."""
        try:
            await self._calls.ask_within(START_S_MAX, "start", self._reports)
        except (Exception, SystemExit) as error:
            if not needed:
                return why(error)
            if isinstance(error, ConfigurationError):
                raise
            raise ConfigurationError(
                f"The executor {self.name!r} cannot be used: {why(error)}.",
                hint="It is the one of tasks that name none.",
            ) from error
        self.start()
        return ""

    def start(self) -> None:
        """Begin to submit."""
        self._task = asyncio.create_task(self._run(), name=f"dispatch {self.name}")

    async def adopt(self, requests: Sequence[AttemptRequest]) -> None:
        """Have attempts of an earlier kernel adopted. Nothing is submitted before; returns when it is done, or goes on beside."""
        self._adopted.clear()
        if not await self._adopt(requests):
            self._beside(self._adopt_again(requests), f"adopt at {self.name}")

    def submit(self, request: AttemptRequest) -> None:
        """Give an attempt to the executor, at once if that can be; else line it up."""
        if not self._queue and self._adopted.is_set() and not self.circuit.rest_s() and self._taken(request):
            return
        self._queue.append(request)
        self._lined.add(request.id)
        self._wake.set()

    def told(self, attempt: str) -> str:
        """Where an attempt is that has not begun, for people; empty where there is no more to say than that it was given to the
        executor."""
        if attempt in self._untaken:
            return f"the executor {self.name!r} has not taken it, and is asked again: {self._untaken[attempt]}"
        if self._asked is None or (attempt != self._asked[0] and attempt not in self._lined):
            return ""
        asked, since = self._asked
        seconds = format_duration(asyncio.get_running_loop().time() - since)
        it, behind = ("it", "") if asked == attempt else (asked, f"it stands in the line of {self.name!r}: ")
        return f"{behind}the executor {self.name!r} was asked {seconds} ago to take {it}, and has not answered"

    def cancel(self, attempt: str, reason: str) -> None:
        """Stop an attempt, whether it is still in the line or not."""
        self._lined.discard(attempt)
        self._beside(self._cancel(attempt, reason), f"cancel {attempt}")

    def stop(self) -> None:
        """Stop; what is in the line is in the journal and comes back at the next start."""
        self._queue.clear()
        self._lined.clear()
        self._watch.close()
        for task in self._tasks():
            task.cancel()

    async def close(self) -> None:
        """Stop, and wait until nothing is under way; then close the executor. One that does not let go is left behind."""
        self.stop()
        for task in await let_go(self._tasks(), CLOSE_S_MAX):
            _log.warning("The executor %r does not let go of %r, which was cancelled.", self.name, task.get_name())
        try:
            await self._calls.close(CLOSE_S_MAX)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin may raise anything; the others are to be closed too
            _log.warning("The executor %r did not close in order: %s", self.name, why(error))

    def _tasks(self) -> list[asyncio.Task[Any]]:
        return [t for t in (self._task, *self._background) if t is not None]

    def _beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # -- adopting

    async def _adopt(self, requests: Sequence[AttemptRequest]) -> bool:
        try:
            await self._calls.ask_within(ADOPT_S_MAX, "recover", requests)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # as above
            told = f"{len(requests)} attempts: {why(error)}"
            _log.warning("The executor %r cannot adopt %s; it is tried again", self.name, told)
            return False
        self._adopted.set()
        return True

    async def _adopt_again(self, requests: Sequence[AttemptRequest]) -> None:
        """Nobody else will ask for them, so for as long as it takes."""
        tries = 0
        while True:
            tries += 1
            await asyncio.sleep(_delay_s(tries))
            if await self._adopt(requests):
                return

    # -- submitting

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            while self._queue:
                if not self._adopted.is_set():
                    await self._adopted.wait()
                while rest := self.circuit.rest_s():
                    self._tell_line()
                    await asyncio.sleep(rest)
                await self._submit_next()
            await self._wake.wait()

    async def _submit_next(self) -> None:
        if not self._queue:
            return  # it was stopped meanwhile
        request = self._queue.popleft()
        if request.id not in self._lined:
            return  # it was cancelled before its turn
        self._lined.discard(request.id)
        if self._taken(request):
            return
        try:
            hit("submit.before")
            self._asked = request.id, asyncio.get_running_loop().time()
            with Within(self._watch, SUBMIT_S_MAX):
                await self._calls.ask("submit", request)
            hit("submit.after")
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin may raise anything; it is contained here
            self._later(request, error)
        else:
            self.circuit.succeeded()
        finally:
            self._asked = None

    def _taken(self, request: AttemptRequest) -> bool:
        """Whether an attempt could be given to the executor without waiting: a turn of the loop and more is saved for each."""
        if self._nowait is None:
            return False
        try:
            taken = self._nowait(request)
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001  # as above; nobody cancels this call
            self._later(request, error)
            return True
        if taken:
            self.circuit.succeeded()
        return taken

    def _tell_line(self) -> None:
        for request in self._queue:
            self._reports.progress(request.id, AttemptPhase.WAITING_FOR_RESOURCES, self.circuit.why)

    def _later(self, request: AttemptRequest, error: BaseException) -> None:
        self.circuit.failed(request.id, error)
        self._tell(request, error)
        self._lined.add(request.id)
        self._beside(self._again(request, error, 1), f"submit {request.id}")

    def _tell(self, request: AttemptRequest, error: BaseException) -> None:
        self._untaken[request.id] = why(error)
        if self.circuit.is_told:
            _log.warning("The executor %r has not taken %s: %s; it is asked again", self.name, request.id, why(error))

    async def _again(self, request: AttemptRequest, error: BaseException, tries: int) -> None:
        """It is not known whether the attempt was accepted; submitting the same id again is safe."""
        try:
            await self._tried(request, error, tries)
        finally:
            self._untaken.pop(request.id, None)

    async def _tried(self, request: AttemptRequest, error: BaseException, tries: int) -> None:
        time = asyncio.get_running_loop().time
        began = time()
        while time() - began < OUTAGE_S_MAX if self.circuit.open else tries < TRIES_MAX:
            if self.circuit.open:
                self._reports.progress(request.id, AttemptPhase.WAITING_FOR_RESOURCES, self.circuit.why)
            await asyncio.sleep(max(_delay_s(tries), self.circuit.rest_s()))
            if request.id not in self._lined:
                return  # it was cancelled meanwhile
            try:
                async with self.circuit.asked(request.id, SUBMIT_S_MAX):
                    await self._calls.ask("submit", request)
            except LeftAlone:
                continue
            except (Exception, SystemExit) as later:  # noqa: BLE001  # as above
                error, tries = later, tries + 1
                self._tell(request, error)
            else:
                self._lined.discard(request.id)
                return
        self._lined.discard(request.id)
        message = f"Executor {self.name!r} did not take the attempt: {why(error)}"
        failed = Failed(ErrorInfo("ExecutorFailed", message, ErrorKind.SYSTEM))
        self._reports.refused(request.id, failed)
        await self._cancel(
            request.id, message
        )  # it may run all the same: the next attempt has to wait until it is gone
        self._reports.ended(request.id, failed)

    # -- cancelling

    async def _cancel(self, attempt: str, reason: str) -> None:
        tries = 0
        while True:
            try:
                hit("cancel.before")
                async with within(CANCEL_S_MAX):
                    await self.executor.cancel(attempt, reason)
                hit("cancel.after")
            except (Exception, SystemExit) as error:  # noqa: BLE001  # an attempt must be seen gone; its end is awaited, so try for as long as it takes
                tries += 1
                if tries & (tries - 1) == 0:  # the first, second, fourth, …
                    _log.warning(
                        "The executor %r cannot cancel %s: %s; it is tried again", self.name, attempt, why(error)
                    )
                await asyncio.sleep(_delay_s(tries))
            else:
                asyncio.get_running_loop().call_later(REPORT_S_MAX, self._gone, attempt, reason)
                return

    def _gone(self, attempt: str, reason: str) -> None:
        """See to it that what was stopped has an end, also if nobody reports one: else its execution waits for ever."""
        stopped = self._task is None or self._task.done()
        if not stopped and self._reports.waits(attempt):
            _log.warning("The executor %r has cancelled %s and does not report its end.", self.name, attempt)
            self._reports.ended(attempt, Aborted(reason))


def _delay_s(tries: int) -> float:
    return min(TRY_DELAY_S * 2.0 ** min(tries, 20), TRY_DELAY_S_MAX)
