"""What the kit has to know to test the type: `wingbeat plugins check` runs it, and so do the tests."""

from __future__ import annotations

from geopandas import GeoDataFrame
from geopandas.testing import assert_geodataframe_equal
from shapely import LineString, Point, Polygon

from wingbeat.testing.conformance.types import TypeContract


class TestGeoDataFrame(TypeContract):
    """Some tables, no two of them equal."""

    plugin = "acme_geopandas.plugin"

    def hint(self) -> type:
        """What authors write."""
        return GeoDataFrame

    def samples(self) -> list[GeoDataFrame]:
        """Without rows, without a place, with an index and coordinates of its own."""
        places = {"name": ["Harbour", "Mill"], "visits": [3, 4]}
        return [
            GeoDataFrame({"name": []}, geometry=[], crs=4326),
            GeoDataFrame(places, geometry=[Point(9.98, 53.54), Point(9.99, 53.55)], crs=4326),
            GeoDataFrame(places, geometry=[Point(9.98, 53.54), Point(9.99, 53.55)], crs=3857),
            GeoDataFrame(places, geometry=[LineString([(0, 0), (1, 1)]), Polygon([(0, 0), (1, 0), (1, 1)])]),
            GeoDataFrame(places, geometry=[None, Point()], crs=25832, index=[7, 5]),
        ]

    def same(self, one: GeoDataFrame, other: GeoDataFrame) -> bool:
        """Whether all is equal, coordinates too."""
        try:
            assert_geodataframe_equal(one, other)
        except AssertionError:
            return False
        return bool(one.crs == other.crs)
