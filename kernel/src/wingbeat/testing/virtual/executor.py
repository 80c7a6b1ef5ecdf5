"""Where attempts run in a virtual world: one outside, which survives every kernel, and an executor of each kernel before it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from wingbeat.base.errors import ConfigurationError, ErrorKind
from wingbeat.base.ids import split_attempt_id
from wingbeat.contracts.executor import (
    Aborted,
    AttemptRequest,
    Capabilities,
    Failed,
    Outcome,
    Sink,
    Succeeded,
    Suspended,
)
from wingbeat.spec.entities import Closure
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.bodies import Script
from wingbeat.testing.virtual.checks import check_attempt
from wingbeat.testing.virtual.shadow import outputs_of
from wingbeat.testing.virtual.world import World, shown

if TYPE_CHECKING:
    from wingbeat.testing.virtual.journal import Store
    from wingbeat.testing.virtual.kernels import Kernel

WAIT_S, RUN_S, STOP_S, REPORT_S = 0.1, 1.0, 0.3, 0.05
SLOW_S, LATE_S, LONG_S = 3.0, 20.0, 100.0


class Attempt:
    """One attempt outside. It is known for ever, so that no late call starts it again.

    Attributes:
        gone: Done when nothing of it runs.

        told: Kernels that are told what becomes of it.
    """

    def __init__(self, request: AttemptRequest, gone: asyncio.Future[None]) -> None:
        self.id, self.request, self.gone = request.id, request, gone
        self.execution, self.node, self.number = split_attempt_id(request.id)
        self.running = False
        self.outcome: Outcome | None = None
        self.told: list[Kernel] = []
        self.next: asyncio.TimerHandle | None = None


class Outside:
    """All attempts."""

    def __init__(
        self, world: World, store: Store, scripts: Script, close: Callable[[str], Closure], pools: dict[str, int]
    ) -> None:
        self.world, self.store, self._scripts, self._close, self.pools = world, store, scripts, close, pools
        self.attempts: dict[str, Attempt] = {}
        self._rng = world.chance.rng("outside")

    def take(self, request: AttemptRequest) -> Attempt:
        """Create it, unless it exists."""
        found = self.attempts.get(request.id)
        if found is None:
            found = self.attempts[request.id] = Attempt(request, self.world.loop.create_future())
            found.next = self._later(self._rng.expovariate(1 / WAIT_S), self._start, found)
        return found

    def bar(self, id: str, kernel: Kernel) -> Attempt:
        """An attempt that was never taken never starts."""
        found = self.attempts.get(id)
        if found is None:
            self.world.fired["executor: cancelled before it was taken"] += 1
            request = AttemptRequest(id, kernel.any_task, {})
            found = self.attempts[id] = Attempt(request, self.world.loop.create_future())
            self.end(found, Aborted("it was never taken"))
        return found

    def stop(self, attempt: Attempt, reason: str) -> None:
        """Have it end soon, unless it ends by itself before."""
        if attempt.outcome is None and not self.world.chance.fires("executor: cancel came too late"):
            seconds = self._rng.random() * STOP_S if attempt.running else 0.0
            self._later(seconds, self.end, attempt, Aborted(reason))

    def lose(self, attempt: Attempt) -> None:
        """Nothing of it is left."""
        self.end(attempt, Failed(ErrorInfo("Lost", "Nothing of it is left.", ErrorKind.SYSTEM)))

    def end(self, attempt: Attempt, outcome: Outcome) -> None:
        """Nothing of it runs any more. The first end counts."""
        if attempt.outcome is not None:
            return
        if attempt.next is not None:
            attempt.next.cancel()
        if attempt.running:
            del self.world.running[attempt.execution, attempt.node]
        attempt.running, attempt.outcome = False, outcome
        attempt.gone.set_result(None)
        self.world.note("outside", f"{attempt.id} has ended: {shown(outcome)}")
        for kernel in attempt.told:
            self.tell(attempt, kernel)

    def tell(self, attempt: Attempt, kernel: Kernel) -> None:
        """Report how it ended, perhaps late, perhaps twice; what is said later may be nonsense."""
        assert attempt.outcome is not None
        chance = self.world.chance
        seconds = self._rng.random() * REPORT_S
        if chance.fires("executor: reports late"):
            seconds += self._rng.random() * LATE_S
        self._report(seconds, kernel, "ended", attempt.id, attempt.outcome)
        if chance.fires("executor: reports twice"):
            self._report(seconds + self._rng.random() * LATE_S, kernel, "ended", attempt.id, attempt.outcome)
        if chance.fires("executor: contradicts itself"):
            other = Failed(ErrorInfo("Nonsense", "It failed after all.", ErrorKind.SYSTEM))
            self._report(seconds + 0.001 + self._rng.random(), kernel, "ended", attempt.id, other)

    def settle(self) -> None:
        """What would run very long ends now: the calm has begun."""
        for id in list(self.world.running.values()):
            attempt = self.attempts[id]
            if attempt.outcome is None:
                self._later(self._rng.random(), self._finish, attempt)

    def _start(self, attempt: Attempt) -> None:
        check_attempt(self, attempt)
        self.world.running[attempt.execution, attempt.node] = attempt.id
        attempt.running = True
        self.world.fired["attempt"] += 1
        self.world.note("outside", f"{attempt.id} runs")
        for kernel in attempt.told:
            self.tell_running(attempt, kernel)
        seconds = self._rng.expovariate(1 / RUN_S)
        if self.world.chance.fires("executor: runs very long"):
            seconds = LONG_S * self._rng.random()
        if self.world.chance.fires("executor: loses"):
            attempt.next = self._later(seconds * self._rng.random(), self.lose, attempt)
        else:
            attempt.next = self._later(seconds, self._finish, attempt)

    def tell_running(self, attempt: Attempt, kernel: Kernel) -> None:
        """Report that it runs, or forget to."""
        if self.world.chance.reports_running and not self.world.chance.fires("executor: forgets to say that it runs"):
            self._report(self._rng.random() * REPORT_S, kernel, "running", attempt.id, {"host": "outside"})

    def _finish(self, attempt: Attempt) -> None:
        if attempt.outcome is None:
            self.end(attempt, self._outcome(attempt))

    def _outcome(self, attempt: Attempt) -> Outcome:
        """What comes of it."""
        chance, request = self.world.chance, attempt.request
        if chance.fires("executor: system error"):
            return Failed(ErrorInfo("Evicted", "the machine went away", ErrorKind.SYSTEM))
        if chance.fires("executor: stopped by somebody else"):
            return Aborted("an operator")
        if request.replay is not None:
            return self._turn(attempt)
        if chance.fires("executor: user error"):
            return Failed(ErrorInfo("Bad", "bad", retryable=True))
        if chance.fires("executor: final error"):
            return Failed(ErrorInfo("Worse", "bad for ever", retryable=False))
        outputs = outputs_of(request.task, request.inputs)
        if outputs and chance.fires("executor: outputs missing"):
            return Succeeded({})
        return Succeeded(outputs)

    def _turn(self, attempt: Attempt) -> Outcome:
        told = attempt.request.replay
        assert told is not None
        outcome = self._scripts.turn(f"{attempt.execution}/{attempt.node}", told)
        if isinstance(outcome, ErrorInfo):
            self.world.fired["body raised"] += 1
            return Failed(outcome)
        if not isinstance(outcome, Suspended):
            self.world.fired["body returned"] += 1
            return Succeeded(outcome)
        self.world.fired["body suspended"] += 1
        known = {made.template for made in told.calls}
        first = dict.fromkeys(call.template for call in outcome.calls if call.template not in known)
        closures = tuple(self._close(root) for root in first)
        return Suspended(outcome.calls, outcome.cancels, outcome.wake_at, closures)

    def _later(self, seconds: float, what: Callable[..., None], *args: Any) -> asyncio.TimerHandle:
        return self.world.loop.call_later(seconds, what, *args, context=self.world.context)

    def _report(self, seconds: float, kernel: Kernel, what: str, *args: Any) -> None:
        self.world.loop.call_later(seconds, self._say, kernel, what, *args, context=kernel.process.context)

    def _say(self, kernel: Kernel, what: str, *args: Any) -> None:
        if kernel.executor.sink is not None:
            getattr(kernel.executor.sink, what)(*args)

    def babble(self, kernel: Kernel, rng: random.Random) -> None:
        """Report what nobody asked for."""
        if not self.attempts:
            return
        attempt = rng.choice(list(self.attempts.values()))
        number = rng.choice((attempt.number + 7, 99))
        id = rng.choice((
            f"{attempt.execution}/{attempt.node}/{number}", f"{attempt.execution}/nobody/0", f"nobody/n0/{number}", "nobody",
        ))  # fmt: skip
        self._report(0.0, kernel, "ended", id, Succeeded({}))
        self._report(0.0, kernel, "running", id)


class SimExecutor:
    """A `wingbeat.contracts.executor.Executor`: one kernel's, before the outside."""

    def __init__(self, outside: Outside, kernel: Kernel) -> None:
        self.outside, self.world, self.kernel = outside, outside.world, kernel
        self.sink: Sink | None = None
        self._chance = self.world.chance
        self._rng = self._chance.rng("executor")

    @property
    def capabilities(self) -> Capabilities:
        """See `Executor.capabilities`."""
        return Capabilities(reports_running=self._chance.reports_running)

    async def start(self, sink: Sink) -> None:
        """See `Executor.start`."""
        await self._work()
        if self._chance.fires("executor: cannot start"):
            raise ConfigurationError("The executor cannot work here.")
        self.sink = sink

    async def submit(self, request: AttemptRequest) -> None:
        """See `Executor.submit`."""
        self.kernel.acts(f"submit {request.id}")
        await self._work()
        self._take(request)

    def submit_nowait(self, request: AttemptRequest) -> bool:
        """See `Immediate.submit_nowait`."""
        if not self._chance.fires("executor: takes at once"):
            return False
        self.kernel.acts(f"submit {request.id} at once")
        self._take(request)
        return True

    def _take(self, request: AttemptRequest) -> None:
        if self._chance.fires("executor: refuses"):
            raise OSError("the executor is away")
        attempt = self.outside.take(request)
        self._follow(attempt)
        if self._chance.fires("executor: takes and raises"):
            raise OSError("the executor's answer was lost")

    async def recover(self, requests: Sequence[AttemptRequest]) -> None:
        """See `Executor.recover`."""
        self.kernel.acts("recover")
        for request in requests:
            await self._work()
            if self._chance.fires("executor: recover raises"):
                raise OSError("the executor is away")
            known = self.outside.attempts.get(request.id)
            if known is not None and known.running and self._chance.fires("executor: lost when adopted"):
                self.outside.lose(known)
            self.world.fired["attempt adopted"] += known is not None and known.running
            self._follow(self.outside.take(request))

    def _follow(self, attempt: Attempt) -> None:
        if self.kernel not in attempt.told:
            attempt.told.append(self.kernel)
        if attempt.outcome is not None:
            self.outside.tell(attempt, self.kernel)
        elif attempt.running:
            self.outside.tell_running(attempt, self.kernel)

    async def cancel(self, attempt: str, reason: str) -> None:
        """See `Executor.cancel`."""
        self.kernel.acts(f"cancel {attempt}")
        await self._work()
        if self._chance.fires("executor: cancel raises"):
            raise OSError("the executor is away")
        found = self.outside.bar(attempt, self.kernel)
        self._follow(found)
        self.outside.stop(found, reason)
        await asyncio.shield(found.gone)
        if self._chance.fires("executor: cancel answers late"):
            await asyncio.sleep(self._rng.random() * LATE_S)

    async def list(self) -> list[str]:
        """See `Executor.list`."""
        return list(self.world.running.values())

    async def close(self) -> None:
        """See `Executor.close`."""

    async def _work(self) -> None:
        slow = self._chance.fires("executor: slow to take")
        await asyncio.sleep(self._rng.random() * (SLOW_S if slow else REPORT_S))
