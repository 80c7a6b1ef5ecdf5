"""The admin of a server elsewhere."""

from __future__ import annotations

import os
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from wingbeat.base.ids import short_id
from wingbeat.contracts.admin import (
    Definition,
    Entity,
    EntityPage,
    EntityQuery,
    ExecutionPage,
    ExecutionQuery,
    Launch,
    NotificationEntry,
    NotificationPage,
    NotificationQuery,
    Registered,
    Registration,
)
from wingbeat.contracts.artifacts import ArtifactEntry, ArtifactPage, ArtifactQuery, Lineage
from wingbeat.contracts.backfill import Backfill, BackfillEntry, BackfillPage, BackfillPlan, BackfillQuery
from wingbeat.contracts.engine import LaunchReply, RecoveryPlan
from wingbeat.contracts.projects import ProjectPage, ProjectQuery
from wingbeat.contracts.references import ReferrerPage
from wingbeat.contracts.refusals import RefusalPage, RefusalQuery
from wingbeat.contracts.relaunch import Relaunch
from wingbeat.contracts.retention import Collected
from wingbeat.spec.identity import parse_reference
from wingbeat_admin.client.access import HttpAccess
from wingbeat_admin.client.api import Api, asked
from wingbeat_admin.client.collect import collect
from wingbeat_admin.client.places import HttpPlaces
from wingbeat_admin.client.transfer import Transfer

T = TypeVar("T")

LATEST = "latest"
"""In a path, for the active version of a launch plan, and the newest of others."""


