"""A small hand-made town."""

from __future__ import annotations

from pathlib import Path

NODES = """
  <node id="1" lat="60.0000" lon="25.0000"/>
  <node id="2" lat="60.0000" lon="25.0050"><tag k="highway" v="traffic_signals"/></node>
  <node id="3" lat="60.0000" lon="25.0100"/>
  <node id="4" lat="60.0020" lon="25.0050"/>
  <node id="5" lat="60.0020" lon="25.0100"/>
  <node id="6" lat="60.0020" lon="25.0000"/>
  <node id="7" lat="60.0100" lon="25.0100"/>
"""


def way(number: int, nodes: list[int], **tags: str) -> str:
    refs = "".join(f'<nd ref="{n}"/>' for n in nodes)
    return f'<way id="{number}">{refs}' + "".join(f'<tag k="{k}" v="{v}"/>' for k, v in tags.items()) + "</way>"


TOWN = [
    way(10, [1, 2, 3], highway="primary", maxspeed="50", name="Main"),
    way(11, [6, 4, 5], highway="residential"),
    way(12, [1, 6], highway="residential", oneway="yes"),
    way(13, [2, 4], highway="secondary", maxspeed="25 mph"),
    way(14, [3, 5], highway="tertiary", oneway="-1"),
    way(15, [5, 7], highway="residential", oneway="yes"),  # leads out and never back
    way(16, [1, 4], highway="footway"),
    way(17, [1, 5], highway="residential", access="private"),
]


def write_osm(path: Path, ways: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<osm version="0.6">{NODES}{"".join(ways)}</osm>')
    return path
