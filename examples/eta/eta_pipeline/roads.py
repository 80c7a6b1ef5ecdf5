"""From an OpenStreetMap file to the drivable road network.

The unit is the *link*: a directed stretch of one way from a junction to the next. A junction is a node where drivable
ways meet, cross or end. One-ways and speed limits are honoured; turn restrictions are not read.
Source of the tags' meaning: the OpenStreetMap wiki's pages on `highway`, `oneway`, `maxspeed` and `access`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import osmium
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from eta_pipeline.geo import haversine

FREE_FLOW_KPH: Mapping[str, float] = {
    "motorway": 90.0,
    "trunk": 65.0,
    "primary": 48.0,
    "secondary": 45.0,
    "tertiary": 40.0,
    "unclassified": 38.0,
    "residential": 36.0,
    "living_street": 15.0,
}
"""Drivable classes and the speed assumed where no limit is posted, km/h (city streets). A `_link` counts as its class."""

MPH_IN_KPH = 1.609344
_CLOSED = frozenset({"no", "private"})
_YES = frozenset({"yes", "true", "1"})


@dataclass(frozen=True)
class Way:
    """One drivable OSM way: its class without `_link`, limit in km/h (None: not posted), and directions open."""

    way_id: int
    nodes: tuple[int, ...]
    road_class: str
    ramp: bool
    limit_kph: float | None
    forward: bool
    backward: bool
    lanes: int
    name: str


def parse_speed(text: str | None) -> float | None:
    """Return the km/h of a `maxspeed` value such as "50" or "25 mph"; None if absent, symbolic or nonsense."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(mph|km/h|kph)?\s*", text or "")
    if not match or float(match[1]) <= 0:
        return None
    return float(match[1]) * (MPH_IN_KPH if match[2] == "mph" else 1.0)


def parse_way(way_id: int, nodes: tuple[int, ...], tags: Mapping[str, str]) -> Way | None:
    """Return the drivable way that the tags describe, or None if cars may not use it."""
    highway = tags.get("highway", "")
    road_class = highway.removesuffix("_link")
    if road_class not in FREE_FLOW_KPH or tags.get("area") == "yes":
        return None
    access = tags.get("motorcar", tags.get("motor_vehicle", tags.get("vehicle", tags.get("access", "yes"))))
    nodes = tuple(n for i, n in enumerate(nodes) if i == 0 or n != nodes[i - 1])
    if access in _CLOSED or len(nodes) < 2:
        return None
    oneway = tags.get("oneway", "")
    implied = tags.get("junction") in ("roundabout", "circular") or highway.startswith("motorway")
    single = oneway in _YES or (implied and oneway != "no")
    lanes = tags.get("lanes", "")
    return Way(
        way_id=way_id,
        nodes=nodes,
        road_class=road_class,
        ramp=highway.endswith("_link"),
        limit_kph=parse_speed(tags.get("maxspeed")),
        forward=oneway not in ("-1", "reverse"),
        backward=oneway in ("-1", "reverse") or not single,
        lanes=int(lanes) if lanes.isdecimal() else 0,
        name=tags.get("name", ""),
    )


def read_osm(path: Path) -> tuple[list[Way], dict[int, tuple[float, float]], set[int], set[int]]:
    """Return the drivable ways, the (lat, lon) of their nodes, and the ids of nodes with signals and with stop signs.

    Raises:
        ValueError: the file holds no drivable way.
    """
    ways: list[Way] = []
    places: dict[int, tuple[float, float]] = {}
    signals: set[int] = set()
    stops: set[int] = set()
    for item in osmium.FileProcessor(str(path), osmium.osm.NODE | osmium.osm.WAY):
        tags = {tag.k: tag.v for tag in item.tags}
        if isinstance(item, osmium.osm.Node):
            places[item.id] = (item.location.lat, item.location.lon)
            if tags.get("highway") == "traffic_signals" or tags.get("crossing") == "traffic_signals":
                signals.add(item.id)
            elif tags.get("highway") in ("stop", "give_way"):
                stops.add(item.id)
        elif isinstance(item, osmium.osm.Way) and (way := parse_way(item.id, tuple(n.ref for n in item.nodes), tags)):
            ways.append(way)
    ways = [way for way in ways if all(node in places for node in way.nodes)]
    if not ways:
        raise ValueError(f"{path.name}: no drivable road in this OpenStreetMap file")
    return ways, places, signals, stops


def _stretches(way: Way, junctions: set[int]) -> Iterator[tuple[int, ...]]:
    """Yield the way's runs of nodes from junction to junction."""
    start = 0
    for i in range(1, len(way.nodes)):
        if way.nodes[i] in junctions or i == len(way.nodes) - 1:
            yield way.nodes[start : i + 1]
            start = i


def find_links(path: Path) -> pd.DataFrame:
    """Return the directed links of the drivable network's largest strongly connected part.

    Columns: link_id (0..n-1), way_id, reverse (against the way's nodes), from_node, to_node, road_class, ramp, lanes
    (0: not tagged), name, speed_kph (posted, else by class), posted, signal and stop (one on the link after its first
    node), length_m, lats, lons (lists of degrees along the link). Sorted by way, place on it, direction.
    """
    ways, places, signals, stops = read_osm(path)
    uses = Counter(node for way in ways for node in set(way.nodes))
    junctions = {node for node, count in uses.items() if count > 1}
    junctions |= {end for way in ways for end in (way.nodes[0], way.nodes[-1])}
    rows: list[dict[str, object]] = []
    for way in sorted(ways, key=lambda w: w.way_id):
        for nodes in _stretches(way, junctions):
            for reverse, is_open in ((False, way.forward), (True, way.backward)):
                if is_open:
                    rows.append(_link(way, nodes[::-1] if reverse else nodes, reverse, places, signals, stops))
    links = pd.DataFrame(rows)
    links = links[_largest_part(links)].reset_index(drop=True)
    links.insert(0, "link_id", np.arange(len(links), dtype=np.int64))
    return links


def _link(
    way: Way,
    nodes: tuple[int, ...],
    reverse: bool,
    places: Mapping[int, tuple[float, float]],
    signals: set[int],
    stops: set[int],
) -> dict[str, object]:
    lats, lons = ([places[node][axis] for node in nodes] for axis in (0, 1))
    passed = set(nodes[1:])
    return {
        "way_id": way.way_id,
        "reverse": reverse,
        "from_node": nodes[0],
        "to_node": nodes[-1],
        "road_class": way.road_class,
        "ramp": way.ramp,
        "lanes": way.lanes,
        "name": way.name,
        "speed_kph": way.limit_kph or FREE_FLOW_KPH[way.road_class],
        "posted": way.limit_kph is not None,
        "signal": bool(passed & signals),
        "stop": bool(passed & stops),
        "length_m": float(haversine(lats[:-1], lons[:-1], lats[1:], lons[1:]).sum()),
        "lats": lats,
        "lons": lons,
    }


def _largest_part(links: pd.DataFrame) -> pd.Series:
    """Return which links have both ends in the largest strongly connected component (ties: the one found first)."""
    nodes, index = np.unique(np.concatenate([links.from_node, links.to_node]), return_inverse=True)
    start, end = np.split(index, 2)
    graph = coo_matrix((np.ones(len(links)), (start, end)), shape=(len(nodes), len(nodes)))
    _, part = connected_components(graph, directed=True, connection="strong")
    largest = int(np.bincount(part).argmax())
    return pd.Series((part[start] == largest) & (part[end] == largest), index=links.index)
