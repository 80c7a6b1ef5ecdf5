"""The settings of an admin's places, and launches under them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from wingbeat.base.errors import InputError
from wingbeat.base.ids import short_id
from wingbeat.contracts.admin import ENTITY_LABEL
from wingbeat.contracts.engine import POOL_LABEL, LaunchRequest, Quota
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.places import BUILT_IN, SETTINGS_LABEL, PlaceSettings, Said, Setting, Settled
from wingbeat.contracts.retention import RETENTION_LABEL
from wingbeat.spec.entities import Closure, FailurePolicy, LaunchPlanSpec, PoolSpec, TaskSpec, WorkflowSpec
from wingbeat.spec.identity import check_place, parse_identity, parse_reference
from wingbeat.spec.labels import DOMAIN, PROJECT
from wingbeat_admin.local import quotas
from wingbeat_admin.local.access import LocalAccess
from wingbeat_admin.local.store import Store

OF_LAUNCH = "the launch"
"""Source of what a launch says itself."""
_Says = tuple[str, dict[str, Any]]
"""Who says something, and what, by name."""
_TOLD = ("executions", "cpu", "memory_bytes", "pool", "priority", "failure_policy", "retention_days")
"""What an execution has of them, and tells."""


class LocalPlaces:
    """A `wingbeat.contracts.places.Places` over the file of an admin; and what launches go through.

    Args:
        do: Does something with the file: `LocalAdmin.do`.

        access: Changes the file with an entry of the audit log.

        changed: Called when what holds somewhere may have changed.
    """

    def __init__(
        self,
        do: Callable[..., Awaitable[Any]],
        clock: Callable[[], float],
        access: LocalAccess,
        changed: Callable[[], None],
    ) -> None:
        self._do, self._clock, self._access, self._changed = do, clock, access, changed

    async def create_setting(self, setting: Setting, *, by: str = "") -> bool:
        """See `Places.create_setting`."""
        quotas.check(setting)
        told = f"{setting.name} = {msgspec.json.encode(setting.value).decode()} in {setting.project}/{setting.domain}"
        place = setting.project, setting.domain
        new: bool = await self._access.change(
            "setting.create", told, *place, by, lambda store: quotas.put(store.db, setting)
        )
        self._changed()
        return new

    async def delete_setting(self, name: str, project: str, domain: str, *, by: str = "") -> None:
        """See `Places.delete_setting`."""
        told = f"{name} in {project}/{domain}"
        await self._access.change(
            "setting.delete", told, project, domain, by, lambda store: quotas.remove(store.db, name, project, domain)
        )
        self._changed()

    async def settings(self, *, within: tuple[str, ...] | None = None) -> list[Setting]:
        """See `Places.settings`."""
        return await self._do(lambda store: quotas.every(store.db, within))  # type: ignore[no-any-return]

    async def settled(self, project: str, domain: str, launchplan: str = "") -> list[Settled]:
        """See `Places.settled`."""
        check_place(project, domain)
        first = await self._do(_plan, f"{project}/{domain}/{launchplan}") if launchplan else ()
        found = _over(first, await self._do(lambda store: quotas.said(store.db, project, domain)))
        return [
            Settled(name, each[0].value, each[0].source, each[1:])
            for name in PlaceSettings.__struct_fields__
            for each in [[*found.get(name, ()), Said(None, BUILT_IN)]]
        ]

    # -- for launches

    async def placed(self, request: LaunchRequest) -> LaunchRequest:
        """A launch with the quota and the defaults of its place, counted as one.

        Raises:
            LimitReached: There were too many within a minute.
        """
        named = request if request.name else replace(request, name=short_id(os.urandom(16)))
        plan, found = await self._do(self._admitted, named)
        hit("admin.placed")
        if not found:
            return replace(named, quota=None)
        return _applied(named, _over([plan or _own(named), _of_workflow(named.closure.workflow)], found))

    def _admitted(self, store: Store, request: LaunchRequest) -> tuple[_Says | None, dict[str, list[Said]]]:
        place = _place(request.labels)
        found = quotas.said(store.db, *place)
        if "launches_per_minute" in found:
            with store.transaction():
                limit, now = found["launches_per_minute"][0], self._clock()
                quotas.count_launch(store.db, limit, place, request.name, now)
        if not found:
            return None, {}
        entity = request.labels.get(ENTITY_LABEL, "")
        return (_said_by(store, entity) if entity else None), found


def _place(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("project") or PROJECT, labels.get("domain") or DOMAIN


def _plan(store: Store, reference: str) -> list[_Says]:
    """What a launch plan says, and its workflow. Raises NotFound, InputError."""
    id = store.entity(*parse_reference(reference)).id
    if (found := _said_by(store, id)) is None:
        raise InputError(f"{id} is no launch plan.", hint="'wingbeat get launchplans' lists those that there are.")
    return [found, _of_workflow(store.definition(parse_identity(id)).closure.workflow)]


def _said_by(store: Store, id: str) -> _Says | None:
    plan: LaunchPlanSpec | None = store.definition(parse_identity(id)).plan
    if plan is None:
        return None
    pool = None if plan.pool is None else plan.pool.name
    return _says(
        id, pool=pool, priority=plan.priority or None, failure_policy=plan.failure_policy,
        retention_days=plan.retention_days,
    )  # fmt: skip


def _own(request: LaunchRequest) -> _Says:
    """What a launch says that is not of a launch plan; what is launched again says what it said."""
    pool = None if request.pool is None else request.pool.name
    return _says(OF_LAUNCH, pool=pool, priority=request.priority or None, failure_policy=request.failure_policy)


def _of_workflow(workflow: WorkflowSpec) -> _Says:
    return _says(f"workflow {workflow.name}", failure_policy=workflow.failure_policy)


def _says(source: str, **values: Any) -> _Says:
    return source, {name: value for name, value in values.items() if value is not None}


def _over(first: Iterable[_Says], found: Mapping[str, list[Said]]) -> dict[str, list[Said]]:
    """What a launch says, or its plan, and then its workflow, stands before what places say."""
    over: dict[str, list[Said]] = {}
    for source, says in first:
        for name, value in says.items():
            over.setdefault(name, []).append(Said(value, source))
    for name, each in found.items():
        over.setdefault(name, []).extend(each)
    return over


def _applied(request: LaunchRequest, said: Mapping[str, list[Said]]) -> LaunchRequest:
    value = {name: each[0].value for name, each in said.items()}
    labels = {**value.get("labels", {}), **request.labels}
    if POOL_LABEL in labels:  # it is launched again, as it was
        value |= {"pool": None, "priority": None}
    if (days := value.get("retention_days")) is not None:
        labels.setdefault(RETENTION_LABEL, str(days))
    if not _may_go_on(request.closure):
        value.pop("failure_policy", None)
    told = {name: (value[name], said[name][0].source) for name in _TOLD if value.get(name) is not None}
    if told:
        labels[SETTINGS_LABEL] = msgspec.json.encode(told).decode()
    quota = tuple(value.get(name) for name in ("executions", "cpu", "memory_bytes"))
    place = "/".join(_place(request.labels))
    policy = value.get("failure_policy")
    pool = PoolSpec(value["pool"]) if request.pool is None and value.get("pool") else request.pool
    return replace(
        request, labels=labels, pool=pool, priority=request.priority or value.get("priority") or 0,
        quota=Quota(place, *quota) if any(each is not None for each in quota) else None,
        failure_policy=None if policy is None else FailurePolicy(policy),
    )  # fmt: skip


def _may_go_on(closure: Closure) -> bool:
    """Whether something may go on when a node has failed: not where a task is all there is, as the body of a dynamic workflow."""
    workflow = closure.workflow
    return len(workflow.nodes) > 1 or not all(isinstance(closure.entities[call], TaskSpec) for call in workflow.calls)
