"""The types in the box keep the contract of types."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from wingbeat.testing.conformance.types import TypeContract

COLUMNS = {"a": [1, 2, 3], "b": ["x", None, "z"]}


class TestArrays(TypeContract):
    def hint(self):
        return np.ndarray

    def samples(self):
        return [np.empty((0,)), np.arange(12.0).reshape(3, 4), np.arange(12, dtype="i2")]

    def same(self, one, other):
        return one.dtype == other.dtype and np.array_equal(one, other)


class TestPolars(TypeContract):
    def hint(self):
        return pl.DataFrame

    def samples(self):
        return [pl.DataFrame({"a": pl.Series([], dtype=pl.Int64)}), pl.DataFrame(COLUMNS)]

    def same(self, one, other):
        return one.equals(other)


class TestLazyPolars(TypeContract):
    def hint(self):
        return pl.LazyFrame

    def samples(self):
        return [pl.LazyFrame({"a": pl.Series([], dtype=pl.Int64)}), pl.LazyFrame(COLUMNS)]

    def same(self, one, other):
        return one.collect().equals(other.collect())


class TestPandas(TypeContract):
    def hint(self):
        return pd.DataFrame

    def samples(self):
        return [pd.DataFrame({"a": pd.Series([], dtype="int64")}), pd.DataFrame(COLUMNS)]

    def same(self, one, other):
        return one.equals(other)


class TestArrow(TypeContract):
    def hint(self):
        return pa.Table

    def samples(self):
        return [pa.table({"a": pa.array([], pa.int64())}), pa.table(COLUMNS)]

    def same(self, one, other):
        return one.equals(other)
