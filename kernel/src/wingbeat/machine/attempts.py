"""Whether a failed attempt is followed by another, and when. Two budgets, counted apart."""

from __future__ import annotations

import hashlib

from wingbeat.base.errors import ErrorKind
from wingbeat.machine.state import NodeState
from wingbeat.spec.entities import RetrySpec
from wingbeat.spec.outcome import ErrorInfo

SYSTEM = RetrySpec(count=3, delay_s=0.1, factor=3.0, delay_s_max=30.0, jitter=0.5)
"""The budget for failures that are not the user's: a killed process, a lost machine."""


def retry_delay_s(retry: RetrySpec, node: NodeState, error: ErrorInfo, draw: float) -> float | None:
    """Seconds until the next attempt, or None if there is none. `draw` in [0, 1) is where the jitter comes from."""
    if error.kind == ErrorKind.SYSTEM:
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
