"""The table: what every route takes. A route that is not in it is answered by nobody."""

from __future__ import annotations

import enum

from msgspec import Struct

from wingbeat.contracts.access import Role
from wingbeat_admin.server import needs
from wingbeat_admin.server.needs import Needs, anybody, everywhere, of_backfill, of_entity, of_execution, somewhere


class Effect(enum.Enum):
    """What a request changes, and so when it is noted in the audit log."""

    NONE = enum.auto()
    """Only denials are noted."""
    ENGINE = enum.auto()
    """Before it is done."""
    FILE = enum.auto()
    """In the transaction that does it."""


class Rule(Struct, frozen=True):
    """What a route takes.

    Attributes:
        action: As the audit log calls it.

        needs: Finds which roles it takes, and where; None if it takes nothing, not even to be known.
    """

    action: str
    needs: Needs | None
    effect: Effect = Effect.NONE


LAUNCHES = frozenset({"launch", "run", "relaunch", "recover"})
"""Actions that launch something."""
ATTEMPTS = frozenset({
    "me", "openapi", "entity.list", "entity.read", "execution.list", "execution.read", "artifact.list", "artifact.read",
    "lineage.read", "project.list", "content.ask", "content.put", "content.read",
})  # fmt: skip
"""Actions that an attempt may take, by a token of its own, where its role allows it; no others, whatever that is."""
_API = "/api/v1"
_ENTITY = f"{_API}/entities/{{project}}/{{domain}}/{{name}}/{{version}}"
_EXECUTION = f"{_API}/executions/{{execution}}"
_ENGINE = f"{_API}/engine"
_CONTENT = f"{_API}/content"
_BACKFILL = f"{_API}/backfills/{{backfill}}"
_VIEWER, _RUNNER, _DEVELOPER, _ADMIN = Role

