"""What a launch asks of its execution as a whole: how it fails, and the pool and priority of its tasks. Pure."""

from __future__ import annotations

import functools

import msgspec
from msgspec import Struct

from wingbeat.contracts.engine import LaunchRequest
from wingbeat.spec.codec import spec_digest
from wingbeat.spec.entities import Closure, FailurePolicy, PoolSpec, TaskSpec

LABEL = "wingbeat/pool"
"""Label of an execution with the pool and priority that its launch has asked for, by which it goes on."""


class _Asked(Struct, frozen=True, omit_defaults=True):
    """What the label holds."""

    pool: PoolSpec | None = None
    priority: int = 0


def under_policy(closure: Closure, policy: FailurePolicy | None) -> Closure:
    """A closure whose workflow fails by this policy. What the workflow calls keeps its identity, for the cache and for recovery."""
    if policy is None or closure.workflow.failure_policy is policy:
        return closure
    root = msgspec.structs.replace(closure.workflow, failure_policy=policy)
    digest = spec_digest(root)
    entities = {name: entity for name, entity in closure.entities.items() if name != closure.root}
    return msgspec.structs.replace(closure, root=digest, entities={digest: root, **entities})


def label_of(request: LaunchRequest) -> str:
    """The label of an execution that is launched so; empty where nothing is asked for."""
    if request.pool is None and not request.priority:
        return ""
    return msgspec.json.encode(_Asked(request.pool, request.priority)).decode()


def pool_of(task: TaskSpec, label: str) -> PoolSpec | None:
    """The pool of an attempt of a task: its own, or else the one that was asked for."""
    if not label:
        return task.pool
    asked = _read(label)
    pool = task.pool or asked.pool
    return None if pool is None else msgspec.structs.replace(pool, priority=pool.priority + asked.priority)


def pool_asked(label: str) -> PoolSpec | None:
    """The pool of tasks that want none."""
    return _read(label).pool if label else None


@functools.lru_cache(maxsize=1024)
def _read(label: str) -> _Asked:
    return msgspec.json.decode(label, type=_Asked)
