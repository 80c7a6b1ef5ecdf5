"""Rides: reading them, and telling the clean ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from eta_pipeline.geo import haversine

COLUMNS = ("ride_id", "cab_id", "start_ts", "end_ts", "duration_s", "start_lat", "start_lon", "end_lat", "end_lon")
PLACES = ("start_lat", "start_lon", "end_lat", "end_lon")

MIN_CLEAN_METRES = 300.0
MIN_CLEAN_SPEED, MAX_CLEAN_SPEED = 1.0, 25.0


def read_rides(files: list[Path]) -> pd.DataFrame:
    """Return the rides of the CSV files (gzipped or not), sorted by start, then id.

    Raises:
        ValueError: there is no file, or one lacks a column.
    """
    if not files:
        raise ValueError("no rides: expected rides/*.csv.gz")
    tables = []
    for file in files:
        table = pd.read_csv(file)
        if missing := [c for c in COLUMNS if c not in table.columns]:
            raise ValueError(f"{file.name}: no column {', '.join(missing)}; a file of rides has {', '.join(COLUMNS)}")
        tables.append(table[list(COLUMNS)].astype({"ride_id": str, "cab_id": str}))
    return pd.concat(tables).sort_values(["start_ts", "ride_id"], kind="stable", ignore_index=True)


def straight_metres(rides: pd.DataFrame) -> np.ndarray:
    """Return the straight-line metres between the ends of each ride."""
    return haversine(*(rides[c] for c in PLACES))


def is_clean(rides: pd.DataFrame) -> np.ndarray:
    """Return which rides are no round trips, waits or noise: ends 300 m apart or more, 1 to 25 m/s on the straight."""
    metres = straight_metres(rides)
    speed = metres / rides.duration_s.to_numpy(dtype=float)
    return np.asarray((metres >= MIN_CLEAN_METRES) & (speed >= MIN_CLEAN_SPEED) & (speed <= MAX_CLEAN_SPEED))
