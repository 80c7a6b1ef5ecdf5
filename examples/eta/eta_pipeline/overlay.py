"""Spark: lay vehicle positions over the segments: how long vehicles spent on each, by day and hour.

The positions stay in Spark: they are paired with window functions, matched in `mapInPandas` on the workers, and summed.
Only the segments (a city's roads) go through the driver, to be broadcast.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 (the name PySpark's own documentation uses)

from eta_pipeline.clock import Clock
from eta_pipeline.shipping import send_code

_POSITIONS = "cab_id string, ts long, lat double, lon double, occupied int"
_MATCHED = "segment_id long, day long, day_type int, hour int, seconds double, metres double"
_LONGEST_GAP_S = 120


def read_positions(spark: SparkSession, folder: Path, until: int) -> DataFrame:
    """Return the positions before Unix time `until` in the folder's CSV files.

    Raises:
        ValueError: the folder holds no file of positions.
    """
    files = sorted(str(file) for file in folder.glob("*.csv*"))
    if not files:
        raise ValueError(f"no vehicle locations (*.csv.gz) in {folder.name or 'the folder'}")
    return spark.read.csv(files, schema=_POSITIONS, header=True, mode="FAILFAST").where(F.col("ts") < until)


def pair_positions(positions: DataFrame) -> DataFrame:
    """Return consecutive positions of each vehicle with a passenger in it: ts, seconds, lat_a, lon_a, lat_b, lon_b."""
    track = Window.partitionBy("cab_id").orderBy("ts", "lat", "lon")
    ahead = {f"{c}_b": F.lead(c).over(track) for c in ("ts", "lat", "lon", "occupied")}
    pairs = positions.withColumns(ahead).where("occupied = 1 and occupied_b = 1")
    return pairs.select(
        "ts",
        (F.col("ts_b") - F.col("ts")).cast("double").alias("seconds"),
        *(F.col(c).alias(f"{c}_a") for c in ("lat", "lon")),
        *("lat_b", "lon_b"),
    ).where(F.col("seconds").between(1, _LONGEST_GAP_S))


def cells(positions: DataFrame, segments: pd.DataFrame, clock: Clock) -> DataFrame:
    """Return what vehicles drove: segment_id, day, day_type, hour, and the sums of seconds, metres and passes."""
    spark = positions.sparkSession
    send_code(spark)
    known = spark.sparkContext.broadcast(segments)

    def match(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from eta_pipeline import matching, network

        matcher = None
        for batch in batches:
            if matcher is None:  # made late: an empty partition costs nothing
                matcher = matching.Matcher(network.build(known.value))
            yield _place_in_week(matcher.match(batch), batch, known.value, clock)

    matched = pair_positions(positions).mapInPandas(match, _MATCHED)
    # Rounded and sorted, as sums of floats depend on an order that Spark does not fix: the same input, the same bytes.
    sums = (F.round(F.sum(c), 3).alias(c) for c in ("seconds", "metres"))
    key = ("segment_id", "day", "day_type", "hour")
    return matched.groupBy(*key).agg(*sums, F.count("*").alias("passes")).coalesce(1).sortWithinPartitions(*key)


def _place_in_week(matched: pd.DataFrame, pairs: pd.DataFrame, segments: pd.DataFrame, clock: Clock) -> pd.DataFrame:
    """Return a batch of matches with metres and local time."""
    ts = pairs.ts.to_numpy()[matched.pair.to_numpy()]
    length = segments.length_m.to_numpy()
    return pd.DataFrame(
        {
            "segment_id": matched.segment_id,
            "day": clock.day(ts),
            "day_type": clock.day_type(ts).astype("int32"),
            "hour": clock.hour(ts).astype("int32"),
            "seconds": matched.seconds,
            "metres": matched.share.to_numpy() * length[matched.segment_id.to_numpy()],
        }
    )
