"""Parquet footers in one order, so that equal tables give equal bytes.

Parquet's Java writer lists the encodings of a column in the order of a hash set of objects, which differs from one JVM to
the next. This sorts each of these lists in place; nothing moves, and readers take them as a set. The footer is Thrift in
its compact protocol.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

MAGIC = b"PAR1"

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)

_Walk: TypeAlias = Callable[[bytearray, int], int]
"""Goes over one value that begins at a position, and says where it ends."""


def sort_encodings(path: str | os.PathLike[str]) -> None:
    """Sort the lists of encodings in the footer of a Parquet file.

    Raises:
        ValueError: It is no Parquet file with a plain footer.
    """
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        end = file.read(8)
        start = size - 8 - int.from_bytes(end[:4], "little")
        if end[4:] != MAGIC or start < len(MAGIC):
            raise ValueError(f"{os.fspath(path)} is no Parquet file")
        file.seek(start)
        footer = bytearray(file.read(size - 8 - start))
        before = bytes(footer)
        if _file_meta_data(footer, 0) != len(footer):
            raise ValueError(f"{os.fspath(path)} has a footer that cannot be read")
        if footer != before:
            file.seek(start)
            file.write(footer)


def _varint(data: bytearray, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _struct(fields: Mapping[int, _Walk], data: bytearray, at: int) -> int:
    """Over a struct; `fields` says how to go over some of its fields."""
    field = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            field += head >> 4
        else:
            number, at = _varint(data, at)
            field = (number >> 1) ^ -(number & 1)
        kind = head & 0x0F
        if kind not in (_TRUE, _FALSE):  # these have their value in the head
            at = fields.get(field, partial(_skip, kind))(data, at)
    return at + 1


def _list(item: _Walk | None, data: bytearray, at: int) -> int:
    """Over a list whose items `item` goes over; None skips them."""
    head = data[at]
    count, at = (head >> 4, at + 1) if head < 0xF0 else _varint(data, at + 1)
    walk = item or partial(_skip, head & 0x0F)
    for _ in range(count):
        at = walk(data, at)
    return at


def _skip(kind: int, data: bytearray, at: int) -> int:
    if kind in (_TRUE, _FALSE, _BYTE):  # a truth value in a list has a byte of its own
        return at + 1
    if kind in (_I16, _I32, _I64):
        return _varint(data, at)[1]
    if kind == _DOUBLE:
        return at + 8
    if kind == _BINARY:
        length, at = _varint(data, at)
        return at + length
    if kind in (_LIST, _SET):
        return _list(None, data, at)
    if kind == _MAP:
        return _skip_map(data, at)
    if kind == _STRUCT:
        return _struct({}, data, at)
    raise ValueError(f"a Thrift value of the unknown kind {kind}")


def _skip_map(data: bytearray, at: int) -> int:
    count, at = _varint(data, at)
    if count:
        kinds = data[at]
        at += 1
        for _ in range(count):
            at = _skip(kinds & 0x0F, data, _skip(kinds >> 4, data, at))
    return at


def _encodings(data: bytearray, at: int) -> int:
    """Over the encodings of a column, and sort them: small numbers, a byte each."""
    end = _list(None, data, at)
    start = at + 1 if data[at] < 0xF0 else _varint(data, at + 1)[1]
    if all(byte < 0x80 for byte in data[start:end]):
        data[start:end] = sorted(data[start:end])
    return end


# FileMetaData.row_groups[].columns[].meta_data.encodings, by the numbers of the fields in parquet.thrift
_column_meta_data = partial(_struct, {2: _encodings})
_column_chunk = partial(_struct, {3: _column_meta_data})
_row_group = partial(_struct, {1: partial(_list, _column_chunk)})
_file_meta_data = partial(_struct, {4: partial(_list, _row_group)})
