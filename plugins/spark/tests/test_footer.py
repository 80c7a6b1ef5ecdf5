"""Footers of Parquet files come out in one order, and stay readable."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wingbeat_spark import footer
from wingbeat_spark.footer import sort_encodings


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "t.parquet"
    columns = {f"c{i}": list(range(i, 1000 + i)) for i in range(20)}
    table = pa.table({**columns, "s": ["x", None] * 500, "l": [[1, 2]] * 1000, "b": [True, False] * 500})
    pq.write_table(table, made, row_group_size=100, write_page_index=True)
    return made


def shuffle(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write every list of encodings backwards, as another JVM might."""
    with monkeypatch.context() as patch:
        patch.setattr(footer, "sorted", lambda items: bytes(reversed(items)), raising=False)
        sort_encodings(path)


def test_whatever_order_they_had_the_bytes_are_the_same(path, monkeypatch):
    table = pq.read_table(path)
    sort_encodings(path)
    first = path.read_bytes()
    shuffle(path, monkeypatch)
    assert path.read_bytes() != first
    assert pq.read_table(path) == table
    sort_encodings(path)
    assert path.read_bytes() == first
    assert pq.read_table(path) == table


def test_doing_it_again_changes_nothing(path):
    sort_encodings(path)
    before = path.stat().st_mtime_ns
    sort_encodings(path)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("data", [b"", b"PAR1", b"no parquet at all", b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1"])
def test_what_is_no_parquet_is_refused(tmp_path, data):
    path = tmp_path / "t.parquet"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"t\.parquet is no Parquet file"):
        sort_encodings(path)