class HttpAdmin:
    """A `wingbeat.contracts.admin.Admin` over HTTP, of a server that keeps artifacts and runs backfills."""

    def __init__(self, api: Api, transfer: Transfer) -> None:
        self._api, self._transfer = api, transfer
        self._access, self._places = HttpAccess(api), HttpPlaces(api)

    @property
    def access(self) -> HttpAccess:
        """See `Admin.access`."""
        return self._access

    @property
    def places(self) -> HttpPlaces:
        """See `wingbeat.contracts.places.Governed`."""
        return self._places

    async def start(self) -> None:
        """See `Admin.start`."""
        self._api.open()

    async def close(self) -> None:
        """See `Admin.close`."""
        await self._api.close()

    async def register(
        self, registration: Registration, *, by: str = "", within: tuple[str, ...] | None = None
    ) -> list[Registered]:
        """See `Admin.register`. The server knows who asks."""
        return await self._transfer.referring(
            lambda: self._call(list[Registered], "POST", "/registrations", body=registration),
            (definition.closure for definition in registration.definitions),
        )

    async def entity(self, reference: str) -> Entity:
        """See `Admin.entity`."""
        return await self._call(Entity, "GET", _path(reference))

    async def referrers(
        self, reference: str, *, after: str = "", limit: int = 100, within: tuple[str, ...] | None = None
    ) -> ReferrerPage:
        """See `Referring.referrers`. The server knows who asks."""
        params = {"after": after, "limit": limit}
        return await self._call(ReferrerPage, "GET", f"{_path(reference)}/referrers", params=params)

    async def definition(self, reference: str) -> Definition:
        """See `Admin.definition`."""
        return await self._call(Definition, "GET", f"{_path(reference)}/definition")

    async def files(self, bundle: str) -> dict[str, str]:
        """See `wingbeat.contracts.code.ShowsCode`."""
        return await self._transfer.files(bundle)

    async def entities(self, query: EntityQuery) -> EntityPage:
        """See `Admin.entities`."""
        return await self._call(EntityPage, "GET", "/entities", params=asked(query))

    async def activate(self, reference: str, *, by: str = "") -> Entity:
        """See `Admin.activate`."""
        return await self._call(Entity, "POST", f"{_path(reference)}/activate")

    async def deactivate(self, reference: str, *, by: str = "") -> Entity:
        """See `Admin.deactivate`."""
        return await self._call(Entity, "POST", f"{_path(reference)}/deactivate")

    async def ticks(self, reference: str, after: float, count: int = 10) -> list[float]:
        """See `Admin.ticks`."""
        params = {"after": after, "count": count}
        return await self._call(list[float], "GET", f"{_path(reference)}/ticks", params=params)

    async def pause(self, reference: str, reason: str, *, by: str = "") -> Entity:
        """See `Admin.pause`."""
        return await self._call(Entity, "POST", f"{_path(reference)}/pause", body={"reason": reason})

    async def resume(self, reference: str, *, by: str = "") -> Entity:
        """See `Admin.resume`."""
        return await self._call(Entity, "POST", f"{_path(reference)}/resume")

    async def launch(self, launch: Launch, *, by: str = "") -> LaunchReply:
        """See `Admin.launch`. The id is made here, so that the call can be repeated."""
        named = launch if launch.name else msgspec.structs.replace(launch, name=short_id(os.urandom(16)))
        return await self._transfer.referring(
            lambda: self._call(LaunchReply, "POST", "/executions", body=named), values=launch.inputs
        )

    async def relaunch(self, relaunch: Relaunch, *, by: str = "") -> LaunchReply:
        """See `Relaunching.relaunch`. The id is made here, so that the call can be repeated."""
        body = {"entity": relaunch.entity, "name": relaunch.name or short_id(os.urandom(16)), "resume": relaunch.resume}
        path = _again(relaunch, "recover" if relaunch.recover else "relaunch")
        return await self._call(LaunchReply, "POST", path, body=body)

    async def recovery(self, relaunch: Relaunch) -> RecoveryPlan:
        """See `Relaunching.recovery`."""
        path = _again(relaunch, "recovery-plan")
        return await self._call(RecoveryPlan, "POST", path, body={"entity": relaunch.entity})

    async def executions(self, query: ExecutionQuery) -> ExecutionPage:
        """See `Admin.executions`."""
        params = {**asked(query), "labels": _pairs(query.labels), "values": list(query.values)}
        return await self._call(ExecutionPage, "GET", "/executions", params=params)

    async def artifacts(self, query: ArtifactQuery) -> ArtifactPage:
        """See `Artifacts.artifacts`."""
        params = {**asked(query), "partitions": _pairs(query.partitions)}
        return await self._call(ArtifactPage, "GET", "/artifacts", params=params)

    async def artifact(self, reference: str, partitions: dict[str, str] | None = None) -> ArtifactEntry:
        """See `Artifacts.artifact`."""
        params = {"partitions": _pairs(partitions or {})}
        return await self._call(ArtifactEntry, "GET", _path(reference, "artifacts"), params=params)

    async def lineage(self, id: str, *, within: tuple[str, ...] | None = None) -> Lineage:
        """See `Artifacts.lineage`. The server knows who asks."""
        return await self._call(Lineage, "GET", "/lineage", params={"of": id})

    async def notifications(self, query: NotificationQuery) -> NotificationPage:
        """See `Admin.notifications`."""
        return await self._call(NotificationPage, "GET", "/notifications", params=asked(query))

    async def refusals(self, query: RefusalQuery) -> RefusalPage:
        """See `Refusing.refusals`."""
        return await self._call(RefusalPage, "GET", "/refusals", params=asked(query))

    async def projects(self, query: ProjectQuery) -> ProjectPage:
        """See `Surveying.projects`."""
        return await self._call(ProjectPage, "GET", "/projects", params=asked(query))

    async def resend(self, id: str, *, by: str = "") -> NotificationEntry:
        """See `Admin.resend`."""
        return await self._call(NotificationEntry, "POST", f"/notifications/{quote(id, safe='')}/resend")

    async def collect(self, *, dry: bool = False) -> Collected:
        """See `Collecting.collect`: the server collects, which has the home."""
        return await collect(self._api, dry)

    async def create_backfill(self, backfill: Backfill, *, by: str = "") -> BackfillEntry:
        """See `Backfilling.create_backfill`. The id is made here, so that the call can be repeated."""
        named = backfill if backfill.name else msgspec.structs.replace(backfill, name=short_id(os.urandom(16)))
        return await self._transfer.referring(
            lambda: self._call(BackfillEntry, "POST", "/backfills", body=named), values=backfill.inputs
        )

    async def backfill_plan(self, backfill: Backfill) -> BackfillPlan:
        """See `Backfilling.backfill_plan`."""
        return await self._transfer.referring(
            lambda: self._call(BackfillPlan, "POST", "/backfill-plans", body=backfill), values=backfill.inputs
        )

    async def backfill(self, id: str) -> BackfillEntry:
        """See `Backfilling.backfill`."""
        return await self._call(BackfillEntry, "GET", _backfill(id))

    async def backfills(self, query: BackfillQuery) -> BackfillPage:
        """See `Backfilling.backfills`."""
        return await self._call(BackfillPage, "GET", "/backfills", params=asked(query))

    async def pause_backfill(self, id: str, reason: str, *, by: str = "") -> BackfillEntry:
        """See `Backfilling.pause_backfill`."""
        return await self._call(BackfillEntry, "POST", f"{_backfill(id)}/pause", body={"reason": reason})

    async def resume_backfill(self, id: str, *, failed: bool = False, by: str = "") -> BackfillEntry:
        """See `Backfilling.resume_backfill`."""
        return await self._call(BackfillEntry, "POST", f"{_backfill(id)}/resume", body={"failed": failed})

    async def abort_backfill(self, id: str, reason: str, *, by: str = "") -> BackfillEntry:
        """See `Backfilling.abort_backfill`."""
        return await self._call(BackfillEntry, "POST", f"{_backfill(id)}/abort", body={"reason": reason})

    async def _call(self, kind: type[T], method: str, path: str, **given: Any) -> T:
        return self._api.read(kind, await self._api.call(method, path, **given))


def _path(reference: str, what: str = "entities") -> str:
    name, version = parse_reference(reference)
    return f"/{what}/{name}/{quote(version or LATEST, safe='')}"


def _again(relaunch: Relaunch, what: str) -> str:
    return f"/executions/{quote(relaunch.execution, safe='')}/{what}"


def _backfill(id: str) -> str:
    return f"/backfills/{quote(id, safe='')}"


def _pairs(partitions: dict[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in partitions.items()]
