"""What several modules must agree on. Imports nothing, so that Spark's driver and its workers share it cheaply."""

from __future__ import annotations

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the Earth (IUGG), metres."""

FOLDS = 5
"""Days are dealt to folds by day number; a training ride is described without its own fold's traffic and rides."""

NO_FOLD = -1
"""In place of a fold: nothing was left out."""
