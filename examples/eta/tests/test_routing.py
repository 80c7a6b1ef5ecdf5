from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def network(town: Path):
    from eta_pipeline.network import build
    from eta_pipeline.roads import find_links
    from eta_pipeline.simulator import straight_segments

    return build(straight_segments(find_links(town)))


def _one(*values: float) -> list[np.ndarray]:
    return [np.array([v]) for v in values]


def test_a_route_is_as_long_as_the_way_driven(network) -> None:
    from eta_pipeline.geo import haversine
    from eta_pipeline.routing import Router

    routes = Router(network, network.free_seconds).routes(*_one(60.0, 25.001, 60.0, 25.008))
    assert routes.found.all()
    metres = float((routes.matrix @ network.length_m)[0])
    assert metres == pytest.approx(float(haversine(60.0, 25.001, 60.0, 25.008)), rel=1e-3)


def test_a_one_way_is_not_driven_backwards(network) -> None:
    from eta_pipeline.routing import Router

    up = Router(network, network.free_seconds).routes(*_one(60.0, 25.0001, 60.002, 25.0001))
    down = Router(network, network.free_seconds).routes(*_one(60.002, 25.0001, 60.0, 25.0001))
    assert (down.matrix @ network.length_m)[0] > 2 * (up.matrix @ network.length_m)[0]


def test_off_the_roads_there_is_no_route(network) -> None:
    from eta_pipeline.routing import Router

    routes = Router(network, network.free_seconds).routes(*_one(60.2, 25.0, 60.0, 25.008))
    assert not routes.found.any()
    assert routes.matrix.nnz == 0


def test_paths_are_in_driving_order_and_sum_to_the_routes(network) -> None:
    from eta_pipeline.routing import Router

    random = np.random.default_rng(1)
    ends = [random.uniform(low, high, 40) for low, high in ((60, 60.002), (25, 25.01), (60, 60.002), (25, 25.01))]
    router = Router(network, network.free_seconds)
    paths, routes = router.paths(*ends), router.routes(*ends)
    summed = np.bincount(paths.trip, weights=(paths.finish - paths.begin) * network.length_m[paths.segment])
    assert summed == pytest.approx((routes.matrix @ network.length_m)[: len(summed)])
    arcs = set(zip(network.arc_from, network.arc_to, strict=True))
    for _, path in paths.groupby("trip"):
        assert all(pair in arcs for pair in zip(path.segment, path.segment[1:], strict=False))


def test_two_positions_are_matched_to_the_road_and_the_direction(network) -> None:
    from eta_pipeline.matching import Matcher

    pairs = pd.DataFrame(
        {
            "seconds": [20.0, 20.0, 20.0, 5.0],
            "lat_a": [60.00003, 60.00003, 60.1, 60.0],
            "lon_a": [25.001, 25.004, 25.0, 25.001],
            "lat_b": [59.99997, 59.99997, 60.1, 60.0],
            "lon_b": [25.004, 25.001, 25.002, 25.004],
        }
    )
    found = Matcher(network).match(pairs)
    ends = network.segments.set_index("segment_id")[["from_node", "to_node"]]
    driven = {int(p): tuple(ends.loc[s]) for p, s in zip(found.pair, found.segment_id, strict=True)}
    assert driven == {0: (1, 2), 1: (2, 1)}, "eastwards, westwards; off the roads and too short in time are left out"
    assert found.seconds.to_numpy() == pytest.approx([20.0, 20.0])
    assert found.share.to_numpy() == pytest.approx([0.6, 0.6], abs=0.01)


def test_seconds_are_shared_out_over_the_way(network) -> None:
    from eta_pipeline.matching import Matcher

    pairs = pd.DataFrame({"seconds": [60.0], "lat_a": [60.0], "lon_a": [25.001], "lat_b": [60.0015], "lon_b": [25.005]})
    found = Matcher(network).match(pairs)
    assert len(found) == 2
    assert found.seconds.sum() == pytest.approx(60.0)
    expected = found.share * network.free_seconds[found.segment_id]
    assert (found.seconds / expected).to_numpy() == pytest.approx([60 / expected.sum()] * 2)
