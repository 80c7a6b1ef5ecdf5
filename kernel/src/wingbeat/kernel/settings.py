"""Settings of the kernel itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from wingbeat.engine.rules import Rule
from wingbeat.host.home import Choice


class KernelSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which implementations a kernel uses, by name.

    Attributes:
        journal: Name of the journal.

        executor: Executor of tasks whose spec names none.

        catalog: Name of the catalog; empty takes the only one that is installed, ``none`` none.

        storage: Scheme of the storage that new content goes to.

        environments: Name of what makes the environments of tasks.

        engine: ``local``, or the name of an engine that is somewhere else.

        admin: Name of the admin; empty takes the only one that is installed, where there are several that of the engine's name.

        rules: Executors of some tasks, whatever their spec says: the first rule that fits one wins.
    """

    journal: str = "sqlite"
    executor: str = "process"
    catalog: str = ""
    storage: str = "store"
    environments: str = "uv"
    engine: str = "local"
    admin: str = ""
    rules: tuple[Rule, ...] = ()

    @property
    def of_home(self) -> Choice:
        """What the home itself uses."""
        return Choice(self.storage, self.environments)


class PoolSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Pools, whose slots attempts hold.

    Attributes:
        limits: Slots by the name of the pool, at least one.
    """

    limits: dict[str, Annotated[int, Meta(ge=1)]] = {}


class ProjectSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where commands register and look for what is named without a place.

    Attributes:
        name: The project.

        domain: The domain.
    """

    name: str = "default"
    domain: str = "development"


class RetentionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """For how long a home keeps what is over.

    Attributes:
        days: Days for which executions are kept when they have ended, where their launch plan says nothing else; and entries of
            the catalog and environments (for a week at least), when nobody asks for them. 0: for ever.

        spare_hours: Hours for which content stays after it was last put into storage or looked for, also if nothing refers to it:
            what is uploaded for an execution is there before that.

        every_hours: A kernel that stays open collects so often; 0: never, only when it is asked to.
    """

    days: Annotated[float, Meta(ge=0)] = 90.0
    spare_hours: Annotated[float, Meta(ge=0)] = 24.0
    every_hours: Annotated[float, Meta(ge=0)] = 24.0


OWN: Mapping[str, type[Struct]] = {
    "kernel": KernelSettings,
    "pools": PoolSettings,
    "project": ProjectSettings,
    "retention": RetentionSettings,
}
"""By section of the configuration."""
