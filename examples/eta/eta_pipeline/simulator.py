"""A seeded simulator of taxis over real roads: the same folder layout as real data, for a bare clone to run on.

What it makes up, in order:

1. Each road has a speed of its own: its limit times a lognormal factor (sigma 0.2), fixed for the whole period.
2. Congestion by time of week slows every road by its class: peaks on working days at 8:30 and 17, a broad one on
   Saturday afternoons, less on Sundays; nights are fast. Main roads suffer twice as much as side streets.
3. Accidents: three a day, each slows the roads around a place four times, for half an hour to two hours.
4. Waits at half of the signals passed, exponential with a mean of 9 s.
5. A pace of each driver (lognormal, sigma 0.08), noise of each ride (lognormal, sigma 0.12), and 15 to 60 s for
   boarding and paying.
6. Positions every 30 s with an error of 6 m (normal, on each axis), at once when the passenger gets on or off.

Rides take the route that is quickest by the roads' own speeds. A cab without a passenger is silent. Everything is drawn
from one seeded generator: the same seed gives the same bytes.
"""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from eta_pipeline import network as networks
from eta_pipeline.clock import Clock
from eta_pipeline.geo import METRES_PER_DEGREE, Array, bearing, haversine
from eta_pipeline.network import Ints
from eta_pipeline.roads import find_links
from eta_pipeline.routing import Router
from eta_pipeline.sample import NAME, embedded_extract

FIRST_DAY = date(2024, 4, 8)
UTC_OFFSET_S = 3 * 3600
CABS = 60
MIN_RIDE_M = 400.0
REPORT_S = 30

_SUFFERING = np.array([1.0, 1.0, 1.0, 0.9, 0.8, 0.5, 0.5, 0.4])
"""How much each road class suffers from congestion, in the order of `network.ROAD_CLASSES`."""
_DEMAND = np.array([6, 4, 3, 2, 2, 3, 5, 9, 12, 11, 10, 10, 11, 11, 11, 12, 13, 14, 14, 13, 12, 12, 11, 9], dtype=float)
"""Rides by hour of the day, in proportion."""
_NOTE = """SIMULATED. The roads are real (© OpenStreetMap contributors, ODbL 1.0); the vehicles and rides were made up by this
example's simulator, seed {seed}. Nobody drove any of this.
"""


@dataclass(frozen=True)
class Accident:
    """Segments that are slow from `start` to `end` (Unix times)."""

    segments: Ints
    start: int
    end: int


