"""Choosing what a run uses: the extract by place and date, the days of locations, the rides to train and validate on.

Validation never overlaps what is learned from, nor comes before it: no position and no ride from its first second on
reaches the earlier steps.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar

from eta_pipeline.clock import Clock
from eta_pipeline.facts import Facts
from eta_pipeline.rides import read_rides

DEFAULT_SHARE = 0.8
SIMULATED_NOTE = "SIMULATED.txt"
_EXTRACT = re.compile(r"(?P<place>.+?)(?:[-_](?P<date>\d{4}-\d{2}-\d{2}))?\.osm(?:\.pbf|\.bz2|\.gz)?")
_DAY_FILE = re.compile(r"(\d{4}-\d{2}-\d{2})\.csv(\.gz)?")


@dataclass(frozen=True)
class Extract:
    """An OpenStreetMap file of the data folder: its place, and its date if its name tells one."""

    place: str
    day: date | None
    file: Path

    def __str__(self) -> str:
        """Return how a message names it."""
        return f"{self.place} ({self.day or 'undated'})"


@dataclass(frozen=True)
class Ranges:
    """Inclusive ranges of local days; None: by default."""

    locations_from: date | None = None
    locations_to: date | None = None
    validation_from: date | None = None
    validation_to: date | None = None


@dataclass(frozen=True)
class Periods:
    """Unix times: learning uses [start, until), validation [validation_start, validation_until)."""

    start: int
    until: int
    validation_start: int
    validation_until: int


def list_extracts(data: Path) -> list[Extract]:
    """Return the extracts in the folder's `osm/`; of several forms of one extract the smallest to read (PBF) only."""
    found: dict[tuple[str, date | None], Extract] = {}
    for file in sorted((data / "osm").glob("*"), key=lambda f: (not f.name.endswith(".pbf"), f.name)):
        if extract := name_extract(file):
            found.setdefault((extract.place, extract.day), extract)
    return sorted(found.values(), key=str)


def name_extract(file: Path) -> Extract | None:
    """Return what the name of an OpenStreetMap file says of it; None if it does not look like one."""
    match = _EXTRACT.fullmatch(file.name)
    if not match:
        return None
    day = date.fromisoformat(match["date"]) if match["date"] else None
    return Extract(match["place"].removesuffix("-roads"), day, file)


def choose_extract(data: Path, place: str = "", day: date | None = None) -> Extract:
    """Return the extract of that place and date; without a date the newest, without a place the only one.

    Raises:
        ValueError: there is none, or several places fit; the message lists what is there.
    """
    there = list_extracts(data)
    fit = [e for e in there if (not place or e.place == place) and (day is None or e.day == day)]
    wanted = " ".join(filter(None, [place, day.isoformat() if day else ""])) or "any place"
    listed = ", ".join(map(str, there)) or "none"
    if not fit:
        raise ValueError(f"no OpenStreetMap extract for {wanted}; there is: {listed}")
    if len({e.place for e in fit}) > 1:
        raise ValueError(f"several places fit, choose one with osm_place; there is: {listed}")
    return max(fit, key=lambda e: e.day or date.min)


def location_files(data: Path) -> dict[date, Path]:
    """Return the files of vehicle locations by local day.

    Raises:
        ValueError: there is none.
    """
    files = {}
    for file in sorted((data / "locations").glob("*")):
        if match := _DAY_FILE.fullmatch(file.name):
            files[date.fromisoformat(match[1])] = file
    if not files:
        raise ValueError("no vehicle locations: expected locations/YYYY-MM-DD.csv.gz, one file for each local day")
    return files


def find_offset(files: dict[date, Path]) -> int:
    """Return the city's offset from UTC in seconds, which follows from files of local days.

    No position of a day's file is from before its local midnight, and the earliest of them, over the days, comes soon
    after: the offset is the largest of (midnight UTC - first position), rounded up to half an hour.
    """
    gaps = []
    for day, file in files.items():
        first = int(pd.read_csv(file, usecols=["ts"]).ts.min())
        gaps.append(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) - first)
    return math.ceil(max(gaps) / 1800) * 1800


def find_clock(files: dict[date, Path], calendar: str) -> Clock:
    """Return the city's clock, with the public holidays of the calendar ("us" or "none") in the files' period."""
    days = sorted(files)
    holidays = []
    if calendar == "us":
        found = USFederalHolidayCalendar().holidays(days[0] - timedelta(days=1), days[-1] + timedelta(days=60))
        holidays = [stamp.date() for stamp in found]
    return Clock(find_offset(files), holidays)


