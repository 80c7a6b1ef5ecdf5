"""GeoDataFrames as values of Wingbeat."""