TABLE: dict[tuple[str, str], Rule] = {
    ("GET", f"{_API}/health"): Rule("health", None),
    ("GET", f"{_API}/login"): Rule("login.ask", None),
    ("GET", f"{_API}/me"): Rule("me", anybody),
    ("GET", "/api/openapi"): Rule("openapi", anybody),
    ("GET", "/api/openapi/openapi.json"): Rule("openapi", anybody),
    # the inventory
    ("POST", f"{_API}/registrations"): Rule("register", needs.of_registration, Effect.FILE),
    ("GET", f"{_API}/entities"): Rule("entity.list", anybody),
    ("GET", _ENTITY): Rule("entity.read", of_entity(_VIEWER)),
    ("GET", f"{_ENTITY}/definition"): Rule("entity.read", of_entity(_VIEWER)),
    ("GET", f"{_ENTITY}/referrers"): Rule("entity.read", of_entity(_VIEWER)),
    ("GET", f"{_ENTITY}/ticks"): Rule("entity.read", of_entity(_VIEWER)),
    ("POST", f"{_ENTITY}/activate"): Rule("activate", needs.of_activation, Effect.FILE),
    ("POST", f"{_ENTITY}/deactivate"): Rule("deactivate", of_entity(_DEVELOPER), Effect.FILE),
    ("POST", f"{_ENTITY}/pause"): Rule("pause", of_entity(_DEVELOPER), Effect.FILE),
    ("POST", f"{_ENTITY}/resume"): Rule("resume", of_entity(_DEVELOPER), Effect.FILE),
    # executions
    ("POST", f"{_API}/executions"): Rule("launch", needs.of_launch, Effect.ENGINE),
    ("GET", f"{_API}/executions"): Rule("execution.list", anybody),
    ("GET", _EXECUTION): Rule("execution.read", of_execution(_VIEWER)),
    ("GET", f"{_EXECUTION}/closure"): Rule("execution.read", of_execution(_VIEWER)),
    ("GET", f"{_EXECUTION}/wait"): Rule("execution.read", of_execution(_VIEWER)),
    ("GET", f"{_EXECUTION}/events"): Rule("execution.read", of_execution(_VIEWER)),
    ("GET", f"{_EXECUTION}/waiting"): Rule("execution.read", of_execution(_VIEWER)),
    ("GET", f"{_EXECUTION}/cache"): Rule("execution.read", of_execution(_VIEWER)),
    ("GET", f"{_EXECUTION}/files"): Rule("execution.read", of_execution(_VIEWER)),
    ("GET", f"{_EXECUTION}/files/{{folder}}"): Rule("execution.read", of_execution(_VIEWER)),
    ("POST", f"{_EXECUTION}/abort"): Rule("abort", of_execution(_RUNNER), Effect.ENGINE),
    ("POST", f"{_EXECUTION}/signals"): Rule("signal", of_execution(_RUNNER), Effect.ENGINE),
    ("POST", f"{_EXECUTION}/relaunch"): Rule("relaunch", needs.of_relaunch, Effect.ENGINE),
    ("POST", f"{_EXECUTION}/recover"): Rule("recover", needs.of_relaunch, Effect.ENGINE),
    ("POST", f"{_EXECUTION}/recovery-plan"): Rule("execution.read", needs.of_recovery),
    # ranges of a schedule
    ("POST", f"{_API}/backfills"): Rule("backfill.create", needs.of_new_backfill, Effect.FILE),
    ("POST", f"{_API}/backfill-plans"): Rule("backfill.read", needs.of_new_backfill),
    ("GET", f"{_API}/backfills"): Rule("backfill.list", anybody),
    ("GET", _BACKFILL): Rule("backfill.read", of_backfill(_VIEWER)),
    ("POST", f"{_BACKFILL}/pause"): Rule("backfill.pause", of_backfill(_RUNNER), Effect.FILE),
    ("POST", f"{_BACKFILL}/resume"): Rule("backfill.resume", of_backfill(_RUNNER), Effect.FILE),
    ("POST", f"{_BACKFILL}/abort"): Rule("backfill.abort", of_backfill(_RUNNER), Effect.FILE),
    # what executions have published, and who is told of them
    ("GET", f"{_API}/artifacts"): Rule("artifact.list", anybody),
    ("GET", f"{_API}/artifacts/{{project}}/{{domain}}/{{name}}/{{version}}"): Rule("artifact.read", of_entity(_VIEWER)),
    ("GET", f"{_API}/lineage"): Rule("lineage.read", anybody),
    ("GET", f"{_API}/notifications"): Rule("notification.list", anybody),
    ("POST", f"{_API}/notifications/{{notification}}/resend"): Rule("resend", needs.of_notification, Effect.ENGINE),
    ("GET", f"{_API}/refusals"): Rule("refusal.list", anybody),
    ("GET", f"{_API}/projects"): Rule("project.list", anybody),
    # the engine itself
    ("POST", f"{_ENGINE}/launches"): Rule("run", needs.of_engine_launch, Effect.ENGINE),
    ("POST", f"{_ENGINE}/recovery-plans"): Rule("execution.read", needs.of_recovery_plan),
    ("GET", f"{_ENGINE}/executions"): Rule("execution.list", anybody),
    ("GET", f"{_ENGINE}/changes"): Rule("execution.list", anybody),
    ("POST", f"{_ENGINE}/evictions"): Rule("cache.evict", everywhere(_ADMIN), Effect.ENGINE),
    ("POST", f"{_ENGINE}/collections"): Rule("collect", everywhere(_ADMIN), Effect.ENGINE),
    # content
    ("POST", f"{_CONTENT}/missing"): Rule("content.ask", needs.of_new_content),
    ("PUT", f"{_CONTENT}/files/{{digest}}"): Rule("content.put", needs.of_new_content),
    ("PUT", f"{_CONTENT}/trees/{{digest}}"): Rule("content.put", needs.of_new_content),
    ("GET", f"{_CONTENT}/files/{{digest}}"): Rule("content.read", anybody),
    ("GET", f"{_CONTENT}/trees/{{digest}}"): Rule("content.read", anybody),
    # who may do what
    ("GET", f"{_API}/apikeys"): Rule("apikey.list", somewhere(_ADMIN)),
    ("POST", f"{_API}/apikeys"): Rule("apikey.create", needs.of_new_key, Effect.FILE),
    ("DELETE", f"{_API}/apikeys/{{name}}"): Rule("apikey.delete", needs.of_key, Effect.FILE),
    ("GET", f"{_API}/grants"): Rule("grant.list", somewhere(_ADMIN)),
    ("POST", f"{_API}/grants"): Rule("grant.create", needs.of_new_grant, Effect.FILE),
    ("DELETE", f"{_API}/grants"): Rule("grant.delete", needs.of_grant, Effect.FILE),
    ("GET", f"{_API}/audit"): Rule("audit.list", somewhere(_ADMIN)),
    ("GET", f"{_API}/audit/verification"): Rule("audit.verify", everywhere(_ADMIN)),
    # what places may have
    ("GET", f"{_API}/settings"): Rule("setting.list", anybody),
    ("POST", f"{_API}/settings"): Rule("setting.create", needs.of_new_setting, Effect.FILE),
    ("DELETE", f"{_API}/settings"): Rule("setting.delete", needs.of_setting, Effect.FILE),
    ("GET", f"{_API}/settings/{{project}}/{{domain}}"): Rule("setting.read", needs.of_place),
}
"""By method and path. The paths are those of the routes, which a test compares."""
