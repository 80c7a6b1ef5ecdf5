from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from eta_pipeline.clock import Clock

OFFSET = -7 * 3600
DAYS = [date(2008, 5, d) for d in range(19, 29)]


@pytest.fixture
def data(town: Path) -> Path:
    """A folder of data: a ride every hour of ten days, and positions of one cab."""
    folder, clock = town.parents[1], Clock(OFFSET)
    for part in ("locations", "rides"):
        (folder / part).mkdir()
    starts = []
    for day in DAYS:
        ts = clock.midnight(day) + np.arange(24) * 3600
        starts.append(ts)
        table = pd.DataFrame({"cab_id": "a", "ts": ts, "lat": 60.0, "lon": 25.0, "occupied": 1})
        table.to_csv(folder / "locations" / f"{day}.csv.gz", index=False)
    start = np.concatenate(starts)
    rides = pd.DataFrame({"ride_id": [str(s) for s in start], "cab_id": "a", "start_ts": start, "end_ts": start + 600})
    rides = rides.assign(duration_s=600, start_lat=60.0, start_lon=25.0, end_lat=60.0, end_lon=25.02)
    rides.to_csv(folder / "rides" / "rides.csv.gz", index=False)
    return folder


def _select(data: Path, place: str = "", day: date | None = None, recent: int = 3, **ranges: date):
    from eta_pipeline.selection import Ranges, select

    return select(data, place, day, Ranges(**ranges), recent, "us")


def test_by_default_the_last_fifth_of_the_rides_is_validated_on(data: Path) -> None:
    found = _select(data)
    assert found.clock.utc_offset_s == OFFSET
    assert date(2008, 5, 26) in found.clock.holidays, "Memorial Day"
    assert len(found.validation) == 48
    assert found.training.end_ts.max() <= found.periods.until == found.validation.start_ts.min()
    assert [f.name[:10] for f in found.recent] == [str(d) for d in DAYS[5:8]]
    assert [f.name[:10] for f in found.history] == [str(d) for d in DAYS[:5]]


def test_ranges_are_inclusive_days(data: Path) -> None:
    found = _select(
        data,
        locations_from=date(2008, 5, 20),
        locations_to=date(2008, 5, 23),
        validation_from=date(2008, 5, 25),
        validation_to=date(2008, 5, 26),
    )
    assert len(found.validation) == 48
    assert found.facts.location_days == DAYS[1:5]
    assert found.training.start_ts.min() == found.clock.midnight(date(2008, 5, 20))
    assert found.training.start_ts.max() < found.clock.midnight(date(2008, 5, 24))


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"locations_to": date(2008, 5, 25), "validation_from": date(2008, 5, 25)}, "overlaps"),
        ({"locations_to": date(2008, 5, 27), "validation_from": date(2008, 5, 20)}, "overlaps.* or comes before"),
        ({"locations_from": date(2008, 5, 24), "validation_from": date(2008, 5, 20)}, "has to come after"),
        ({"validation_from": date(2008, 6, 20)}, "no ride starts between"),
        ({"validation_from": date(2008, 5, 26), "validation_to": date(2008, 5, 25)}, "before they start"),
        ({"locations_from": date(2008, 5, 26), "locations_to": date(2008, 5, 25)}, "before they start"),
        ({"validation_from": date(2008, 5, 20)}, "at least two"),
    ],
)
def test_bad_ranges_are_refused(data: Path, ranges: dict[str, date], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _select(data, **ranges)


def test_a_missing_extract_lists_what_is_there(data: Path) -> None:
    with pytest.raises(ValueError, match=r"for oslo; there is: town \(2020-01-02\)"):
        _select(data, place="oslo")
    with pytest.raises(ValueError, match=r"for 2021-01-01; there is: town \(2020-01-02\)"):
        _select(data, day=date(2021, 1, 1))


def test_the_newest_of_a_place_is_taken_and_places_are_not_guessed(data: Path) -> None:
    from eta_pipeline.selection import choose_extract

    for name in ("town-2022-03-04.osm.pbf", "town-2022-03-04.osm.bz2"):
        (data / "osm" / name).write_bytes(b"")
    assert choose_extract(data).file.name == "town-2022-03-04.osm.pbf"
    assert choose_extract(data, "town", date(2020, 1, 2)).file.name == "town-2020-01-02.osm"
    (data / "osm" / "bergen-roads.osm.pbf").write_bytes(b"")
    with pytest.raises(ValueError, match="several places fit.*bergen"):
        choose_extract(data)
    assert choose_extract(data, "bergen").day is None


def test_data_without_rides_or_locations_says_so(data: Path) -> None:
    (data / "rides" / "rides.csv.gz").unlink()
    with pytest.raises(ValueError, match="no rides"):
        _select(data)
    for file in (data / "locations").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match="no vehicle locations"):
        _select(data)


def test_local_time_of_week() -> None:
    clock = Clock(OFFSET, [date(2008, 5, 26)])
    friday = clock.timestamp(datetime(2008, 5, 30, 17, 30))
    assert clock.local(friday) == datetime(2008, 5, 30, 17, 30)
    assert clock.slot([friday])[0] == 24 + 17
    assert clock.hour([friday])[0] == 17.5
    holiday = clock.timestamp(datetime(2008, 5, 26, 1))
    assert clock.day_type([holiday])[0] == 3
    assert clock.bucket([holiday])[0] == 15, "after midnight it is still the last part of the day"
    aware = datetime.fromisoformat("2008-05-30T17:30:00-07:00")
    assert clock.timestamp(aware) == friday
