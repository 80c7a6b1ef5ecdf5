"""Cutting the roads out of an extract: an OpenStreetMap file in, a smaller one out.

What is kept is what the wiki's page on `highway` calls roads for motor vehicles. Which of them a router uses, and how fast, is for
those who make the router to say: tags stay as they are.
"""

from __future__ import annotations

from pathlib import Path

import osmium

NO_ROADS = frozenset(
    (
        *("bridleway", "bus_guideway", "bus_stop", "construction", "corridor", "cycleway", "elevator", "escape"),
        *("footway", "path", "pedestrian", "platform", "proposed", "raceway", "rest_area", "services", "steps"),
        *("track", "via_ferrata"),
    )
)
"""Values of `highway` that are no road for vehicles, or not yet."""


def is_road(tags: osmium.osm.TagList) -> bool:
    """Whether a way is a road for vehicles; a private one is."""
    highway = tags.get("highway")
    return highway is not None and highway not in NO_ROADS and tags.get("area") != "yes"


def cut(extract: Path, into: Path) -> None:
    """Write the roads of an extract, with all nodes that they go through and their tags.

    A way that leads out of the extract is left out: nobody could drive along it to its end.
    """
    ways = osmium.FileProcessor(str(extract), osmium.osm.NODE | osmium.osm.WAY).with_locations()
    ways.with_filter(osmium.filter.EntityFilter(osmium.osm.WAY))
    with osmium.BackReferenceWriter(str(into), ref_src=str(extract), overwrite=True, remove_tags=False) as out:
        for way in ways:
            if is_road(way.tags) and all(node.location.valid() for node in way.nodes):
                out.add(way)
