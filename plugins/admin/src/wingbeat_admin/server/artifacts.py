"""The routes of artifacts, where the admin keeps any."""

from __future__ import annotations

from litestar.params import FromQuery

from wingbeat.base.errors import NotFound
from wingbeat.contracts.admin import Admin
from wingbeat.contracts.artifacts import ArtifactEntry, ArtifactPage, ArtifactQuery, Artifacts, Lineage
from wingbeat_admin.server.bodies import reference_of
from wingbeat_admin.server.dependencies import Limit, Part, TheAdmin, TheCaller, get
from wingbeat_admin.server.filters import pairs


@get("/artifacts")
async def artifacts(
    admin: TheAdmin,
    caller: TheCaller,
    project: FromQuery[str] = "",
    domain: FromQuery[str] = "",
    name: FromQuery[str] = "",
    partitions: FromQuery[list[str] | None] = None,
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> ArtifactPage:
    """Artifacts, the newest first; `partitions` are `key=value`, as many as are wanted."""
    query = ArtifactQuery(project, domain, name, pairs(partitions), after, limit, caller.places())
    return await _keeping(admin).artifacts(query)


@get("/artifacts/{project:str}/{domain:str}/{name:str}/{version:str}")
async def artifact(
    admin: TheAdmin,
    project: Part,
    domain: Part,
    name: Part,
    version: Part,
    partitions: FromQuery[list[str] | None] = None,
) -> ArtifactEntry:
    """One version, named by its execution; `latest` stands for the newest one."""
    return await _keeping(admin).artifact(reference_of(project, domain, name, version), pairs(partitions))


@get("/lineage")
async def lineage(admin: TheAdmin, caller: TheCaller, of: FromQuery[str]) -> Lineage:
    """Where an execution, or an artifact, comes from, and what came of it; as far as the caller may look."""
    return await _keeping(admin).lineage(of, within=caller.places())


def _keeping(admin: Admin) -> Artifacts:
    if not isinstance(admin, Artifacts):
        raise NotFound("This server keeps no artifacts.")
    return admin
