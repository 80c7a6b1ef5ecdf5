"""Spark: from what vehicles drove to the pace of every segment at every time of the week, smoothed.

pace(segment, time) = pace(segment) * factor(hour of the day type, the whole city) * deviation(segment, bucket)

Each of the three is a mean of what was seen and what one level up says, weighted by the seconds seen and a constant
number of seconds (an empirical Bayes estimate): a segment leans on its class, a class on the city, an hour on the same
hour of all days, a segment's bucket on the segment. So a few slow passes move little, and a segment nobody drove on has
the pace of its class.

Every row is made once with all days (`without` = NO_FOLD) and once without the days of each fold, so that a ride
can be described by traffic of other days only.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 (the name PySpark's own documentation uses)

from eta_pipeline.clock import BUCKET_STARTS, BUCKETS, SLOTS
from eta_pipeline.constants import FOLDS, NO_FOLD

CLASS_SECONDS = 3_600.0
SEGMENT_SECONDS = 60.0
SLOT_SECONDS = 30_000.0
BUCKET_SECONDS = 240.0
ROUTE_PACE = 0.2
"""Seconds per metre assumed where nothing at all was seen (18 km/h)."""

SURPRISE = 4.0
SURPRISE_SECONDS = 120.0
"""A day's seconds in a cell count up to SURPRISE times what history expects and as many seconds more."""

_NEIGHBOURS = ((-1, 0.5), (0, 1.0), (1, 0.5))


def damp(recent: DataFrame, paces: DataFrame, factors: DataFrame) -> DataFrame:
    """Return recent cells with the seconds beyond what history makes believable cut off (accidents, closures)."""
    expected_pace = paces.where(F.col("without") == NO_FOLD).select("segment_id", "bucket", "pace", "deviation")
    hour = factors.where(F.col("without") == NO_FOLD).select("slot", "factor")
    joined = (
        recent.withColumns({"bucket": _bucket(), "slot": _slot()})
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
    seen = _left_out(cells).cache()
    pace = _segment_pace(seen, segments).cache()
    factors = _factors(seen.join(F.broadcast(pace), ["without", "segment_id"])).cache()
    deviations = _deviations(seen, pace, factors)
    buckets = cells.sparkSession.range(BUCKETS).select(F.col("id").cast("int").alias("bucket"))
    paces = (
        pace.crossJoin(F.broadcast(buckets))
        .join(deviations, ["without", "segment_id", "bucket"], "left")
        .select("without", "segment_id", "bucket", "pace", F.coalesce("deviation", F.lit(1.0)).alias("deviation"))
    )
    return paces.orderBy("without", "segment_id", "bucket"), factors.orderBy("without", "slot")


def _bucket() -> Column:
    """Return the bucket of a cell's day type and hour, as `Clock.bucket` does of a time."""
    part = F.lit(len(BUCKET_STARTS) - 1)
    for i, start in enumerate(BUCKET_STARTS):
        part = F.when(F.col("hour") >= start, i).otherwise(part)
    return (part + F.when(F.col("day_type") >= 2, len(BUCKET_STARTS)).otherwise(0)).cast("int")


def _slot() -> Column:
    return (F.col("day_type") * 24 + F.col("hour")).cast("int")


def _variants() -> Column:
    return F.array(*(F.lit(v) for v in (NO_FOLD, *range(FOLDS))))


def _left_out(cells: DataFrame) -> DataFrame:
    """Return the cells' sums over days: with all of them, and without each fold."""
    by_fold = cells.groupBy(
        "segment_id", _slot().alias("slot"), _bucket().alias("bucket"), (F.col("day") % FOLDS).alias("fold")
    ).agg(F.sum("seconds").alias("seconds"), F.sum("metres").alias("metres"))
    return (
        by_fold.withColumn("without", F.explode(_variants()))
        .where(F.col("without") != F.col("fold"))
        .groupBy("without", "segment_id", "slot", "bucket")
        .agg(F.sum("seconds").alias("seconds"), F.sum("metres").alias("metres"))
    )


def _mean(weight: float, prior: Column) -> Column:
    """Return seconds per metre, drawn to the prior as if `weight` seconds had been driven at it."""
    seconds, metres = (F.coalesce(F.col(c), F.lit(0.0)) for c in ("seconds", "metres"))
    return (seconds + weight) / (metres + F.lit(weight) / prior)


def _segment_pace(seen: DataFrame, segments: DataFrame) -> DataFrame:
    """Return without, segment_id, pace: segment drawn to class, class to city."""
    roads = segments.select("segment_id", "road_class").withColumn("without", F.explode(_variants()))
    sums = (F.sum("seconds").alias("seconds"), F.sum("metres").alias("metres"))
    driven = seen.groupBy("without", "segment_id").agg(*sums)
    known = roads.join(driven, ["without", "segment_id"], "left")
    city = known.groupBy("without").agg((F.sum("seconds") / F.sum("metres")).alias("city_pace"))
    classes = (
        known.groupBy("without", "road_class")
        .agg(*sums)
        .join(city, "without")
        .select(
            *("without", "road_class"),
            _mean(CLASS_SECONDS, F.coalesce("city_pace", F.lit(ROUTE_PACE))).alias("class_pace"),
        )
    )
    return known.join(F.broadcast(classes), ["without", "road_class"]).select(
        "without", "segment_id", _mean(SEGMENT_SECONDS, F.col("class_pace")).alias("pace")
    )


def _factors(seen: DataFrame) -> DataFrame:
    """Return without, slot, factor: each hour with half of its neighbours', drawn to the same hour of all days."""
    spark = seen.sparkSession
    grid = spark.range(SLOTS).select(F.col("id").cast("int").alias("slot")).withColumn("without", F.explode(_variants()))
    by_slot = seen.groupBy("without", "slot").agg(
        F.sum("seconds").alias("seconds"), F.sum(F.col("pace") * F.col("metres")).alias("expected")
    )
    near = F.explode(F.array(*(F.struct(F.lit(d).alias("step"), F.lit(w).alias("weight")) for d, w in _NEIGHBOURS)))
    hour = F.pmod(F.col("slot") + F.col("near.step"), F.lit(24))
    spread = (
        by_slot.withColumn("near", near)
        .withColumn("slot", (F.floor(F.col("slot") / 24) * 24 + hour).cast("int"))
        .groupBy("without", "slot")
        .agg(*(F.sum(F.col(c) * F.col("near.weight")).alias(c) for c in ("seconds", "expected")))
    )
    filled = grid.join(spread, ["without", "slot"], "left").fillna(0.0).withColumn("hour", F.col("slot") % 24)
    any_day = filled.groupBy("without", "hour").agg(
        ((F.sum("seconds") + CLASS_SECONDS) / (F.sum("expected") + CLASS_SECONDS)).alias("usual")
    )
    factor = (F.col("seconds") + SLOT_SECONDS * F.col("usual")) / (F.col("expected") + SLOT_SECONDS)
    return filled.join(F.broadcast(any_day), ["without", "hour"]).select("without", "slot", factor.alias("factor"))


def _deviations(seen: DataFrame, pace: DataFrame, factors: DataFrame) -> DataFrame:
    """Return without, segment_id, bucket, deviation: how a segment differs from the city at that part of the day."""
    joined = seen.join(F.broadcast(pace), ["without", "segment_id"]).join(F.broadcast(factors), ["without", "slot"])
    expected = F.sum(F.col("metres") * F.col("pace") * F.col("factor"))
    return joined.groupBy("without", "segment_id", "bucket").agg(
        ((F.sum("seconds") + BUCKET_SECONDS) / (expected + BUCKET_SECONDS)).alias("deviation")
    )
