from __future__ import annotations

from pathlib import Path

import pytest
from eta_town import TOWN, way, write_osm


def test_links_honour_directions_limits_and_the_largest_part(town: Path) -> None:
    from eta_pipeline.roads import find_links

    links = find_links(town)
    ends = {(a, b) for a, b in zip(links.from_node, links.to_node, strict=True)}
    assert {(1, 2), (2, 1), (2, 3), (3, 2), (2, 4), (4, 2), (6, 4), (4, 6)} <= ends
    assert (1, 6) in ends and (6, 1) not in ends, "one-way"
    assert (5, 3) in ends and (3, 5) not in ends, "one-way against the nodes"
    assert not ends & {(5, 7), (1, 4), (1, 5)}, "dead ends of one-ways, footways and private roads are out"
    speed = {(a, b): s for a, b, s in zip(links.from_node, links.to_node, links.speed_kph, strict=True)}
    assert speed[(1, 2)] == 50.0
    assert speed[(2, 4)] == pytest.approx(25 * 1.609344)
    assert speed[(6, 4)] == 36.0, "by class where no limit is posted"
    assert links.signal.sum() == 3, "links that end at the signals"
    assert list(links.link_id) == list(range(len(links)))


def test_same_links_whatever_the_order_of_ways(town: Path, tmp_path: Path) -> None:
    from eta_pipeline.roads import find_links

    other = write_osm(tmp_path / "other.osm", TOWN[::-1])
    assert find_links(town).equals(find_links(other))


@pytest.mark.parametrize(
    ("text", "kph"),
    [("50", 50.0), ("30 mph", 48.28032), ("80 km/h", 80.0), ("FI:urban", None), (None, None), ("0", None), ("", None)],
)
def test_speeds(text: str | None, kph: float | None) -> None:
    from eta_pipeline.roads import parse_speed

    assert parse_speed(text) == (pytest.approx(kph) if kph else None)


def test_a_roundabout_is_one_way_and_a_motorway_too() -> None:
    from eta_pipeline.roads import parse_way

    for tags in ({"highway": "residential", "junction": "roundabout"}, {"highway": "motorway_link"}):
        found = parse_way(1, (1, 2), tags)
        assert found is not None
        assert (found.forward, found.backward) == (True, False)


def test_a_file_without_roads_says_so(tmp_path: Path) -> None:
    from eta_pipeline.roads import find_links

    with pytest.raises(ValueError, match="no drivable road"):
        find_links(write_osm(tmp_path / "empty.osm", [way(1, [1, 2], highway="footway")]))
