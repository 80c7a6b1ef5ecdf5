"""How deep and how many: checked on the raw bytes before msgspec decodes them.

msgspec decodes recursively in C: on deep nesting it raises RecursionError at best, and where the stack is small it ends
the process.
"""

from __future__ import annotations

import re
from typing import Any

from wingbeat.types.errors import LimitExceeded

__all__ = ["DEPTH_MAX", "NODES_MAX", "check_depth", "check_wire_depth"]

DEPTH_MAX = 64
NODES_MAX = 5_000_000

# A string (to its closing quote, or to the end if it has none) or one structural byte. Possessive: no backtracking,
# linear time.
_JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{\]},]', re.DOTALL)
_CONTAINERS = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])


def check_depth(
    data: bytes, depth_max: int = DEPTH_MAX, nodes_max: int = NODES_MAX, *, format: str | None = None
) -> None:
    """Refuse JSON or msgpack bytes that nest deeper than `depth_max` or hold more than `nodes_max` values.

    `format` is "json", "msgpack", or None to tell by the first byte (sure for a document that is an object or
    array). Linear in the length of the data; says nothing about whether the data is well-formed, which is the decoder's
    business. A scalar has depth 0.
    """
    if format is None:
        if data.lstrip(b" \t\r\n")[:1] in (b"{", b"["):
            format = "json"
        elif data[:1] < b"\x80":
            return  # a scalar in either format, whatever follows: both decoders stop after it
        else:
            format = "msgpack"
    opening = b"[{" if format == "json" else _CONTAINERS
    if len(data) <= nodes_max and len(data) - len(data.translate(None, opening)) <= depth_max:
        return  # too few that could open a level: nearly every small document ends here
    (_check_json if format == "json" else _check_msgpack)(data, depth_max, nodes_max)


def _check_json(data: bytes, depth_max: int, nodes_max: int) -> None:
    depth, nodes = 0, 1
    for match in _JSON_TOKEN.finditer(data):
        token = match.group()
        if token == b",":
            nodes += 1
        elif token in (b"[", b"{"):
            depth += 1
            nodes += 1
            if depth > depth_max:
                raise LimitExceeded(f"JSON nested deeper than {depth_max} levels")
        elif token in (b"]", b"}"):
            depth -= 1
        if nodes > nodes_max:
            raise LimitExceeded(f"JSON with more than {nodes_max} values")


def _sizes() -> list[tuple[int, int, int]]:
    """For each first byte of a msgpack value: bytes to skip after it, width of a length field, and its kind.

    Kinds: 0 scalar (the length counts bytes), 1 array, 2 map (the length counts items or pairs), 3 extension (one byte
    of type follows).
    """
    table: list[tuple[int, int, int]] = [(0, 0, 0)] * 256
    for byte, width in {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}.items():
        table[byte] = (0, width, 0)
    for byte, width in {0xC7: 1, 0xC8: 2, 0xC9: 4}.items():
        table[byte] = (0, width, 3)
    for byte, size in {
        0xCA: 4,
        0xCB: 8,
        0xCC: 1,
        0xCD: 2,
        0xCE: 4,
        0xCF: 8,
        0xD0: 1,
        0xD1: 2,
        0xD2: 4,
        0xD3: 8,
    }.items():
        table[byte] = (size, 0, 0)
    for byte, size in {0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}.items():
        table[byte] = (size, 0, 0)
    for byte, (width, kind) in {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}.items():
        table[byte] = (0, width, kind)
    for byte in range(0x80, 0xA0):
        table[byte] = (byte & 0x0F, 0, 2 if byte < 0x90 else 1)
    for byte in range(0xA0, 0xC0):
        table[byte] = (byte & 0x1F, 0, 0)
    return table


_SIZES = _sizes()


def _check_msgpack(data: bytes, depth_max: int, nodes_max: int) -> None:
    at, end, nodes = 0, len(data), 0
    left = [1]  # how many values are still to come, at each open level
    while at < end:
        while left and left[-1] == 0:
            left.pop()
        if not left:
            return
        left[-1] -= 1
        nodes += 1
        if nodes > nodes_max:
            raise LimitExceeded(f"msgpack with more than {nodes_max} values")
        skip, width, kind = _SIZES[data[at]]
        at += 1
        if width:
            skip = int.from_bytes(data[at : at + width], "big")
            at += width
        if kind in (1, 2):
            # One level for each container, empty or not, as in JSON.
            if len(left) > depth_max:
                raise LimitExceeded(f"msgpack nested deeper than {depth_max} levels")
            left.append(skip * kind)
        else:
            at += skip + (kind == 3)


def check_wire_depth(wire: Any, depth_max: int = DEPTH_MAX) -> None:
    """Refuse a wire value that nests deeper than `depth_max`, without recursion."""
    level, depth = [wire], 0
    while True:
        level = [item for item in level if type(item) in (dict, list)]
        if not level:
            return
        depth += 1
        if depth > depth_max:
            raise LimitExceeded(f"value nested deeper than {depth_max} levels")
        level = [child for item in level for child in (item.values() if type(item) is dict else item)]
