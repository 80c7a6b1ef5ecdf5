"""Places, ``project/domain`` with ``*`` for every one: which are within which. In memory and in SQL, in the same words."""

from __future__ import annotations

from collections.abc import Iterable

from wingbeat.contracts.access import EVERY


def covers(place: str, project: str, domain: str) -> bool:
    """Whether a project and a domain, which may be ``*`` themselves, are all within a place."""
    there, _, here = place.partition("/")
    return there in (EVERY, project) and here in (EVERY, domain)


def is_within(places: Iterable[str] | None, project: str, domain: str) -> bool:
    """Whether they are within one of the places; None is everywhere."""
    return places is None or any(covers(place, project, domain) for place in places)


def clause(places: Iterable[str] | None) -> tuple[str, list[str]]:
    """The same as a condition on the columns `project` and `domain`, and its values."""
    if places is None:
        return "1", []
    conditions, values = [], list[str]()
    for place in places:
        project, _, domain = place.partition("/")
        wanted = [(name, value) for name, value in (("project", project), ("domain", domain)) if value != EVERY]
        if not wanted:
            return "1", []
        conditions.append(" AND ".join(f"{name} = ?" for name, _ in wanted))
        values += [value for _, value in wanted]
    return f"({' OR '.join(conditions)})" if conditions else "0", values
