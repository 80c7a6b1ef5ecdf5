"""Cutting and surveying a hand-made town, and Helsinki; and what is published."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MAPS = Path(__file__).parents[1] / "maps.py"
NODES = """
  <node id="1" lat="60.000" lon="25.000"/>
  <node id="2" lat="60.000" lon="25.010"><tag k="highway" v="traffic_signals"/></node>
  <node id="3" lat="60.000" lon="25.020"><tag k="highway" v="give_way"/></node>
  <node id="4" lat="60.001" lon="25.000"><tag k="amenity" v="bench"/></node>
"""


def way(number: int, nodes: list[int], **tags: str) -> str:
    refs = "".join(f'<nd ref="{n}"/>' for n in nodes)
    return f'<way id="{number}">{refs}' + "".join(f'<tag k="{k}" v="{v}"/>' for k, v in tags.items()) + "</way>"


WAYS = [
    way(10, [1, 2, 3], highway="primary", maxspeed="50"),
    way(11, [1, 4], highway="footway"),
    way(12, [3, 1], highway="residential", access="private"),
    way(13, [3, 99], highway="primary"),  # leads out of the extract
    way(14, [1, 2, 3, 1], highway="service", area="yes"),
    way(15, [1, 4], building="yes"),
]


@pytest.fixture
def town(tmp_path: Path) -> Path:
    file = tmp_path / "town.osm"
    file.write_text(f'<osm version="0.6">{NODES}{"".join(WAYS)}</osm>')
    return file


def test_roads_for_vehicles_are_kept_with_their_nodes_and_tags_and_nothing_else(town: Path, tmp_path: Path) -> None:
    import osmium
    from map_making.cutting import cut

    cut(town, tmp_path / "roads.osm.pbf")
    found = [
        (type(item).__name__, item.id, dict(item.tags))
        for item in osmium.FileProcessor(str(tmp_path / "roads.osm.pbf"))
    ]
    ways = {id: tags for kind, id, tags in found if kind == "Way"}
    nodes = {id: tags for kind, id, tags in found if kind == "Node"}
    assert ways == {
        10: {"highway": "primary", "maxspeed": "50"},
        12: {"highway": "residential", "access": "private"},
    }
    assert nodes == {1: {}, 2: {"highway": "traffic_signals"}, 3: {"highway": "give_way"}}
    cut(town, tmp_path / "again.osm.pbf")
    assert (tmp_path / "roads.osm.pbf").read_bytes() == (tmp_path / "again.osm.pbf").read_bytes()


def test_a_survey_measures_along_the_ground(town: Path, tmp_path: Path) -> None:
    from map_making.cutting import cut
    from map_making.surveying import look

    cut(town, tmp_path / "roads.osm.pbf")
    found = look(tmp_path / "roads.osm.pbf")
    assert (found.ways, found.signals, found.stops) == (2, 1, 1)
    assert found.km == pytest.approx(2 * 1.112, abs=0.01), (
        "0.02 degrees of longitude at 60 degrees north, there and back"
    )


def test_a_map_without_roads_is_none(tmp_path: Path) -> None:
    from map_making.surveying import look

    (tmp_path / "empty.osm").write_text(f'<osm version="0.6">{NODES}</osm>')
    with pytest.raises(ValueError, match="no road for vehicles"):
        look(tmp_path / "empty.osm")


class Shell:
    def __init__(self, home: Path) -> None:
        without = {name: value for name, value in os.environ.items() if not name.startswith("WINGBEAT_")}
        self.environment = {**without, "WINGBEAT_HOME": str(home)}

    def __call__(self, *line: str, status: int = 0) -> dict[str, Any]:
        command = [str(Path(sys.executable).with_name("wingbeat")), *line, "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=110)
        assert done.returncode == status, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.mark.timeout(300)
def test_a_map_of_helsinki_is_published_and_one_that_fails_its_survey_is_not(town: Path, tmp_path: Path) -> None:
    shell = Shell(tmp_path / "home")
    shell("register", str(MAPS), "-p", "maps", "-d", "production", "--version", "v1")
    made = shell("launch", "maps/production/helsinki", "--day", "2026-11-02", "--name", "good", "--wait")["outputs"]
    assert made["survey"]["km"] == pytest.approx(32.3, abs=0.1)
    assert Path(made["roads"]).name == "helsinki-roads-2026-11-02.osm.pbf"
    line = ["--day", "2026-11-03", "--osm", str(town), "--name", "cut-off", "--wait"]
    failed = shell("launch", "maps/production/helsinki", *line, status=1)
    assert "at least 25.0 km are expected" in json.dumps(failed)
    (artifact,) = shell("get", "artifacts")["items"]
    assert artifact["id"] == "maps/production/roads@good"
    assert artifact["partitions"] == {"city": "helsinki", "day": "2026-11-02"}
