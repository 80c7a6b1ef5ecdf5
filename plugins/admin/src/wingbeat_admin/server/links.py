"""Which call goes on from the answer of which, as OpenAPI's links say it: for readers, for generators of clients, and for whoever
tries out what becomes of calls in a row."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Link(Struct, frozen=True):
    """How another operation is called with what this one was given and has answered.

    Attributes:
        parameters: By name, values or OpenAPI's runtime expressions: ``$response.body#/id``.

        body: Of the request, likewise.
    """

    parameters: dict[str, str] = {}
    body: dict[str, Any] | None = None


def _of_execution(id: str) -> dict[str, Link]:
    names = ("describe", "closure", "wait", "events", "waiting", "abort", "signal", "relaunch", "recover")
    return {name: Link({"execution": id}) for name in names} | {"lineage": Link({"of": id})}


_SAME = Link({name: f"$request.path.{name}" for name in ("project", "domain", "name", "version")})
_FIRST = "$request.body#/definitions/0/name"
_OF_BACKFILL = ("backfill", "pause_backfill", "resume_backfill", "abort_backfill")
_GRANT = {name: f"$request.body#/{name}" for name in ("principal", "project", "domain")}

LINKS: dict[str, dict[str, Link]] = {
    "register": {
        "entity": Link(
            {
                "project": "$request.body#/project",
                "domain": "$request.body#/domain",
                "name": _FIRST,
                "version": "latest",
            }
        ),
        "launch": Link(body={"entity": "$response.body#/0/id"}),
    },
    "entities": {"launch": Link(body={"entity": "$response.body#/items/0/id"})},
    "entity": dict.fromkeys(("definition", "activate", "ticks", "referrers"), _SAME),
    "activate": dict.fromkeys(("pause", "deactivate", "ticks", "entity"), _SAME),
    "pause": dict.fromkeys(("resume", "pause", "deactivate"), _SAME),
    "launch": _of_execution("$response.body#/id"),
    "relaunch": _of_execution("$response.body#/id"),
    "recover": _of_execution("$response.body#/id"),
    "engine_launch": _of_execution("$response.body#/id"),
    "executions": _of_execution("$response.body#/items/0/id"),
    "engine_executions": {"describe": Link({"execution": "$response.body#/0/id"})},
    "artifacts": {"lineage": Link({"of": "$response.body#/items/0/id"})},
    "notifications": {"resend": Link({"notification": "$response.body#/items/0/id"})},
    "create_backfill": {name: Link({"backfill": "$response.body#/id"}) for name in _OF_BACKFILL},
    "backfills": {"backfill": Link({"backfill": "$response.body#/items/0/id"})},
    "put_file": {"get_file": Link({"digest": "$request.path.digest"})},
    "put_manifest": {"get_tree": Link({"digest": "$request.path.digest"})},
    "create_key": {"delete_key": Link({"name": "$response.body#/name"})},
    "create_grant": {"delete_grant": Link(_GRANT), "grants": Link({"principal": "$request.body#/principal"})},
}
"""By the names of the functions of the routes."""
