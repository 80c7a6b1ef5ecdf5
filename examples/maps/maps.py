"""The map team: the roads of a city, cut out of an OpenStreetMap extract, looked at, and published for other teams.

Nobody here knows who takes them. See README.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

from wingbeat import Artifact, File, LaunchPlan, task, workflow


@dataclass(frozen=True)
class Survey:
    """What a map holds: ways for vehicles, their length, and signals and stop signs beside or on them."""

    ways: int
    km: float
    signals: int
    stops: int


class Map(NamedTuple):
    """A map and its survey."""

    roads: File
    survey: Survey


@task(cache=True)
def find_extract(osm: File | None) -> File:
    """Return the given extract or, without one, that of central Helsinki which a package of PyPI carries."""
    from map_making.sample import embedded_extract

    return osm or File(embedded_extract())


@task(cache=True)
def cut_roads(extract: File, city: str, day: date) -> File:
    """Keep the ways that are open to vehicles, and their nodes with what is tagged there."""
    from map_making.cutting import cut

    path = Path(f"{city}-roads-{day}.osm.pbf")
    cut(extract.path(), path)
    return File(path)


@task(cache=True)
def survey(roads: File, least_km: float) -> Survey:
    """Count what is there; refuse a map with less road than `least_km`, before anybody drives by it."""
    from map_making.surveying import look

    found = Survey(*look(roads.path()))
    if found.km < least_km:
        raise ValueError(
            f"{found.km:.1f} km of road, and at least {least_km:.1f} km are expected: is the extract cut off?"
        )
    return found


@task
def release(roads: File, surveyed: Survey) -> Map:
    """Return the map once its survey is there: what fails the survey is not published."""
    return Map(roads, surveyed)


@workflow(publishes={"roads": Artifact("roads", partitions={"city": "city", "day": "day"})})
def build(city: str, day: date, osm: File | None = None, least_km: float = 1.0) -> Map:
    """A map of a city.

    Args:
        city: Whose roads they are.
        day: Of which day the map is.
        osm: An OpenStreetMap extract of the city; by default one of central Helsinki.
        least_km: A map with less road is refused.
    """
    roads = cut_roads(extract=find_extract(osm=osm), city=city, day=day)
    return release(roads=roads, surveyed=survey(roads=roads, least_km=least_km))


helsinki = LaunchPlan(
    build,
    name="helsinki",
    inputs={"least_km": 25.0},
    fixed={"city": "helsinki"},
    labels={"team": "maps"},
    doc="A map of Helsinki, of the day that is given.",
)
