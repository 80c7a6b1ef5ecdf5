"""What a run used, as its report says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True)
class Facts:
    """What the report says of the data."""

    place: str
    extract_date: str
    simulated: bool
    learned_from: datetime
    learned_until: datetime
    validated_from: datetime
    validated_until: datetime
    location_days: list[date] = field(default_factory=list)
