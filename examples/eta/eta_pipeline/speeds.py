"""Spark: the speeds of segments by time of week, from what vehicles drove.

Everything is made once with all days (`without` = NO_FOLD) and once without the days of each fold, so that a ride can be
described by traffic of other days only. The variants are smoothed side by side on Spark's workers (`smoothing`).
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 (the name PySpark's own documentation uses)

from eta_pipeline.clock import BUCKETS, SLOTS
from eta_pipeline.constants import FOLDS, NO_FOLD
from eta_pipeline.network import ROAD_CLASSES
from eta_pipeline.shipping import send_code
from eta_pipeline.smoothing import bucket_of_slot, smooth_sums

SURPRISE = 4.0
SURPRISE_SECONDS = 120.0
"""A day's seconds in a cell count up to SURPRISE times what history expects and as many seconds more."""

_ROWS = "without int, segment_id long, bucket int, slot int, value double, deviation double"


def damp(recent: DataFrame, paces: DataFrame, factors: DataFrame) -> DataFrame:
    """Return recent cells with the seconds beyond what history makes believable cut off (accidents, closures)."""
    expected_pace = paces.where(F.col("without") == NO_FOLD).select("segment_id", "bucket", "pace", "deviation")
    hour = factors.where(F.col("without") == NO_FOLD).select("slot", "factor")
    bucket = F.element_at(F.array(*(F.lit(int(b)) for b in bucket_of_slot())), _slot() + 1)
    joined = (
        recent.withColumns({"bucket": bucket, "slot": _slot()})
        .join(F.broadcast(expected_pace), ["segment_id", "bucket"])
        .join(F.broadcast(hour), "slot")
    )
    expected = F.col("metres") * F.col("pace") * F.col("deviation") * F.col("factor")
    most = F.lit(SURPRISE) * expected + F.lit(SURPRISE_SECONDS)
    return joined.withColumn("seconds", F.least(F.col("seconds"), most)).select(*recent.columns)


def smooth(cells: DataFrame, segments: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Return (paces, factors) of cells (as `overlay.cells` makes them).

    paces: without, segment_id, bucket, pace (s/m, all hours), deviation (factor).
    factors: without, slot, factor (of the city's pace at that hour; 1 is the week's mean).
    Each has a row for every segment and bucket, or slot, whether anything was seen there or not.
    """
    spark = cells.sparkSession
    send_code(spark)
    roads = segments.select("segment_id", "road_class").toPandas().sort_values("segment_id")
    classes = pd.Categorical(roads.road_class, categories=list(ROAD_CLASSES)).codes.astype(np.int64)
    known = spark.sparkContext.broadcast(classes)

    def one(group: pd.DataFrame) -> pd.DataFrame:
        return _layer(int(group.without.iloc[0]), group, known.value)

    rows = _variants(cells).groupBy("without").applyInPandas(one, _ROWS).repartition(1).cache()
    paces = rows.where("slot < 0").select("without", "segment_id", "bucket", F.col("value").alias("pace"), "deviation")
    factors = rows.where("slot >= 0").select("without", "slot", F.col("value").alias("factor"))
    return paces.sortWithinPartitions("without", "segment_id", "bucket"), factors.sortWithinPartitions(
        "without", "slot"
    )


def _slot() -> Column:
    return (F.col("day_type") * 24 + F.col("hour")).cast("int")


def _variants(cells: DataFrame) -> DataFrame:
    """Return sums by segment and slot, with all days and without each fold's: without, segment_id, slot, and sums."""
    fold = (F.col("day") % FOLDS).cast("int").alias("fold")
    by_fold = cells.groupBy("segment_id", _slot().alias("slot"), fold).agg(
        F.sum("seconds").alias("seconds"), F.sum("metres").alias("metres")
    )
    variants = F.array(*(F.lit(v) for v in (NO_FOLD, *range(FOLDS))))
    kept = by_fold.withColumn("without", F.explode(variants)).where(F.col("without") != F.col("fold"))
    columns = ("without", "segment_id", "slot", "seconds", "metres")
    # A variant that nothing is left of is a layer too: an empty row for each.
    nothing = [(v, 0, 0, 0.0, 0.0) for v in (NO_FOLD, *range(FOLDS))]
    empty = cells.sparkSession.createDataFrame(
        nothing, "without int, segment_id long, slot int, seconds double, metres double"
    )
    return reduce(DataFrame.unionByName, [kept.select(*columns), empty])


def _layer(without: int, sums: pd.DataFrame, classes: np.ndarray) -> pd.DataFrame:
    """Return one variant's rows: those of paces (slot -1), then those of factors (segment and bucket -1)."""
    # Sorted, as sums of floats depend on their order and Spark's is not fixed.
    sums = sums.sort_values(["segment_id", "slot", "seconds", "metres"], kind="stable")
    segment, slot, seconds, metres = (sums[c].to_numpy() for c in ("segment_id", "slot", "seconds", "metres"))
    layer = smooth_sums(segment, slot, seconds, metres, classes)
    size = len(classes)
    paces = pd.DataFrame(
        {
            "segment_id": np.repeat(np.arange(size), BUCKETS),
            "bucket": np.tile(np.arange(BUCKETS), size),
            "slot": -1,
            "value": np.repeat(layer.pace, BUCKETS),
            "deviation": layer.deviation.ravel(),
        }
    )
    factors = pd.DataFrame(
        {"segment_id": -1, "bucket": -1, "slot": np.arange(SLOTS), "value": layer.factor, "deviation": 1.0}
    )
    return pd.concat([paces, factors]).assign(without=without)[[c.split()[0] for c in _ROWS.split(", ")]]
