"""The record of a gang: the file ``gang`` in an attempt's directory, which its leader writes."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from wingbeat.runtime import files
from wingbeat.runtime.job import Exit


class Seen(Struct, frozen=True, omit_defaults=True):
    """What became of a member. `exit` is None while it runs; `stopped` says that it was to end."""

    pid: int
    exit: Exit | None = None
    stopped: bool = False


class Record(Struct, frozen=True, omit_defaults=True):
    """The file ``gang``: what became of the members, by name; and which of them failed first."""

    members: dict[str, Seen]
    failed: str = ""


def read_record(directory: str) -> Record | None:
    """What became of the members of the gang of an attempt; None if there is nothing that can be read."""
    try:
        data = files.read_file(directory, files.GANG, bytes_max=2**20)
        return None if data is None else msgspec.json.decode(data, type=Record)
    except (OSError, ValueError):
        return None
