from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _simulate(folder: Path, town: Path, seed: int) -> Path:
    from eta_pipeline.simulator import simulate

    return simulate(folder, seed, extract=town, days=3, rides_a_day=900)


def test_the_same_seed_gives_the_same_bytes(town: Path, tmp_path: Path) -> None:
    first, second = (_digests(_simulate(tmp_path / name, town, 7)) for name in ("a", "b"))
    assert first == second
    other = _digests(_simulate(tmp_path / "c", town, 8))
    assert first["rides/rides.csv.gz"] != other["rides/rides.csv.gz"]


def test_the_folder_is_laid_out_as_real_data_and_labelled(town: Path, tmp_path: Path) -> None:
    from eta_pipeline.rides import COLUMNS, straight_metres
    from eta_pipeline.selection import Ranges, select

    folder = _simulate(tmp_path / "data", town, 7)
    rides = pd.read_csv(folder / "rides" / "rides.csv.gz")
    assert tuple(rides.columns) == COLUMNS
    assert (rides.end_ts - rides.start_ts == rides.duration_s).all()
    assert rides.ride_id.is_unique
    assert (straight_metres(rides) >= 150).all()
    found = select(folder, "", None, Ranges(), 7, "none")
    assert found.facts.simulated
    assert found.clock.utc_offset_s == 3 * 3600
    assert len(found.facts.location_days) >= 2


def test_positions_lie_on_the_way_of_a_ride(town: Path, tmp_path: Path) -> None:
    from eta_pipeline.geo import haversine

    folder = _simulate(tmp_path / "data", town, 7)
    rides = pd.read_csv(folder / "rides" / "rides.csv.gz")
    where = pd.concat([pd.read_csv(f) for f in sorted((folder / "locations").iterdir())])
    for ride in rides.head(20).itertuples():
        own = where[
            (where.cab_id == ride.cab_id) & where.ts.between(ride.start_ts, ride.end_ts) & (where.occupied == 1)
        ]
        first, last = own.iloc[0], own.iloc[-1]
        assert float(haversine(first.lat, first.lon, ride.start_lat, ride.start_lon)) < 40
        assert float(haversine(last.lat, last.lon, ride.end_lat, ride.end_lon)) < 40


def test_congestion_peaks_on_working_days_and_spares_the_night() -> None:
    from datetime import datetime

    from eta_pipeline.clock import Clock
    from eta_pipeline.simulator import congestion

    clock = Clock(3 * 3600)
    at = [datetime(2024, 4, 9, 17), datetime(2024, 4, 9, 3), datetime(2024, 4, 13, 15), datetime(2024, 4, 14, 15)]
    peak, night, saturday, sunday = congestion(clock, np.array([clock.timestamp(t) for t in at]))
    assert peak > 1.0 > saturday > sunday > 0.3
    assert night < 0.01


def test_a_cab_drives_one_ride_at_a_time() -> None:
    from eta_pipeline.simulator import CABS, assign_cabs

    start = np.sort(np.random.default_rng(3).integers(0, 20_000, 800))
    cabs = assign_cabs(start, np.full(800, 1800))
    for cab in range(CABS):
        assert (np.diff(start[cabs == cab]) >= 1800).all()


def test_without_the_embedded_extract_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from eta_pipeline import sample

    monkeypatch.setattr(sample, "PACKAGE", "no-such-package-of-roads")
    with pytest.raises(FileNotFoundError, match="install the example's requirements, or give data of your own"):
        sample.embedded_extract()
