"""What an attempt is made with, and whether a failed one is followed by another, and when. Two budgets, counted apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from wingbeat.base.errors import ErrorKind
from wingbeat.machine.effect import Submit
from wingbeat.machine.fact import Granted
from wingbeat.machine.state import NodeState
from wingbeat.spec.chosen import AT_FAILURE, AT_QUEUE, Chosen, choose, settled
from wingbeat.spec.entities import RetrySpec, TaskSpec
from wingbeat.spec.formulas import Known
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.types import ValueMismatch

if TYPE_CHECKING:
    from wingbeat.machine.event import SlotsFree
    from wingbeat.machine.step import Machine

SYSTEM = RetrySpec(count=3, delay_s=0.1, factor=3.0, delay_s_max=30.0, jitter=0.5)
"""The budget for failures that are not the user's: a killed process, a lost machine."""


def slots_free(m: Machine, event: SlotsFree) -> None:
    """It is written down that an attempt has its slots before it is submitted: a kernel to come must not give them to another."""
    attempt = m.current(event.node, event.attempt)
    if attempt is not None and not attempt.cancel and not attempt.granted:
        m.say(Granted(event.node, event.attempt, event.at))
        m.ask(Submit(event.node, event.attempt))


def of_the_system(error: ErrorInfo) -> bool:
    """Whether the system's budget counts a failure. What a body lets through of a call was counted there: it is the user's."""
    return error.kind == ErrorKind.SYSTEM and not error.node


def retry_delay_s(retry: RetrySpec, node: NodeState, error: ErrorInfo, draw: float) -> float | None:
    """Seconds until the next attempt, or None if there is none. `draw` in [0, 1) is where the jitter comes from."""
    if of_the_system(error):
        policy, failures = SYSTEM, node.system_failures
    else:
        policy, failures = retry, node.user_failures
        if policy.on and error.code not in policy.on:
            return None
    if not error.retryable or failures >= policy.count:
        return None
    delay = min(policy.delay_s * policy.factor**failures, policy.delay_s_max)
    return delay * (1 - policy.jitter / 2 + policy.jitter * draw)


def draw(seed: int, node: int, attempt: int) -> float:
    """A number in [0, 1) that depends on nothing else."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{node}/{attempt}".encode(), digest_size=7).digest()) / 2**56


def chosen(m: Machine, address: int, task: TaskSpec) -> Chosen | None:
    """What the formulas of its task give for the next attempt. Raises ValueMismatch."""
    node = m.state.seen(address)
    error = node.attempts[-1].error if node is not None and node.attempts else None
    return _choose(m, address, task, error, AT_QUEUE)


def follow_up(m: Machine, address: int, number: int, error: ErrorInfo) -> tuple[float | None, str]:
    """Seconds until an attempt follows the one that has failed; or None, and why if that is the fault of a formula."""
    task, node = m.graph.task(address), m.state.node(address)
    assert task is not None
    try:
        retry = settled(task, _choose(m, address, task, error, AT_FAILURE)).retry
        delay_s = retry_delay_s(retry, node, error, draw(m.state.seed, address, number))
        if delay_s is not None:
            _choose(m, address, task, error, AT_QUEUE, more=1)
    except ValueMismatch as mismatch:
        return None, f"There is no other attempt: option {mismatch}."
    return delay_s, ""


def _choose(
    m: Machine, address: int, task: TaskSpec, error: ErrorInfo | None, names: Iterable[str], more: int = 0
) -> Chosen | None:
    if not task.formulas:
        return None
    node = m.state.seen(address)
    failed = more if node is None else node.user_failures + node.system_failures + more
    return choose(task, Known(m.values(address), task.interface, failed, error), names)
