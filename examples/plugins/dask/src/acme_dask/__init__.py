"""Attempts of Wingbeat on the workers of a Dask cluster."""
