"""Runs what is launched, in the one process that has the lock: each execution its nodes one after another.

All that counts is in the file before anything is done about it, so whoever takes the lock next goes on where this one was.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from msgspec.structs import replace

from acme_sequential import state as states
from acme_sequential.plugin import SequentialSettings
from acme_sequential.process import ended, prepare, stop
from acme_sequential.state import State
from acme_sequential.store import Store
from wingbeat.attempts import Values
from wingbeat.base.errors import ConfigurationError, ErrorKind
from wingbeat.base.ids import attempt_id
from wingbeat.contracts.engine import AttemptView
from wingbeat.contracts.executor import Aborted, AttemptRequest, Failed, Outcome, Succeeded
from wingbeat.contracts.home import Home
from wingbeat.plans import flatten, resolve
from wingbeat.spec.entities import Closure, TaskSpec
from wingbeat.spec.literal import Inline, Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import AttemptPhase, ExecutionPhase, NodePhase
from wingbeat.spec.plan import GateKind, Plan
from wingbeat.types import ValueMismatch

TAKE_S = 0.2
AGAIN_S = 1.0
LOST_MAX = 3
"""So many attempts of a node may be lost by the system."""
_UNDER_WAY = (AttemptPhase.QUEUED, AttemptPhase.RUNNING)

_log = logging.getLogger("acme_sequential")


class Runner:
    """What one process does for all that have the file open.

    Args:
        do: Does something with the store, in its thread.

        news: Gives an event that is set when something in the file has changed since.
    """

    def __init__(
        self,
        home: Home,
        settings: SequentialSettings,
        do: Callable[..., Awaitable[Any]],
        news: Callable[[], asyncio.Event],
    ) -> None:
        self._home, self._do, self._news, self._most = home, do, news, settings.executions
        self._slots = asyncio.Semaphore(settings.slots)
        self._values = Values(home.storage(), f"{home.path}/scratch")
        self._following: dict[str, asyncio.Task[None]] = {}
        self._stopping: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Take the lock, when it is free, and follow every execution that has not ended. Until it is cancelled."""
        with open(f"{self._home.path}/sequential.lock", "wb") as lock:  # noqa: ASYNC230  # an empty one, on this machine
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(TAKE_S)
            try:
                await self._again(self._drive, "what is launched")
            finally:
                tasks = [*self._following.values(), *self._stopping.values()]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _drive(self, _: str) -> None:
        while True:
            news = self._news()
            for execution, aborting in await self._do(Store.live, self._most):
                self._look_after(execution, aborting)
            await news.wait()

    def _look_after(self, execution: str, aborting: bool) -> None:
        followed = self._stopping if aborting else self._following
        if execution not in followed:
            work = self._stop if aborting else self._follow
            task = followed[execution] = asyncio.create_task(self._again(work, execution), name=f"follow {execution}")
            task.add_done_callback(lambda _: followed.pop(execution))

    async def _again(self, work: Callable[[str], Awaitable[None]], execution: str) -> None:
        """Do it until it is done: a disk that is full, for instance, is not so for ever."""
        while True:
            try:
                await work(execution)
                return
            except Exception as error:  # noqa: BLE001  # nobody else would go on with it
                _log.warning("%s goes on in %g s: %s: %s", execution, AGAIN_S, type(error).__name__, error)
                await asyncio.sleep(AGAIN_S)

    async def _update(self, execution: str, change: Callable[[State], State]) -> State:
        changed: State = await self._do(Store.update, execution, change, time.time())
        return changed

    async def _stop(self, execution: str) -> None:
        """Stop an execution: first what decides for it, then what runs of it."""
        if (following := self._following.get(execution)) is not None:
            following.cancel()
            await asyncio.wait({following})
        state = await self._do(Store.state, execution)
        for node in state.view.nodes:
            if node.attempts and node.attempts[-1].phase in _UNDER_WAY:
                await stop(self._home, attempt_id(execution, node.id, node.attempts[-1].number), state.abort or "")
        await self._update(execution, lambda s: s if s.view.phase.terminal else states.aborted(s, time.time()))

    async def _follow(self, execution: str) -> None:
        """From the first node that has not succeeded to the last."""
        closure = await self._do(Store.closure, execution)
        plan = flatten(closure)
        state = await self._update(execution, _begun)
        for number, node in enumerate(plan.nodes):
            if state.view.nodes[number].phase.success:
                continue
            if isinstance(node.kind, GateKind):
                state, error = await self._gate(state, plan, number)
            else:
                state, error = await self._task(state, closure, plan, number)
            if error is not None:
                await self._fail(execution, error)
                return
        try:
            outputs = await asyncio.to_thread(self._outputs, plan, state)
        except ValueMismatch as error:
            await self._fail(execution, ErrorInfo("ValueMismatch", str(error), retryable=False))
            return
        await self._update(execution, lambda s: _unless_stopped(s, ExecutionPhase.SUCCEEDED, None, outputs=outputs))

    async def _fail(self, execution: str, error: ErrorInfo) -> None:
        await self._update(execution, lambda s: _unless_stopped(s, ExecutionPhase.FAILED, error, reason=error.message))

    def _outputs(self, plan: Plan, state: State) -> Literals:
        """What the workflow gives: whole values, which may have to be read for it."""
        found = resolve(plan.outputs, state.view.inputs, state.outputs)
        return {v.name: self._values.literal(self._values.wire(found[v.name]), v.type) for v in plan.interface.outputs}

    async def _gate(self, state: State, plan: Plan, number: int) -> tuple[State, ErrorInfo | None]:
        """Wait for the answer."""
        execution, node, kind = state.view.id, plan.nodes[number], plan.nodes[number].kind
        assert isinstance(kind, GateKind)
        state = await self._update(execution, lambda s: states.asks(s, plan, number))
        while True:
            news = self._news()
            state = await self._do(Store.state, execution)
            if (answer := state.answers.get(node.id)) is not None:
                break
            await news.wait()
        error = None
        given = answer.value
        if kind.spec.gate == "approve":
            if given != Inline(True):
                error = ErrorInfo(
                    "Rejected", f"Approval {kind.spec.name!r} was rejected.", retryable=False, node=node.id
                )
            else:
                given = state.values(plan, number).get("value", given)
        phase = NodePhase.SUCCEEDED if error is None else NodePhase.FAILED
        outputs = {v.name: given for v in kind.spec.interface.outputs} if error is None else None
        told = {"phase": phase, "outputs": outputs, "gate": None, "reason": "" if error is None else error.message}
        return await self._update(execution, lambda s: s.node(number, ended_at=time.time(), **told)), error

    async def _task(self, state: State, closure: Closure, plan: Plan, number: int) -> tuple[State, ErrorInfo | None]:
        """One attempt after another, until one succeeds or no other would."""
        execution, node, task = state.view.id, plan.nodes[number], plan.tasks[plan.nodes[number].task]
        try:
            inputs = state.values(plan, number)
        except ValueMismatch as error:
            found = ErrorInfo("ValueMismatch", str(error), retryable=False, node=node.id)
            told = {"phase": NodePhase.FAILED, "reason": found.message}
            return await self._update(execution, lambda s: s.node(number, ended_at=time.time(), **told)), found
        based = states.basis(closure, plan, number, inputs)
        while True:
            attempts = state.view.nodes[number].attempts
            if not attempts or attempts[-1].phase not in _UNDER_WAY:
                await asyncio.sleep(_delay_s(task, attempts, time.time()))
                state = await self._update(execution, lambda s: _queued(s, number))
            last = state.view.nodes[number].attempts[-1].number
            request = AttemptRequest(
                attempt_id(execution, node.id, last), task, inputs, closure.bundle, closure.environment
            )
            outcome = await self._attempt(execution, number, request)
            state = await self._update(
                execution, partial(_ended, number=number, outcome=outcome, task=task, based=based)
            )
            view = state.view.nodes[number]
            if view.phase.success:
                return state, None
            if view.phase.terminal:
                found = view.attempts[-1].error or ErrorInfo("Aborted", view.reason)
                return state, replace(found, node=node.id)

    async def _attempt(self, execution: str, number: int, request: AttemptRequest) -> Outcome:
        """Have an attempt run to its end; it is started only if no process has done so before."""
        async with self._slots:
            try:
                files = await prepare(self._home, request)
            except (OSError, ConfigurationError) as error:
                definite = isinstance(error, ConfigurationError)
                return Failed(ErrorInfo(type(error).__name__, str(error), ErrorKind.SYSTEM, retryable=not definite))
            running = {"phase": AttemptPhase.RUNNING, "evidence": {"log": files.log}}
            await self._update(execution, lambda s: _running(s, number, running))
            return await ended(files)


