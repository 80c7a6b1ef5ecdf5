"""The Spark steps, in local mode: chopping, pairing, matching, smoothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from eta_pipeline.clock import BUCKETS, SLOTS, Clock
from eta_pipeline.constants import FOLDS, NO_FOLD

pytest.importorskip("pyspark", reason="needs examples/eta/requirements.txt")
pytestmark = [
    pytest.mark.spark,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java 17 or later"),
]

CLOCK = Clock(3 * 3600)


@pytest.fixture(scope="module")
def spark() -> Iterator[object]:
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.driver.memory": "1g"}
    session = SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
    yield session
    session.stop()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own, as an attempt is."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def links(town: Path) -> pd.DataFrame:
    from eta_pipeline.roads import find_links

    return find_links(town)


def test_segments_are_bounded_joined_up_and_as_long_as_their_links(spark, links: pd.DataFrame) -> None:
    from eta_pipeline.segments import chop

    found = chop(spark.createDataFrame(links), 100.0).toPandas()
    assert (found.length_m <= 100.0 + 1e-6).all()
    assert list(found.segment_id) == list(range(len(found)))
    assert found.groupby("link_id").length_m.sum().to_numpy() == pytest.approx(links.length_m.to_numpy())
    for _, parts in found.groupby("link_id"):
        assert list(parts.part) == list(range(parts.parts.iloc[0]))
        assert np.allclose(parts.lat_b[:-1], parts.lat_a[1:])
    east = found[(found.from_node == 1) & (found.to_node == 2)]
    assert east.bearing.to_numpy() == pytest.approx(90.0, abs=0.1)
    with pytest.raises(ValueError, match="must be positive"):
        chop(spark.createDataFrame(links), 0.0)


def _segments(spark, links: pd.DataFrame) -> pd.DataFrame:
    from eta_pipeline.segments import chop

    return chop(spark.createDataFrame(links), 1000.0).toPandas()


def test_positions_become_seconds_on_segments_and_none_from_the_cut_on(spark, links, tmp_path: Path) -> None:
    from eta_pipeline.overlay import cells, read_positions

    segments = _segments(spark, links)
    start = CLOCK.timestamp(datetime(2024, 4, 9, 17, 0))
    rows = [("a", start, 60.0, 25.001, 1), ("a", start + 20, 60.0, 25.004, 1), ("a", start + 40, 60.0, 25.0045, 0)]
    rows += [("b", start + 86_400, 60.0, 25.004, 1), ("b", start + 86_420, 60.0, 25.001, 1)]
    rows += [("c", start, 60.0, 25.001, 1), ("c", start + 500, 60.0, 25.004, 1)]  # too far apart in time
    table = pd.DataFrame(rows, columns=["cab_id", "ts", "lat", "lon", "occupied"])
    table.to_csv(tmp_path / "2024-04-09.csv.gz", index=False)
    found = cells(read_positions(spark, tmp_path, start + 86_400), segments, CLOCK).toPandas()
    assert len(found) == 1, "one way only: the other was driven after the cut"
    cell = found.iloc[0]
    assert (cell.day_type, cell.hour, cell.passes) == (0, 17, 1)
    assert cell.seconds == pytest.approx(20.0)
    assert cell.metres == pytest.approx(167, abs=2)
    assert segments.from_node[int(cell.segment_id)] == 1
    both = cells(read_positions(spark, tmp_path, start + 99_999), segments, CLOCK).toPandas()
    assert len(both) == 2
    with pytest.raises(ValueError, match="no vehicle locations"):
        read_positions(spark, tmp_path / "empty", 0)


def _cells(rows: list[tuple[int, int, int, int, float, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["segment_id", "day", "day_type", "hour", "seconds", "metres"])
    return table.astype({"segment_id": "int64", "day": "int64", "day_type": "int32", "hour": "int32"}).assign(passes=1)


def _usual(days: int, segments: int, pace: float = 0.2) -> list[tuple[int, int, int, int, float, float]]:
    return [(s, d, 0, h, pace * 2000, 2000.0) for s in range(segments) for d in range(days) for h in range(24)]


def test_the_layer_is_whole_and_recovers_a_steady_pace(spark, links) -> None:
    from eta_pipeline.network import build
    from eta_pipeline.speeds import smooth
    from eta_pipeline.traffic import Traffic

    segments = _segments(spark, links)
    cells = spark.createDataFrame(_cells(_usual(10, len(segments) - 1)))
    paces, factors = (t.toPandas() for t in smooth(cells, spark.createDataFrame(segments)))
    assert len(paces) == (FOLDS + 1) * len(segments) * BUCKETS
    assert len(factors) == (FOLDS + 1) * SLOTS
    assert paces.pace.to_numpy() == pytest.approx(0.2, rel=1e-6), "the segment nobody drove on leans on its class"
    assert factors.factor.to_numpy() == pytest.approx(1.0, rel=1e-6)
    layer = Traffic.of(paces, factors)
    assert layer.usual_seconds(build(segments)) == pytest.approx(0.2 * segments.length_m.to_numpy())


def test_leaving_a_fold_out_leaves_its_days_out(spark, links) -> None:
    from eta_pipeline.speeds import smooth

    segments = _segments(spark, links)
    slow_fold = 3
    rows = [(*r[:4], r[4] * (3.0 if r[1] % FOLDS == slow_fold else 1.0), r[5]) for r in _usual(10, len(segments))]
    paces, _ = smooth(spark.createDataFrame(_cells(rows)), spark.createDataFrame(segments))
    by_fold = paces.toPandas().groupby("without").pace.mean()
    assert by_fold[slow_fold] == pytest.approx(0.2, rel=1e-6)
    assert (by_fold.drop(slow_fold) > 0.25).all()
    assert by_fold[NO_FOLD] == pytest.approx(0.2 * (4 + 3) / 5, rel=0.01)


def test_one_accident_does_not_raise_every_eta(spark, links) -> None:
    from eta_pipeline.speeds import damp, smooth

    segments = spark.createDataFrame(_segments(spark, links))
    size = segments.count()
    history = spark.createDataFrame(_cells(_usual(7, size)))
    paces, factors = smooth(history, segments)
    usual = [(s, 8, 0, h, 400.0, 2000.0) for s in range(size) for h in range(24)]
    jammed = [(*r[:4], r[4] * 30, r[5]) if r[0] == 0 and r[3] in (17, 18) else r for r in usual]
    recent = damp(spark.createDataFrame(_cells(jammed)), paces, factors)
    assert recent.toPandas().seconds.max() <= 4 * 400 * 1.05 + 120
    after, after_factors = smooth(history.unionByName(recent), segments)
    change = after.toPandas().merge(paces.toPandas(), on=["without", "segment_id", "bucket"])
    change = change[change.without == NO_FOLD].assign(
        ratio=lambda t: t.pace_x * t.deviation_x / t.pace_y / t.deviation_y
    )
    elsewhere = change[change.segment_id != 0]
    assert (elsewhere.ratio - 1).abs().max() < 0.02
    assert change[change.segment_id == 0].ratio.max() < 1.6
    assert (after_factors.toPandas().factor - 1).abs().max() < 0.05
