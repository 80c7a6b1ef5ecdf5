"""Settings of places: quotas and defaults of projects and domains: what an admin may keep besides. `places_of` gives it.

A place is a project and a domain; as of grants, ``*`` stands for every one. Of several settings of a name that of the most specific
place holds: of ``eta/production``, then of ``eta/*``, of ``*/production``, of ``*/*``. A quota that holds is one of each project
and domain by itself: what ``*/*`` may, every one of them may. What holds for all calls is what holds for those of
`wingbeat.contracts.admin.Admin`. And:

- *Who*: what is launched through the admin, also by triggers, and what is launched at the engine through a server. Whoever works
  with the files of a home is its owner, and runs there what they want.
- *When*: a launch has the settings of its moment; what is under way goes on with them. A quota of `executions` that was changed
  or deleted holds for those that wait, too, where the engine is an `wingbeat.contracts.engine.Adjusting`: at once, or within a
  minute if a launch was under way or the engine away. Elsewhere, from the next launch in that place on.
- *Counts* are decided in one step: of two launches at once only one has the last place. What a crash leaves takes none.
"""

from __future__ import annotations

from typing import Annotated, Any, Protocol, runtime_checkable

from msgspec import Meta, Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.access import EVERY
from wingbeat.spec.entities import FailurePolicy

SETTINGS_LABEL = "wingbeat/settings"
"""Label of an execution with the settings that it got, JSON: by name, value and source."""
BUILT_IN = "built in"
"""Source of what nobody has said."""
MINUTE_S = 60.0


class PlaceSettings(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """All settings that there are, by name. None is what nobody has said: no quota, no default.

    Attributes:
        executions: Quota: so many executions are under way at once; what comes then is QUEUED. Child executions do not count.

        launches_per_minute: Quota: so many executions are launched in a minute; what comes then raises `LimitReached`, and what a
            trigger launches is launched later.

        versions: Quota: so many versions of workflows, tasks and launch plans are registered; more raise `NoRoom`.

        cpu: Quota: more cores no task may want, or its launch raises `InputError`; where only the call says it, the task fails.

        memory_bytes: Quota: nor more memory.

        pool: Default: of tasks that want none, of launches that name none.

        priority: Default: of launches that name none.

        failure_policy: Default: whether the rest goes on when a node fails; of static workflows that do not say it themselves,
            where their launch plan does not either.

        labels: Default: of executions, where neither launch nor launch plan gives one of the name.

        retention_days: Default: how long executions are kept once they have ended, where their launch plan does not say; 0 for
            ever. Their children have that of their own launch plan.
    """

    executions: Annotated[int, Meta(ge=1, le=10**6)] | None = None
    launches_per_minute: Annotated[int, Meta(ge=1, le=10**4)] | None = None
    versions: Annotated[int, Meta(ge=0, le=10**9)] | None = None
    cpu: Annotated[float, Meta(gt=0, le=10**6)] | None = None
    memory_bytes: Annotated[int, Meta(ge=1, le=2**60)] | None = None
    pool: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    priority: Annotated[int, Meta(ge=-(10**6), le=10**6)] | None = None
    failure_policy: FailurePolicy | None = None
    labels: dict[str, str] | None = None
    retention_days: Annotated[float, Meta(ge=0, le=10**6)] | None = None


class Setting(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What was said of a place: a field of `PlaceSettings`, by its name."""

    name: str
    value: Any
    project: str = EVERY
    domain: str = EVERY


class Said(Struct, frozen=True):
    """A value, and who says it: a place as ``eta/*``, a launch plan as ``eta/production/nightly@v1``, or `BUILT_IN`."""

    value: Any
    source: str


class Settled(Struct, frozen=True):
    """What holds of a setting, and what it stands before, the next first."""

    name: str
    value: Any
    source: str
    over: list[Said] = []


class Places(Protocol):
    """The settings of an admin's places."""

    async def create_setting(self, setting: Setting, *, by: str = "") -> bool:
        """Say it of the place, instead of what was said there; says whether something has changed.

        Raises: `InputError` for a setting or a place that there cannot be, or a value that it does not take; `NoRoom`.
        """

    async def delete_setting(self, name: str, project: str, domain: str, *, by: str = "") -> None:
        """Say nothing of it in that place any more. Raises `NotFound`."""

    async def settings(self, *, within: tuple[str, ...] | None = None) -> list[Setting]:
        """All that was said, by place and name; of places `within` these, ``project/domain`` with ``*`` for every one."""

    async def settled(self, project: str, domain: str, launchplan: str = "") -> list[Settled]:
        """What holds in a place, by name: every setting. With a launch plan, ``name`` or ``name@version``, of what that launches.

        Raises: `InputError` for what is no place; `NotFound` for a launch plan that is not there.
        """


@runtime_checkable
class Governed(Protocol):
    """An admin that keeps settings of places. Its kit is `wingbeat.testing.conformance.admin_places.PlacesContract`."""

    @property
    def places(self) -> Places:
        """These."""


def places_of(admin: object) -> Places:
    """Those of an admin. Raises ConfigurationError where it keeps none."""
    if not isinstance(admin, Governed):
        raise ConfigurationError(
            f"{type(admin).__name__} keeps no settings of places.", hint="wingbeat config show kernel.admin"
        )
    return admin.places