def _begun(state: State) -> State:
    if state.view.phase is not ExecutionPhase.QUEUED:
        return state
    view = replace(state.view, phase=ExecutionPhase.RUNNING, began_at=time.time())
    return replace(state, view=view)


def _unless_stopped(state: State, phase: ExecutionPhase, error: ErrorInfo | None, **more: Any) -> State:
    """At its end, unless somebody has asked for another one."""
    return state if state.abort is not None else states.ended(state, phase, time.time(), error, **more)


def _queued(state: State, number: int) -> State:
    attempts = state.view.nodes[number].attempts
    added = [*attempts, AttemptView(len(attempts), AttemptPhase.QUEUED, time.time())]
    return state.node(number, phase=NodePhase.QUEUED, attempts=added, until=None, reason="waits for a slot")


def _running(state: State, number: int, told: dict[str, Any]) -> State:
    if state.view.nodes[number].attempts[-1].phase is AttemptPhase.RUNNING:
        return state
    return state.attempt(number, started_at=time.time(), **told).node(number, phase=NodePhase.RUNNING, reason="")


def _ended(state: State, number: int, outcome: Outcome, task: TaskSpec, based: str) -> State:
    """What becomes of a node whose attempt has ended."""
    now = time.time()
    if isinstance(outcome, Succeeded):
        state = state.attempt(number, phase=AttemptPhase.SUCCEEDED, ended_at=now)
        state = replace(state, made_of={**state.made_of, state.view.nodes[number].id: based})
        return state.node(number, phase=NodePhase.SUCCEEDED, ended_at=now, outputs=outcome.outputs)
    error = outcome.error if isinstance(outcome, Failed) else None
    reason = error.message if error is not None else outcome.reason if isinstance(outcome, Aborted) else "it is dynamic"
    attempts = state.view.nodes[number].attempts
    if error is not None and _again(task, error, attempts):
        state = state.attempt(number, phase=AttemptPhase.RETRYABLE_FAILED, ended_at=now, error=error)
        until = now + _delay_s(task, state.view.nodes[number].attempts, now)
        return state.node(number, reason=f"is tried again: {reason}", until=until)
    state = state.attempt(number, phase=AttemptPhase.FAILED, ended_at=now, error=error)
    return state.node(number, phase=NodePhase.FAILED, ended_at=now, reason=reason)


def _again(task: TaskSpec, error: ErrorInfo, attempts: list[AttemptView]) -> bool:
    """Whether an error of the last attempt is one after which the node is tried again: either kind has a budget of its own."""
    before = sum(attempt.error is not None and attempt.error.kind is error.kind for attempt in attempts)
    if error.kind is ErrorKind.SYSTEM:
        return error.retryable and before < LOST_MAX
    return error.retryable and before < task.retry.count and (not task.retry.on or error.code in task.retry.on)


def _delay_s(task: TaskSpec, attempts: list[AttemptView], now: float) -> float:
    """How long the next attempt is still to wait, after the user's errors before it."""
    failed = [attempt for attempt in attempts if attempt.error is not None and attempt.error.kind is ErrorKind.USER]
    if not failed or failed[-1] is not attempts[-1]:
        return 0.0
    retry = task.retry
    pause = min(retry.delay_s * retry.factor ** (len(failed) - 1), retry.delay_s_max)
    pause *= 1 - retry.jitter * random.random()
    return max(0.0, (failed[-1].ended_at or now) + pause - now)
