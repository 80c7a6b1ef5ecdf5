"""Spark: chop links into segments of bounded length and linearise them.

A segment is the chord between two cuts of a link, with the length along the road, its bearing and the link's class.
Everything is DataFrame operations; the links stay distributed.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 (the name PySpark's own documentation uses)

from eta_pipeline.constants import EARTH_RADIUS_M

_KEPT = ("way_id", "from_node", "to_node", "road_class", "ramp", "lanes", "speed_kph", "posted", "signal", "stop")


def _haversine(lat_a: Column, lon_a: Column, lat_b: Column, lon_b: Column) -> Column:
    a, b, c, d = (F.radians(v) for v in (lat_a, lon_a, lat_b, lon_b))
    h = F.pow(F.sin((c - a) / 2), F.lit(2.0)) + F.cos(a) * F.cos(c) * F.pow(F.sin((d - b) / 2), F.lit(2.0))
    return F.lit(2 * EARTH_RADIUS_M) * F.asin(F.sqrt(h))


def _bearing(lat_a: Column, lon_a: Column, lat_b: Column, lon_b: Column) -> Column:
    east = (lon_b - lon_a) * F.cos(F.radians((lat_a + lat_b) / 2))
    return F.pmod(F.degrees(F.atan2(east, lat_b - lat_a)) + F.lit(360.0), F.lit(360.0))


def _pieces(links: DataFrame) -> DataFrame:
    """Return the straight pieces between consecutive shape points, with their place along the link in metres."""
    along = Window.partitionBy("link_id").orderBy("i")
    shape = F.arrays_zip("lats", "lons")
    points = links.select("link_id", F.posexplode(shape).alias("i", "p")).select(
        "link_id", "i", F.col("p.lats").alias("lat_a"), F.col("p.lons").alias("lon_a")
    )
    pieces = points.withColumns({"lat_b": F.lead("lat_a").over(along), "lon_b": F.lead("lon_a").over(along)}).where(
        F.col("lat_b").isNotNull()
    )
    metres = _haversine(F.col("lat_a"), F.col("lon_a"), F.col("lat_b"), F.col("lon_b"))
    upto = along.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    whole = Window.partitionBy("link_id")
    return (
        pieces.withColumn("metres", metres)
        .withColumn("end_m", F.sum("metres").over(upto))
        .withColumn("start_m", F.col("end_m") - F.col("metres"))
        .withColumn("link_m", F.max("end_m").over(whole))
        .withColumn("last", F.col("i") == F.max("i").over(whole))
    )


def chop(links: DataFrame, max_length_m: float) -> DataFrame:
    """Return the links' segments, each at most `max_length_m` long along the road, sorted by segment_id.

    Columns: segment_id (0..n-1 by link and place on it), link_id, part, parts, lat_a, lon_a, lat_b, lon_b (degrees),
    length_m, bearing (degrees, clockwise from north), and of the link: way_id, from_node, to_node, road_class, ramp,
    lanes, speed_kph, posted, signal, stop.

    Raises:
        ValueError: the bound is not positive.
    """
    if max_length_m <= 0:
        raise ValueError(f"the bound of a segment's length must be positive, not {max_length_m}")
    pieces = _pieces(links)
    parts = F.greatest(F.lit(1), F.ceil(F.col("link_m") / F.lit(max_length_m)).cast("int"))
    cuts = (
        pieces.where("last")
        .select("link_id", "link_m", parts.alias("parts"))
        .select("link_id", "parts", F.explode(F.sequence(F.lit(0), F.col("parts"))).alias("part"), "link_m")
        .select("link_id", "parts", "part", (F.col("link_m") * F.col("part") / F.col("parts")).alias("at_m"))
    )
    inside = (F.col("start_m") <= F.col("at_m")) & ((F.col("at_m") < F.col("end_m")) | F.col("last"))
    share = F.when(F.col("metres") > 0, (F.col("at_m") - F.col("start_m")) / F.col("metres")).otherwise(0.0)
    placed = cuts.join(pieces, "link_id").where(inside)
    points = placed.groupBy("link_id", "parts", "part").agg(
        F.min_by(F.col("lat_a") + share * (F.col("lat_b") - F.col("lat_a")), "i").alias("lat_a"),
        F.min_by(F.col("lon_a") + share * (F.col("lon_b") - F.col("lon_a")), "i").alias("lon_a"),
        F.first("link_m").alias("link_m"),
    )
    along = Window.partitionBy("link_id").orderBy("part")
    chords = points.withColumns({"lat_b": F.lead("lat_a").over(along), "lon_b": F.lead("lon_a").over(along)}).where(
        F.col("lat_b").isNotNull()
    )
    ends = (F.col("lat_a"), F.col("lon_a"), F.col("lat_b"), F.col("lon_b"))
    numbered = chords.select(
        (F.row_number().over(Window.orderBy("link_id", "part")) - 1).cast("long").alias("segment_id"),
        *("link_id", "part", "parts", "lat_a", "lon_a", "lat_b", "lon_b"),
        (F.col("link_m") / F.col("parts")).alias("length_m"),
        _bearing(*ends).alias("bearing"),
    )
    return (
        numbered.join(F.broadcast(links.select("link_id", *_KEPT)), "link_id")
        .coalesce(1)
        .sortWithinPartitions("segment_id")
    )
