"""Local time of week: what day and hour a time is in the data's city, and the coarse buckets of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from eta_pipeline.constants import FOLDS

Ints = npt.NDArray[np.int64]

DAY_TYPES = ("Monday to Thursday", "Friday", "Saturday", "Sunday and holidays")
SLOTS = len(DAY_TYPES) * 24
"""A slot is a day type and an hour: day_type * 24 + hour."""

BUCKET_STARTS = (2, 6, 7, 10, 12, 16, 19, 22)
"""Hours at which the parts of a day start; before the first it is still the last part (of the late evening)."""
BUCKETS = 2 * len(BUCKET_STARTS)
"""A bucket is a part of a working day or of a day off: part + 8 on Saturdays, Sundays and holidays."""

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Clock:
    """The city's clock: a constant offset from UTC over the data's period, and its public holidays."""

    utc_offset_s: int
    holidays: list[date] = field(default_factory=list)

    def day(self, ts: npt.ArrayLike) -> Ints:
        """Return the local day's number (days since 1970-01-01) of Unix times."""
        return np.asarray((np.asarray(ts, dtype=np.int64) + self.utc_offset_s) // 86_400, dtype=np.int64)

    def hour(self, ts: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the local hour with its fraction, [0, 24)."""
        seconds = (np.asarray(ts, dtype=np.int64) + self.utc_offset_s) % 86_400
        return np.asarray(seconds / 3600.0, dtype=np.float64)

    def day_type(self, ts: npt.ArrayLike) -> Ints:
        """Return the place in DAY_TYPES of the local day."""
        day = self.day(ts)
        weekday = (day + 3) % 7  # 1970-01-01 was a Thursday
        off = np.isin(day, [(holiday - _EPOCH).days for holiday in self.holidays])
        return np.where(off, 3, np.where(weekday < 4, 0, weekday - 3)).astype(np.int64)

    def slot(self, ts: npt.ArrayLike) -> Ints:
        """Return the slot, 0 .. SLOTS - 1."""
        return np.asarray(self.day_type(ts) * 24 + np.floor(self.hour(ts)).astype(np.int64), dtype=np.int64)

    def bucket(self, ts: npt.ArrayLike) -> Ints:
        """Return the bucket, 0 .. BUCKETS - 1."""
        part = (np.digitize(self.hour(ts), BUCKET_STARTS) - 1) % len(BUCKET_STARTS)
        return np.asarray(part + len(BUCKET_STARTS) * (self.day_type(ts) >= 2), dtype=np.int64)

    def fold(self, ts: npt.ArrayLike) -> Ints:
        """Return the fold that the local day is dealt to."""
        return np.asarray(self.day(ts) % FOLDS, dtype=np.int64)

    def timestamp(self, at: datetime) -> int:
        """Return the Unix time of a time; one without a zone is the city's local time."""
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC) - timedelta(seconds=self.utc_offset_s)
        return int(at.timestamp())

    def midnight(self, day: date) -> int:
        """Return the Unix time at which the local day starts."""
        return (day - _EPOCH).days * 86_400 - self.utc_offset_s

    def local(self, ts: int) -> datetime:
        """Return the local time, without a zone."""
        return datetime.fromtimestamp(ts + self.utc_offset_s, UTC).replace(tzinfo=None)
