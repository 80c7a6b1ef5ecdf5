"""Tables, arrays and models: one stored form, whatever library wrote it."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Optional

import pytest

from wingbeat.types import (
    BlobType,
    Columns,
    Directory,
    TableType,
    UnsupportedType,
    ValueMismatch,
    codec,
    compatible,
    describe,
    literal_type,
    register,
)
from wingbeat.types.registry import find, load, register_fallback

ROWS: dict[str, list[Any]] = {
    "id": [1, 2, 3],
    "name": ["a", "☂", "c"],
    "fare": [1.5, -0.25, float("inf")],
    "night": [True, False, True],
    "at": [datetime(2026, 3, 29, h, tzinfo=UTC) for h in (1, 2, 3)],
}
COLUMNS = Columns(id=int, name=str, fare=float, night=bool, at=datetime)


def flavours() -> dict[str, Any]:
    """The frame classes that are installed, each with a frame of the same rows."""
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    return {
        "pandas": (pandas.DataFrame, pandas.DataFrame(ROWS)),
        "polars": (polars.DataFrame, polars.DataFrame(ROWS)),
        "lazy": (polars.LazyFrame, polars.LazyFrame(ROWS)),
        "pyarrow": (pyarrow.Table, pyarrow.table(ROWS)),
    }


def rows_of(frame: Any) -> dict[str, list[Any]]:
    if hasattr(frame, "collect"):
        frame = frame.collect()
    if hasattr(frame, "to_pydict"):
        return frame.to_pydict()
    if hasattr(frame, "to_dicts"):
        return frame.to_dict(as_series=False)
    return {
        name: [x.to_pydatetime() if hasattr(x, "to_pydatetime") else x for x in frame[name].tolist()]
        for name in frame.columns
    }


@pytest.mark.parametrize("src", ["pandas", "polars", "lazy", "pyarrow"])
@pytest.mark.parametrize("dst", ["pandas", "polars", "lazy", "pyarrow"])
def test_any_flavour_reads_what_any_other_wrote(io, src, dst):
    known = flavours()
    (src_class, frame), (dst_class, _) = known[src], known[dst]
    wire = codec(Annotated[src_class, COLUMNS]).encode(frame, io)
    assert compatible(literal_type(Annotated[src_class, COLUMNS]), literal_type(dst_class)) is None
    back = codec(Annotated[dst_class, Columns(id=int)]).decode(wire, io)
    assert type(back) is dst_class
    assert rows_of(back) == ROWS
    assert wire.get("rows") == (None if src == "lazy" else 3)


@pytest.mark.parametrize("flavour", ["pandas", "polars", "lazy", "pyarrow"])
def test_a_directory_of_part_files_is_a_table_too(io, tmp_path, flavour):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parts = tmp_path / "parts"
    parts.mkdir()
    for index in range(3):
        piece = {name: values[index : index + 1] for name, values in ROWS.items()}
        parquet.write_table(pyarrow.table(piece), parts / f"part-0000{index}.snappy.parquet")
    (parts / "_SUCCESS").touch()
    (parts / ".part-00000.crc").write_bytes(b"noise")
    wire = codec(Directory).encode(Directory(parts), io)
    cls, _ = flavours()[flavour]
    assert rows_of(codec(cls).decode(wire, io)) == ROWS


@pytest.mark.parametrize("flavour", ["pandas", "polars", "lazy", "pyarrow"])
def test_folders_that_name_a_column_are_read_as_that_column(io, tmp_path, flavour):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for day in (1, 2):
        folder = tmp_path / "by=day" / "parts" / f"day={day}"
        folder.mkdir(parents=True)
        parquet.write_table(pyarrow.table({"id": [day * 10]}), folder / "part.parquet")
    wire = codec(Directory).encode(Directory(tmp_path / "by=day" / "parts"), io)
    cls, _ = flavours()[flavour]
    found = rows_of(codec(cls).decode(wire, io))
    assert found == {"id": [10, 20], "day": [1, 2]}


def test_a_file_below_a_folder_with_an_equals_sign_gets_no_column_from_it(tmp_path):
    known = flavours()
    for name in known:
        cls, frame = known[name]
        handler = load(find(cls).handler)
        path = tmp_path / "day=5" / name
        path.parent.mkdir(exist_ok=True)
        handler.write(frame, str(path))
        assert list(rows_of(handler.read(str(path), cls))) == list(ROWS)


@pytest.mark.parametrize("flavour", ["pandas", "polars", "lazy", "pyarrow"])
def test_equal_tables_have_equal_digests(io, flavour):
    cls, frame = flavours()[flavour]
    first = codec(cls).encode(frame, io)
    again = codec(cls).encode(codec(cls).decode(first, io), io)
    assert first["digest"] == again["digest"]


def test_how_a_table_is_chunked_is_no_part_of_its_content(io):
    pyarrow = pytest.importorskip("pyarrow")
    polars = pytest.importorskip("polars")
    whole = pyarrow.table({"x": list(range(1000))})
    pieces = pyarrow.concat_tables([whole.slice(0, 10), whole.slice(10)])
    assert codec(pyarrow.Table).encode(whole, io)["digest"] == codec(pyarrow.Table).encode(pieces, io)["digest"]
    frame = polars.DataFrame({"x": range(300_000)})
    joined = polars.concat([frame[:7], frame[7:]], rechunk=False)
    assert codec(polars.DataFrame).encode(frame, io)["digest"] == codec(polars.DataFrame).encode(joined, io)["digest"]


def test_a_pandas_index_is_kept_if_it_has_a_name(io, through):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    named = pandas.DataFrame({"x": [1, 2]}, index=pandas.Index(["a", "b"], name="key"))
    pandas.testing.assert_frame_equal(
        codec(pandas.DataFrame).decode(codec(pandas.DataFrame).encode(named, io), io), named
    )
    filtered = pandas.DataFrame({"x": [1, 2, 3]})[lambda frame: frame.x > 1]
    back = codec(pandas.DataFrame).decode(codec(pandas.DataFrame).encode(filtered, io), io)
    pandas.testing.assert_frame_equal(back, filtered.reset_index(drop=True))


def test_pandas_keeps_its_own_column_types(io):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame(
        {
            "n": pandas.array([1, None], dtype="Int64"),
            "c": pandas.Categorical(["a", "b"]),
            "t": pandas.to_datetime(["2026-01-01", "2026-01-02"]).tz_localize("Europe/Berlin"),
            "d": [date(2026, 1, 1), None],
        }
    )
    hint = Annotated[pandas.DataFrame, Columns(n=int, c=str, t=datetime, d=Optional[date])]
    back = codec(hint).decode(codec(hint).encode(frame, io), io)
    pandas.testing.assert_frame_equal(back, frame)


@pytest.mark.parametrize("flavour", ["pandas", "polars", "lazy", "pyarrow"])
def test_a_table_without_its_columns_is_refused(io, flavour):
    cls, frame = flavours()[flavour]
    with pytest.raises(
        ValueMismatch, match="expected a column 'price' of float; the columns are: id, name, fare, night, at"
    ):
        codec(Annotated[cls, Columns(id=int, price=float)]).encode(frame, io)
    with pytest.raises(ValueMismatch, match=r"\['id'\]: expected a column of str, got one of int"):
        codec(Annotated[cls, Columns(id=str)]).encode(frame, io)
    wire = codec(cls).encode(frame, io)
    with pytest.raises(ValueMismatch, match="expected a column 'price'"):
        codec(Annotated[cls, Columns(price=float)]).decode(wire, io)


def test_the_columns_are_part_of_the_type():
    polars = pytest.importorskip("polars")
    hint = Annotated[polars.DataFrame, Columns({"trip id": int}, name=str | None)]
    assert describe(literal_type(hint)) == "Table[trip id: int, name: str | None]"
    assert literal_type(polars.DataFrame) == TableType()


def test_a_frame_of_another_library_is_a_mismatch(io):
    known = flavours()
    with pytest.raises(ValueMismatch, match=r"expected pandas.DataFrame, got DataFrame"):
        codec(known["pandas"][0]).encode(known["polars"][1], io)
    with pytest.raises(ValueMismatch, match="cannot be stored: a table's columns need distinct names"):
        pandas = pytest.importorskip("pandas")
        codec(pandas.DataFrame).encode(pandas.DataFrame([[1, 2]], columns=["a", "a"]), io)


def test_tables_stand_inside_records(io):
    polars = pytest.importorskip("polars")

    @dataclass
    class Split:
        train: polars.DataFrame
        test: polars.DataFrame | None = None

    value = Split(polars.DataFrame({"x": [1]}))
    back = codec(Split).decode(codec(Split).encode(value, io), io)
    assert back.train.equals(value.train)
    assert back.test is None


def test_arrays_come_back_with_type_and_shape(io):
    numpy = pytest.importorskip("numpy")
    assert literal_type(numpy.ndarray) == BlobType("npy")
    for array in (
        numpy.arange(6).reshape(2, 3),
        numpy.array([1.5, float("nan")], "f4"),
        numpy.array(["a", "☂"]),
        numpy.zeros((0, 3), "?"),
    ):
        back = codec(numpy.ndarray).decode(codec(numpy.ndarray).encode(array, io), io)
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        assert numpy.array_equal(back, array, equal_nan=array.dtype.kind == "f")
    typed = numpy.ndarray[Any, numpy.dtype[numpy.float64]]
    assert codec(typed).decode(codec(typed).encode(numpy.ones(3), io), io).sum() == 3
    with pytest.raises(ValueMismatch, match="holds Python objects, which .npy keeps only as pickle"):
        codec(numpy.ndarray).encode(numpy.array([object()]), io)


def test_xgboost_models_are_kept_in_their_own_format(io):
    xgboost = pytest.importorskip("xgboost")
    numpy = pytest.importorskip("numpy")
    x, y = numpy.arange(40.0).reshape(20, 2), numpy.arange(20.0)
    booster = xgboost.train({"max_depth": 2, "nthread": 1}, xgboost.DMatrix(x, y), 3)
    wire = codec(xgboost.Booster).encode(booster, io)
    again = codec(xgboost.Booster).decode(wire, io)
    assert numpy.array_equal(again.predict(xgboost.DMatrix(x)), booster.predict(xgboost.DMatrix(x)))
    assert codec(xgboost.Booster).encode(again, io)["digest"] == wire["digest"]
    assert wire["name"] == "model.ubj"


def test_xgboost_estimators_come_back_as_their_class(io):
    xgboost = pytest.importorskip("xgboost")
    pytest.importorskip("sklearn")
    numpy = pytest.importorskip("numpy")
    x, y = numpy.arange(40.0).reshape(20, 2), numpy.arange(20.0)
    model = xgboost.XGBRegressor(n_estimators=3, n_jobs=1).fit(x, y)
    back = codec(xgboost.XGBRegressor).decode(codec(xgboost.XGBRegressor).encode(model, io), io)
    assert type(back) is xgboost.XGBRegressor
    assert numpy.array_equal(back.predict(x), model.predict(x))


class Frame:
    """A class that a plugin offers."""

    def __init__(self, text: str) -> None:
        self.text = text


class FrameHandler:
    layout = "directory"

    def write(self, value: Frame, path: str) -> None:
        Path(path).mkdir()
        (Path(path) / "part-0").write_text(value.text)

    def read(self, path: str, hint: Any) -> Frame:
        return hint((Path(path) / "part-0").read_text())


def test_a_plugin_offers_a_class_by_name_when_one_is_unknown(io):
    name = f"{Frame.__module__}.Frame"
    calls = []

    def discover() -> None:
        calls.append(1)
        register([name, f"{name}.alias"], TableType(), f"{Frame.__module__}:FrameHandler")

    with pytest.raises(UnsupportedType, match="install the plugin that offers it"):
        codec(Frame)
    register_fallback(discover)
    assert literal_type(Frame) == TableType()
    sys.modules.setdefault(Frame.__module__, sys.modules[__name__])
    wire = codec(Frame).encode(Frame("hello"), io)
    assert wire["layout"] == "directory"
    assert codec(Frame).decode(wire, io).text == "hello"
    assert calls == [1]
    register(name, TableType(), f"{Frame.__module__}:FrameHandler")
    with pytest.raises(ValueError, match="is already offered by"):
        register(name, TableType(), "elsewhere:Handler")
    shutil.rmtree(io.root / "store")