def find_periods(ranges: Ranges, start_ts: np.ndarray, files: dict[date, Path], clock: Clock) -> Periods:
    """Return the periods of the ranges; by default the last 20 % of the rides, by time, are validated on.

    `start_ts` are the starts of all rides, sorted.

    Raises:
        ValueError: a range is empty or backwards, the two overlap, or validation comes before the locations.
    """
    for name, low, high in (
        ("locations", ranges.locations_from, ranges.locations_to),
        ("validation", ranges.validation_from, ranges.validation_to),
    ):
        if low and high and high < low:
            raise ValueError(f"the {name} end on {high}, before they start on {low}")
    first, last = min(files), max(files)
    start = clock.midnight(ranges.locations_from or first)
    ends = clock.midnight((ranges.locations_to or last) + timedelta(days=1))
    if ranges.validation_from:
        validation_start = clock.midnight(ranges.validation_from)
    elif ranges.locations_to:
        validation_start = ends
    else:
        split = int(len(start_ts) * DEFAULT_SHARE)
        validation_start = int(start_ts[min(split, len(start_ts) - 1)])
    validation_until = int(start_ts[-1]) + 1
    if ranges.validation_to:
        validation_until = clock.midnight(ranges.validation_to + timedelta(days=1))
    if ranges.locations_to and ends > validation_start:
        raise ValueError(
            f"validation (from {clock.local(validation_start)}) overlaps the locations or comes before them (they are"
            f" wanted up to the end of {ranges.locations_to}): a model may only be validated on what came after"
        )
    until = min(ends, validation_start)
    if start >= until:
        raise ValueError(
            f"nothing to learn from: the locations start on {clock.local(start)}, validation on"
            f" {clock.local(validation_start)}; validation has to come after the locations"
        )
    if not ((start_ts >= validation_start) & (start_ts < validation_until)).any():
        raise ValueError(
            f"no ride starts between {clock.local(validation_start)} and {clock.local(validation_until)};"
            f" there are rides from {clock.local(int(start_ts[0]))} to {clock.local(int(start_ts[-1]))}"
        )
    return Periods(start, until, validation_start, validation_until)


def training_rides(rides: pd.DataFrame, periods: Periods) -> pd.DataFrame:
    """Return the rides to learn from: those that started and had ended before validation starts."""
    inside = (rides.start_ts >= periods.start) & (rides.start_ts < periods.until)
    return rides[inside & (rides.end_ts <= periods.validation_start)].reset_index(drop=True)


def validation_rides(rides: pd.DataFrame, periods: Periods) -> pd.DataFrame:
    """Return the rides to validate on."""
    inside = (rides.start_ts >= periods.validation_start) & (rides.start_ts < periods.validation_until)
    return rides[inside].reset_index(drop=True)


def split_days(days: list[date], recent_days: int) -> tuple[list[date], list[date]]:
    """Return (history, recent): the last `recent_days` are recent, but at most half of all.

    Raises:
        ValueError: `recent_days` is not positive, or there are fewer than two days.
    """
    if recent_days < 1:
        raise ValueError(f"recent_days must be at least 1, not {recent_days}")
    if len(days) < 2:
        raise ValueError(f"{len(days)} day of locations before validation; at least two are needed")
    recent = max(1, min(recent_days, len(days) // 2))
    return days[:-recent], days[-recent:]


@dataclass(frozen=True)
class Selection:
    """All that a run uses."""

    extract: Extract
    clock: Clock
    periods: Periods
    history: list[Path]
    recent: list[Path]
    training: pd.DataFrame
    validation: pd.DataFrame
    facts: Facts


def select(
    data: Path,
    place: str,
    day: date | None,
    ranges: Ranges,
    recent_days: int,
    holiday_calendar: str,
    roads: Path | None = None,
) -> Selection:
    """Return what a run on the data folder uses; with `roads`, that extract in place of the folder's.

    Raises:
        ValueError: the folder lacks something, or the ranges overlap; the message says what there is.
    """
    if roads is None:
        extract = choose_extract(data, place, day)
    elif (named := name_extract(roads)) is not None:
        extract = named
    else:
        raise ValueError(f"{roads.name} is not named like an OpenStreetMap extract: PLACE[-YYYY-MM-DD].osm.pbf")
    files = location_files(data)
    rides = read_rides(sorted((data / "rides").glob("*.csv*")))
    clock = find_clock(files, holiday_calendar)
    periods = find_periods(ranges, rides.start_ts.to_numpy(), files, clock)
    days = [d for d in sorted(files) if periods.start <= clock.midnight(d) < periods.until]
    history, recent = split_days(days, recent_days)
    facts = Facts(
        place=extract.place,
        extract_date=str(extract.day or "undated"),
        simulated=(data / SIMULATED_NOTE).is_file(),
        learned_from=clock.local(periods.start),
        learned_until=clock.local(periods.until),
        validated_from=clock.local(periods.validation_start),
        validated_until=clock.local(periods.validation_until),
        location_days=days,
    )
    return Selection(
        extract,
        clock,
        periods,
        [files[d] for d in history],
        [files[d] for d in recent],
        training_rides(rides, periods),
        validation_rides(rides, periods),
        facts,
    )


@dataclass(frozen=True)
class Dealt:
    """All days of positions of a folder."""

    history: list[Path]
    recent: list[Path]
    until: int
    clock: Clock


def deal_days(data: Path, recent_days: int, holiday_calendar: str) -> Dealt:
    """Return all days of positions, up to the end of the last one.

    Raises:
        ValueError: there are fewer than two days.
    """
    files = location_files(data)
    clock = find_clock(files, holiday_calendar)
    days = sorted(files)
    history, recent = split_days(days, recent_days)
    until = clock.midnight(days[-1] + timedelta(days=1))
    return Dealt([files[d] for d in history], [files[d] for d in recent], until, clock)
