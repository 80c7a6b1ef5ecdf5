"""Places that a ride goes between."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A place in degrees, WGS 84."""

    lat: float
    lon: float

    def __post_init__(self) -> None:
        """Refuse what is no place on Earth."""
        if not (-90 <= self.lat <= 90 and -180 <= self.lon <= 180):
            raise ValueError(f"no place on Earth: lat {self.lat}, lon {self.lon}")