class Simulator:
    """One simulated city: its roads, their own speeds, and the random numbers."""

    def __init__(self, extract: Path, seed: int, days: int, rides_a_day: int) -> None:
        self.random = np.random.default_rng(seed)
        self.network = networks.build(straight_segments(find_links(extract)))
        self.clock = Clock(UTC_OFFSET_S)
        self.days, self.rides_a_day = days, rides_a_day
        self.own_seconds = self.network.free_seconds * self.random.lognormal(0.1, 0.2, self.network.size)

    def plan(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return rides (start_ts, and the coordinates of their paths' ends) and their paths; short ones are dropped."""
        net, count = self.network, self.days * self.rides_a_day
        pick = self.random.choice(net.size, size=(2, count), p=net.length_m / net.length_m.sum())
        lat, lon = self._place(pick, self.random.random((2, count)))
        hour = self.random.choice(24, size=count, p=_DEMAND / _DEMAND.sum())
        second = np.repeat(np.arange(self.days), self.rides_a_day) * 86_400 + hour * 3600
        start = self.clock.midnight(FIRST_DAY) + second + self.random.integers(0, 3600, count)
        rides = pd.DataFrame(
            {"start_ts": start, "start_lat": lat[0], "start_lon": lon[0], "end_lat": lat[1], "end_lon": lon[1]}
        )
        ends = [rides[c] for c in ("start_lat", "start_lon", "end_lat", "end_lon")]
        rides = rides[haversine(*ends) >= MIN_RIDE_M].sort_values("start_ts", kind="stable", ignore_index=True)
        ends = [rides[c].to_numpy() for c in ("start_lat", "start_lon", "end_lat", "end_lon")]
        paths = Router(net, self.own_seconds).paths(*ends)
        by_trip = paths.groupby("trip")
        for end, rows, share in (("start", by_trip.head(1), "begin"), ("end", by_trip.tail(1), "finish")):
            where = self._place(rows.segment.to_numpy(), rows[share].to_numpy())
            rides.loc[rows.trip.to_numpy(), [f"{end}_lat", f"{end}_lon"]] = np.stack(where, axis=1)
        return rides, paths

    def _place(self, segment: Ints, share: Array) -> tuple[Array, Array]:
        table = self.network.segments
        lat_a, lon_a, lat_b, lon_b = (table[c].to_numpy()[segment] for c in ("lat_a", "lon_a", "lat_b", "lon_b"))
        return lat_a + share * (lat_b - lat_a), lon_a + share * (lon_b - lon_a)

    def accidents(self) -> list[Accident]:
        """Return three accidents a day, each on the roads that begin within 60 m of a place."""
        found, net = [], self.network
        for i in range(self.days * 3):
            centre = int(self.random.integers(net.size))
            near = np.hypot(net.ax - net.ax[centre], net.ay - net.ay[centre]) <= 60.0
            start = self.clock.midnight(FIRST_DAY + timedelta(days=i // 3)) + int(self.random.integers(6, 22)) * 3600
            found.append(Accident(np.flatnonzero(near), start, start + int(self.random.integers(1800, 7200))))
        return found

    def drive(self, rides: pd.DataFrame, paths: pd.DataFrame, accidents: list[Accident]) -> Array:
        """Return the seconds that each row of the paths takes (without boarding and paying)."""
        trip, segment = paths.trip.to_numpy(), paths.segment.to_numpy()
        start = rides.start_ts.to_numpy()[trip]
        level = congestion(self.clock, start)
        seconds = (paths.finish - paths.begin).to_numpy() * self.own_seconds[segment]
        seconds = seconds * (1.0 + 1.6 * level * _SUFFERING[self.network.road_class[segment]])
        for accident in accidents:
            hit = (start >= accident.start) & (start < accident.end) & np.isin(segment, accident.segments)
            seconds = np.where(hit, 4.0 * seconds, seconds)
        waits = self.network.segments.signal.to_numpy()[segment] & (self.random.random(len(paths)) < 0.5)
        seconds = seconds + np.where(waits, self.random.exponential(9.0, len(paths)), 0.0)
        driver = self.random.lognormal(0.0, 0.08, CABS)[rides.cab.to_numpy()]
        return np.asarray(seconds * (driver * self.random.lognormal(0.0, 0.12, len(rides)))[trip])

    def positions(self, rides: pd.DataFrame, paths: pd.DataFrame, seconds: Array) -> pd.DataFrame:
        """Return what the cabs report: cab_id, ts, lat, lon, occupied."""
        trip = paths.trip.to_numpy()
        first = np.searchsorted(trip, np.arange(len(rides)))
        total = np.cumsum(seconds)
        before = np.r_[0.0, total][first]
        reports = [np.r_[np.arange(0, d, REPORT_S), d] for d in rides.duration_s.to_numpy()]
        ride = np.repeat(np.arange(len(rides)), [len(r) for r in reports])
        at = np.concatenate(reports)
        driven = np.clip(at - rides.boarding.to_numpy()[ride], 0.0, rides.driving.to_numpy()[ride] - 1e-6)
        row = np.minimum(np.searchsorted(total, before[ride] + driven, side="right"), len(total) - 1)
        share = 1.0 - (total[row] - before[ride] - driven) / np.maximum(seconds[row], 1e-9)
        begin, finish = paths.begin.to_numpy()[row], paths.finish.to_numpy()[row]
        lat, lon = self._place(paths.segment.to_numpy()[row], begin + np.clip(share, 0.0, 1.0) * (finish - begin))
        error = self.random.normal(0.0, 6.0 / METRES_PER_DEGREE, (2, len(at)))
        table = pd.DataFrame(
            {
                "cab_id": rides.cab_id.to_numpy()[ride],
                "ts": rides.start_ts.to_numpy()[ride] + at,
                "lat": (lat + error[0]).round(5),
                "lon": (lon + error[1] / np.cos(np.radians(lat))).round(5),
                "occupied": 1,
            }
        )
        off = table.groupby(ride).tail(1).assign(ts=lambda t: t.ts + 1, occupied=0)
        return pd.concat([table, off]).sort_values(["cab_id", "ts", "occupied"], kind="stable", ignore_index=True)


def congestion(clock: Clock, ts: Ints) -> Array:
    """Return how congested the city is at Unix times: 0 at night, about 1 in a working day's evening peak."""
    hour, kind = clock.hour(ts), clock.day_type(ts)

    def bump(at: float, width: float) -> Array:
        return np.asarray(np.exp(-0.5 * ((hour - at) / width) ** 2))

    work = 0.75 * bump(8.5, 1.2) + bump(17.0, 1.8) + 0.35 * bump(12.5, 2.5)
    off = 0.6 * bump(15.0, 3.0)
    return np.where(kind <= 1, work, np.where(kind == 2, off, 0.6 * off))


def straight_segments(links: pd.DataFrame) -> pd.DataFrame:
    """Return a segment for each link: the simulator needs no bounded length, and no Spark."""
    ends = {f"{c}_{end}": links[f"{c}s"].str[at] for end, at in (("a", 0), ("b", -1)) for c in ("lat", "lon")}
    table = links.drop(columns=["lats", "lons"]).assign(segment_id=links.link_id, part=0, parts=1, **ends)
    return table.assign(bearing=bearing(table.lat_a, table.lon_a, table.lat_b, table.lon_b))


def assign_cabs(start: Ints, busy_s: Ints) -> Ints:
    """Return for each ride (sorted by start) the cab that has been free longest, -1 where all are busy."""
    free = np.zeros(CABS, dtype=np.int64)
    cabs = np.full(len(start), -1, dtype=np.int64)
    for i, (ts, busy) in enumerate(zip(start, busy_s, strict=True)):
        cab = int(free.argmin())
        if free[cab] <= ts:
            cabs[i], free[cab] = cab, ts + busy
    return cabs


def simulate(folder: Path, seed: int, extract: Path | None = None, days: int = 14, rides_a_day: int = 2_000) -> Path:
    """Write simulated data into the folder, laid out as real data, and return it.

    `extract` is an OpenStreetMap file; by default the embedded one.
    """
    source = extract or embedded_extract()
    city = Simulator(source, seed, days, rides_a_day)
    rides, paths = city.plan()
    rides["cab"] = assign_cabs(rides.start_ts.to_numpy(), np.full(len(rides), 1800))
    seconds = city.drive(rides, paths, city.accidents())
    rides["boarding"] = city.random.uniform(10.0, 40.0, len(rides)).round()
    rides["driving"] = np.bincount(paths.trip, weights=seconds, minlength=len(rides))
    paying = city.random.uniform(5.0, 20.0, len(rides))
    rides["duration_s"] = (rides.boarding + rides.driving + paying).round().astype(np.int64)
    rides["end_ts"] = rides.start_ts + rides.duration_s
    rides["cab_id"] = [f"sim{cab:03d}" for cab in rides.cab]
    rides["ride_id"] = rides.start_ts.astype(str) + "-" + rides.cab_id
    positions = city.positions(rides, paths, seconds)
    kept = rides[(rides.cab >= 0) & rides.duration_s.between(120, 1800)].round(5)
    columns = ["ride_id", "cab_id", "start_ts", "end_ts", "duration_s", "start_lat", "start_lon", "end_lat", "end_lon"]
    for part in ("osm", "locations", "rides"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / "osm" / NAME)
    _write(kept[columns], folder / "rides" / "rides.csv.gz")
    for number in range(days):
        day = FIRST_DAY + timedelta(days=number)
        midnight = city.clock.midnight(day)
        of_day = positions[(positions.ts >= midnight) & (positions.ts < midnight + 86_400)]
        _write(of_day[of_day.cab_id.isin(kept.cab_id)], folder / "locations" / f"{day}.csv.gz")
    (folder / "SIMULATED.txt").write_text(_NOTE.format(seed=seed), encoding="utf-8")
    return folder


def _write(table: pd.DataFrame, path: Path) -> None:
    """Write gzipped CSV whose bytes depend on the rows only (no time in the header)."""
    text = table.to_csv(index=False, lineterminator="\n").encode()
    path.write_bytes(gzip.compress(text, compresslevel=6, mtime=0))
