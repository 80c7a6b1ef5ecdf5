"""What is asked of the engine: for what is registered, and for what is run again."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from msgspec.structs import replace

from wingbeat.base.errors import InputError, JournalDamaged, NotFound
from wingbeat.base.ids import digest, short_id
from wingbeat.contracts.admin import BY_LABEL, CAUSE_LABEL, ENTITY_LABEL, REQUEST_LABEL, Definition, Launch
from wingbeat.contracts.artifacts import USES_LABEL
from wingbeat.contracts.engine import POOL_LABEL, Engine, ExecutionView, LaunchReply, LaunchRequest
from wingbeat.contracts.relaunch import Relaunch
from wingbeat.contracts.retention import RETENTION_LABEL
from wingbeat.spec.codec import canonical
from wingbeat.spec.entities import Closure, Interface
from wingbeat.spec.identity import Identity
from wingbeat.spec.labels import DOMAIN, PROJECT, RESERVED, is_ours
from wingbeat.spec.literal import Literals
from wingbeat_admin.local.firing import check_taken, taken

_SAME = frozenset({ENTITY_LABEL, POOL_LABEL, RETENTION_LABEL, USES_LABEL})
"""Labels of ours that hold for what runs the same on the same."""
Resolve = Callable[[str], Awaitable[tuple[Identity, Definition]]]
Complete = Callable[[Definition, Literals, dict[str, str], str], Awaitable[tuple[Literals, dict[str, str]]]]


def sent(launch: Launch | Relaunch) -> str:
    """A digest of what was asked for, as it was written: what it comes to may be something else each day."""
    if isinstance(launch, Launch):
        return digest(canonical([launch.entity, launch.inputs]))
    return digest(canonical([launch.execution, launch.entity, launch.recover]))


async def there(engine: Engine, name: str, sent: str) -> LaunchReply | None:
    """The execution of this name, if the same request has launched it."""
    try:
        view = await engine.describe(name, nodes=False)
    except (JournalDamaged, NotFound):
        return None
    return LaunchReply(view.id, created=False) if view.labels.get(REQUEST_LABEL) == sent else None


def requested(
    id: Identity,
    definition: Definition,
    inputs: Literals,
    uses: Mapping[str, str],
    name: str,
    *,
    cause: str = "",
    labels: Mapping[str, str] | None = None,
) -> LaunchRequest:
    """A launch of what is registered; `uses` are the artifacts among the inputs."""
    plan = definition.plan
    own = {} if plan is None else {label: value for label, value in plan.labels.items() if not is_ours(label)}
    told = {**own, **(labels or {}), ENTITY_LABEL: str(id)}
    told |= {"project": id.project, "domain": id.domain}
    if uses:
        told[USES_LABEL] = canonical(uses).decode()
    # What a trigger launches is the same the second time, though there may be newer artifacts then.
    key = digest(canonical([str(id), cause])) if cause and uses else ""
    if cause:
        told[CAUSE_LABEL] = cause
    if plan is not None and plan.retention_days is not None:
        told[RETENTION_LABEL] = str(plan.retention_days)
    request = LaunchRequest(definition.closure, inputs, name, key, labels=told)
    if plan is None:
        return request
    return replace(
        request, concurrency=plan.concurrency, pool=plan.pool, priority=plan.priority, failure_policy=plan.failure_policy,
    )  # fmt: skip


async def repeated(
    relaunch: Relaunch, engine: Engine, resolve: Resolve, complete: Complete, *, by: str = ""
) -> LaunchRequest:
    """A launch of what an execution has run, or of another version, with its inputs.

    Args:
        resolve: Answers with what is registered under a reference.

        complete: Fills in inputs that are not given, as `Follower.completed`.

    Raises:
        NotFound: There is no such execution, or version.

        InputError: That takes something else.
    """
    if relaunch.resume and not relaunch.recover:
        raise InputError("Only a recovery is resumed.", hint="Give it a name: the same again starts nothing new.")
    view = await engine.describe(relaunch.execution, nodes=False)
    closure = await engine.closure(relaunch.execution)
    name = relaunch.name or short_id(os.urandom(16))
    if relaunch.entity:
        id, definition = await resolve(relaunch.entity)
        request = await _onto(id, definition, view, closure, complete, name)
    else:
        request = LaunchRequest(closure, view.inputs, name, labels=_kept(view.labels, _SAME))
    labels = request.labels
    if by:
        labels = {"project": PROJECT, "domain": DOMAIN, **labels, BY_LABEL: by}
    if not relaunch.recover:
        return replace(request, labels=labels)
    # What is resumed by this key is a recovery of the same execution, in the same place.
    place = labels.get("project", ""), labels.get("domain", "")
    key = digest(canonical([*place, relaunch.execution, request.closure, request.inputs]))
    return replace(request, labels=labels, recover=relaunch.execution, resume=relaunch.resume, launch_key=key)


async def _onto(
    id: Identity, definition: Definition, view: ExecutionView, closure: Closure, complete: Complete, name: str
) -> LaunchRequest:
    interface, given = definition.interface, Interface((), closure.workflow.interface.inputs)
    takes = {v.name: v.name for v in interface.inputs if v.name in view.inputs}
    check_taken(takes, interface, given, view.id)
    uses = _uses(view.labels)
    inputs, used = await complete(
        definition,
        taken(takes, interface, given, view.inputs),
        {input: artifact for input, artifact in uses.items() if input in takes},
        str(id),
    )
    own = {} if definition.plan is None else definition.plan.labels
    labels = {name: value for name, value in _kept(view.labels).items() if name not in own}
    return requested(id, definition, inputs, used, name, labels=labels)


def _kept(labels: Mapping[str, str], ours: frozenset[str] = frozenset()) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name in ours or not name.startswith(RESERVED)}


def _uses(labels: Mapping[str, str]) -> dict[str, str]:
    return msgspec.json.decode(labels.get(USES_LABEL, "{}"), type=dict[str, str])
