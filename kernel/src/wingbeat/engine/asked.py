"""What a launch asks of its execution as a whole: how it fails, pool and priority of its tasks, its limit, the quota of its
place. Pure."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from wingbeat.base.errors import InputError
from wingbeat.base.units import format_size
from wingbeat.contracts.engine import POOL_LABEL, LaunchRequest, Quota
from wingbeat.spec.codec import spec_digest
from wingbeat.spec.entities import Closure, ConcurrencySpec, FailurePolicy, PoolSpec, TaskSpec

LABEL = POOL_LABEL
QUOTA = "wingbeat/quota"
"""Label of an execution with the quota of its place, as it was at its launch."""


class _Asked(Struct, frozen=True, omit_defaults=True):
    """What the label holds."""

    pool: PoolSpec | None = None
    priority: int = 0
    concurrency: ConcurrencySpec | None = None


def settled(request: LaunchRequest) -> LaunchRequest:
    """A launch as it is to be: with what an earlier one has asked for, where it is that again; and whose workflow fails by the
    policy that is asked for.

    Raises:
        InputError: Its label says nothing that can be asked for.
    """
    label = request.labels.get(LABEL, "")
    if label and (request.pool, request.priority, request.concurrency) == (None, 0, None):
        try:
            before = _read(label)
        except msgspec.DecodeError as error:
            raise InputError(f"The label {LABEL} is ours: {error}.", hint="Leave it out.") from None
        request = msgspec.structs.replace(
            request, pool=before.pool, priority=before.priority, concurrency=before.concurrency
        )
    closure = under_policy(request.closure, request.failure_policy)
    return msgspec.structs.replace(request, closure=closure)


def under_policy(closure: Closure, policy: FailurePolicy | None) -> Closure:
    """A closure whose workflow fails by this policy. What the workflow calls keeps its identity, for the cache and for recovery."""
    if policy is None or closure.workflow.failure_policy is policy:
        return closure
    root = msgspec.structs.replace(closure.workflow, failure_policy=policy)
    digest = spec_digest(root)
    entities = {name: entity for name, entity in closure.entities.items() if name != closure.root}
    return msgspec.structs.replace(closure, root=digest, entities={digest: root, **entities})


def labels_of(request: LaunchRequest) -> dict[str, str]:
    """Labels of an execution that is launched so, for what is asked for."""
    found = {}
    if request.pool is not None or request.priority or request.concurrency is not None:
        asked = _Asked(request.pool, request.priority, request.concurrency)
        found[LABEL] = msgspec.json.encode(asked).decode()
    if request.quota is not None:
        found[QUOTA] = msgspec.json.encode(request.quota).decode()
    return found


def quota_of(labels: Mapping[str, str]) -> Quota | None:
    """The quota that an execution with these labels is under."""
    label = labels.get(QUOTA)
    return None if label is None else _quota(label)


def check_resources(task: TaskSpec, labels: Mapping[str, str]) -> None:
    """Raise InputError if a task wants more than the quota has that an execution with these labels is under."""
    quota = quota_of(labels)
    if quota is None:
        return
    wants = task.resources
    if wants.cpu is not None and quota.cpu is not None and wants.cpu > quota.cpu:
        raise _too_much(task, f"{wants.cpu:g} cores", f"{quota.cpu:g}", quota)
    if wants.memory_bytes is not None and quota.memory_bytes is not None and wants.memory_bytes > quota.memory_bytes:
        has = format_size(quota.memory_bytes)
        raise _too_much(task, f"{format_size(wants.memory_bytes)} of memory", has, quota)


def _too_much(task: TaskSpec, wants: str, has: str, quota: Quota) -> InputError:
    return InputError(
        f"Task {task.name} wants {wants}, and a task in {quota.name} may have {has}.",
        hint="Have it want less, or ask an admin of that place for more: 'wingbeat get settings' tells who says so.",
    )


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
def _quota(label: str) -> Quota:
    return msgspec.json.decode(label, type=Quota)


@functools.lru_cache(maxsize=1024)
def _read(label: str) -> _Asked:
    return msgspec.json.decode(label, type=_Asked)
