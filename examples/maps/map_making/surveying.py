"""What a map holds, in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import osmium


class Numbers(NamedTuple):
    """Ways, their length, and nodes with signals and with signs to stop or give way."""

    ways: int
    km: float
    signals: int
    stops: int


def look(roads: Path) -> Numbers:
    """Count the ways of an OpenStreetMap file, and measure them along the ground.

    Raises:
        ValueError: There is no way in it.
    """
    ways, metres, signals, stops = 0, 0.0, 0, 0
    for item in osmium.FileProcessor(str(roads)).with_locations():
        if isinstance(item, osmium.osm.Node):
            signals += item.tags.get("highway") == "traffic_signals"
            stops += item.tags.get("highway") in ("stop", "give_way")
        elif isinstance(item, osmium.osm.Way):
            ways += 1
            metres += osmium.geom.haversine_distance(item.nodes)
    if not ways:
        raise ValueError(f"{roads.name}: no road for vehicles in this OpenStreetMap file")
    return Numbers(ways, metres / 1000.0, signals, stops)
