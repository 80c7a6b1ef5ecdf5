"""Files and directories: lazy, and known by their content."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

from wingbeat.builtin.filestore import FileStore
from wingbeat.runtime.storageio import StorageIO
from wingbeat.types import (
    BlobType,
    Columns,
    Directory,
    File,
    FileType,
    Format,
    HashWith,
    Pickle,
    UnsupportedType,
    ValueMismatch,
    codec,
    describe,
    literal_type,
)


def test_a_file_is_stored_by_its_content_and_opened_where_it_arrives(io, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("note.txt").write_text("naïve ☂", encoding="utf-8")
    wire = codec(File).encode(File(Path("note.txt")), io)
    assert wire.keys() == {"uri", "digest", "size", "name", "layout"}
    back = codec(File).decode(wire, io)
    assert (back.name, back.size, back.digest) == ("note.txt", 10, wire["digest"])
    assert io.fetches == 0, "nothing is fetched before someone looks"
    with back.open("r") as file:
        assert file.read() == "naïve ☂"
    assert back.path().read_text(encoding="utf-8") == Path(os.fspath(back)).read_text(encoding="utf-8") == "naïve ☂"
    assert io.fetches == 1, "fetched once"


def test_a_file_that_is_passed_on_is_not_stored_again(io, tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    wire = codec(File).encode(File(tmp_path / "a"), io)
    assert codec(File).encode(codec(File).decode(wire, io), io) == wire
    assert io.puts == 1


def test_a_local_file_knows_itself_before_it_is_stored(io, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = File("a.bin")
    with file.open("wb") as out:
        out.write(b"abc")
    monkeypatch.chdir("/")
    assert (file.name, file.size, file.path()) == ("a.bin", 3, tmp_path / "a.bin")
    stored = codec(File).decode(codec(File).encode(file, io), io)
    assert stored == file
    assert stored.digest == file.digest == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_stored_file_is_only_read(io, tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    back = codec(File).decode(codec(File).encode(File(tmp_path / "a"), io), io)
    for mode in ("w", "a", "r+", "wb", "x"):
        with pytest.raises(ValueError, match="a is stored and cannot change"):
            back.open(mode)


def test_a_directory_is_known_by_its_names_and_contents_alone(io, tmp_path):
    for root in ("one", "two"):
        (tmp_path / root / "sub").mkdir(parents=True)
        (tmp_path / root / "sub" / "a.bin").write_bytes(b"a" * 1000)
        (tmp_path / root / "b.txt").write_text("b")
    os.utime(tmp_path / "two" / "b.txt", (1, 1))
    one, two = (codec(Directory).encode(Directory(tmp_path / root), io) for root in ("one", "two"))
    assert one["digest"] == two["digest"]
    assert (one["size"], one["layout"]) == (1001, "directory")
    back = codec(Directory).decode(one, io)
    assert sorted(p.relative_to(back.path()).as_posix() for p in back.path().rglob("*") if p.is_file()) == [
        "b.txt",
        "sub/a.bin",
    ]
    (tmp_path / "two" / "b.txt").rename(tmp_path / "two" / "c.txt")
    assert codec(Directory).encode(Directory(tmp_path / "two"), io)["digest"] != one["digest"]


def test_the_format_is_part_of_the_type():
    hint = Annotated[File, "rides", Format("csv")]
    assert literal_type(hint) == FileType("csv")
    assert describe(literal_type(list[hint])) == "list[File[csv]]"
    with pytest.raises(UnsupportedType, match=r"Format\('csv'\) does not belong to int"):
        codec(Annotated[int, Format("csv")])
    with pytest.raises(UnsupportedType, match="Columns belongs to tables, not to File"):
        codec(Annotated[File, Columns(id=int)])


def test_a_path_to_nothing_or_to_the_other_kind_is_a_mismatch_at_its_place(io, tmp_path):
    with pytest.raises(ValueMismatch, match=r"\[0\]: expected a file, but there is nothing at /"):
        codec(list[File]).encode([File(tmp_path / "none")], io)
    with pytest.raises(ValueMismatch, match="expected a file, but .* is a directory"):
        codec(File).encode(File(tmp_path), io)
    with pytest.raises(ValueMismatch, match="expected File, got str 'a.csv'"):
        codec(File).encode("a.csv", io)
    with pytest.raises(ValueMismatch, match="expected File, got PosixPath"):
        codec(File).encode(tmp_path, io)


@pytest.mark.parametrize(
    "wire", [5, {}, {"uri": 1}, {"uri": "u", "digest": "d", "size": 1, "name": "n", "layout": "directory"}]
)
def test_a_wire_value_that_is_no_file_is_refused(io, wire):
    with pytest.raises(ValueMismatch, match="expected File"):
        codec(File).decode(wire, io)


class Opaque:
    """A class of the author that the engine knows nothing about."""

    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and other.x == self.x

    def __hash__(self) -> int:
        return self.x


@dataclass
class Model:
    weights: Annotated[Opaque, Pickle]
    anything: Annotated[Any, Pickle]
    note: str = ""


def test_pickle_is_used_where_it_is_asked_for_by_name_and_nowhere_else(io, through):
    assert literal_type(Annotated[Opaque, Pickle]) == BlobType("pickle")
    value = Model(Opaque(5), {1, "a"})
    assert through(Model, value, io) == value
    with pytest.raises(UnsupportedType, match=r"or ask for pickle by name: Annotated\[Opaque, Pickle\]"):
        codec(Opaque)
    with pytest.raises(ValueMismatch, match="Opaque, got int 5"):
        codec(Annotated[Opaque, Pickle]).encode(5, io)


def test_the_hash_of_the_author_stays_with_the_content(io):
    one = codec(Annotated[Opaque, Pickle, HashWith(lambda value: f"x={value.x}")])
    wire = one.encode(Opaque(5), io)
    assert wire["hash"] == "x=5"
    assert one.decode(wire, io) == codec(Annotated[Opaque, Pickle]).decode(wire, io) == Opaque(5)


def test_a_file_as_a_default_is_made_by_the_class_and_is_no_part_of_the_type(io, tmp_path):
    default = File(tmp_path / "a.csv")

    @dataclass
    class Config:
        table: File = default

    (tmp_path / "a.csv").write_text("1")
    assert literal_type(Config).fields[0].optional
    assert codec(Config).decode({}, io).table.name == "a.csv"


def test_a_pipe_and_a_link_out_of_a_directory_are_mismatches_that_name_them(tmp_path):
    kept = StorageIO(FileStore(str(tmp_path / "store")), str(tmp_path / "scratch"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueMismatch, match=r"expected a file: .*/pipe is a pipe, not a regular file"):
        codec(File).encode(File(tmp_path / "pipe"), kept)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "out").symlink_to(__file__)
    with pytest.raises(ValueMismatch, match=r"expected a directory: .*/tree/out: the link leads out"):
        codec(Directory).encode(Directory(tmp_path / "tree"), kept)
