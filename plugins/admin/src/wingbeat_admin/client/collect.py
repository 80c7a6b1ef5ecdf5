"""A collection by a server: asked for by its engine's client, and by its admin's where the engine is that of the home."""

from __future__ import annotations

from wingbeat.contracts.retention import Collected
from wingbeat_admin.client.api import Api

COLLECT_S_MAX = 3600.0


async def collect(api: Api, dry: bool) -> Collected:
    """See `wingbeat.contracts.retention.Collecting.collect`."""
    body = await api.call("POST", "/engine/collections", body={"dry": dry}, timeout_s=COLLECT_S_MAX)
    return api.read(Collected, body)
