"""Projects and domains: what an `Admin` may list besides: where there is anything.

An admin that does is a `Surveying` too, and passes the kit `wingbeat.testing.conformance.admin_projects.ProjectsContract`. Nobody
creates a project: it is there with the first thing in it, and gone with the last.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from msgspec import Struct


class ProjectEntry(Struct, frozen=True, omit_defaults=True):
    """A domain of a project in which there is something.

    Attributes:
        id: ``project/domain``.

        versions: So many versions of workflows, tasks and launch plans are registered.

        active: So many launch plans have an active version.

        registered_at: When something was registered there last, in epoch seconds; as is

        launched_at: when something was launched there last.
    """

    id: str
    project: str
    domain: str
    versions: int = 0
    active: int = 0
    registered_at: float | None = None
    launched_at: float | None = None


class ProjectQuery(Struct, frozen=True, omit_defaults=True):
    """Which domains of projects are listed, by their names; behind the id `after`, whether it is there or not.

    Attributes:
        within: Places, as ``project/domain`` with ``*`` for every one, outside of which nothing is known. None: everywhere.
    """

    project: str = ""
    domain: str = ""
    after: str = ""
    limit: int = 100
    within: tuple[str, ...] | None = None


class ProjectPage(Struct, frozen=True):
    """A part of a list. `following` continues it, as `after`; empty at its end."""

    items: list[ProjectEntry]
    following: str = ""


@runtime_checkable
class Surveying(Protocol):
    """What an admin can do besides that lists projects."""

    async def projects(self, query: ProjectQuery) -> ProjectPage:
        """Where something is registered, or was launched and is in the history."""


__all__ = ["ProjectEntry", "ProjectPage", "ProjectQuery", "Surveying"]
