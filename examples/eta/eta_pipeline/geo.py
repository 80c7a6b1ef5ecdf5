"""Distances and bearings on the WGS 84 sphere, vectorised over numpy arrays (degrees in, metres out)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eta_pipeline.constants import EARTH_RADIUS_M

Array = npt.NDArray[np.float64]

METRES_PER_DEGREE = float(np.pi * EARTH_RADIUS_M / 180.0)


def haversine(lat_a: npt.ArrayLike, lon_a: npt.ArrayLike, lat_b: npt.ArrayLike, lon_b: npt.ArrayLike) -> Array:
    """Return the great-circle distance in metres between points given in degrees (haversine formula)."""
    a, b, c, d = (np.radians(np.asarray(v, dtype=float)) for v in (lat_a, lon_a, lat_b, lon_b))
    h = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(h)), dtype=float)


def manhattan(lat_a: npt.ArrayLike, lon_a: npt.ArrayLike, lat_b: npt.ArrayLike, lon_b: npt.ArrayLike) -> Array:
    """Return the north-south plus east-west distance in metres between points given in degrees."""
    a, b, c, d = (np.asarray(v, dtype=float) for v in (lat_a, lon_a, lat_b, lon_b))
    return np.asarray(METRES_PER_DEGREE * (np.abs(c - a) + np.cos(np.radians(a)) * np.abs(d - b)), dtype=float)


def bearing(lat_a: npt.ArrayLike, lon_a: npt.ArrayLike, lat_b: npt.ArrayLike, lon_b: npt.ArrayLike) -> Array:
    """Return the compass bearing in degrees [0, 360) of the straight way from a to b (flat over a few kilometres)."""
    a, b, c, d = (np.asarray(v, dtype=float) for v in (lat_a, lon_a, lat_b, lon_b))
    east = (d - b) * np.cos(np.radians((a + c) / 2))
    return np.asarray(np.degrees(np.arctan2(east, c - a)) % 360.0, dtype=float)


def turn_angle(bearing_in: npt.ArrayLike, bearing_out: npt.ArrayLike) -> Array:
    """Return the signed change of direction in degrees [-180, 180): negative is left, positive is right."""
    change = np.asarray(bearing_out, dtype=float) - np.asarray(bearing_in, dtype=float)
    return np.asarray((change + 180.0) % 360.0 - 180.0, dtype=float)


class Projection:
    """Metres east and north of an origin, flat; good to a centimetre over a hundred metres in a city."""

    def __init__(self, lat0: float, lon0: float) -> None:
        self.lat0, self.lon0 = float(lat0), float(lon0)
        self._east = METRES_PER_DEGREE * float(np.cos(np.radians(lat0)))

    def xy(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> tuple[Array, Array]:
        """Return (east, north) in metres of points given in degrees."""
        x = (np.asarray(lon, dtype=float) - self.lon0) * self._east
        y = (np.asarray(lat, dtype=float) - self.lat0) * METRES_PER_DEGREE
        return np.asarray(x, dtype=float), np.asarray(y, dtype=float)
