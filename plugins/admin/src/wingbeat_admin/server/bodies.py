"""Reading requests: bodies as one of our structures, references out of paths."""

from __future__ import annotations

import asyncio
import json
from typing import Any, TypeVar

import msgspec
from litestar import Request
from msgspec import Struct

from wingbeat.base.errors import InputError
from wingbeat.spec.codec import read_bounded
from wingbeat.types import LimitExceeded
from wingbeat_admin.client.admin import LATEST

T = TypeVar("T")

BODY_BYTES_MAX = 64 * 2**20
"""A registration of a large project; everything else is far smaller."""
SMALL_BYTES = 2**18
"""Larger ones are read apart from the loop: the engine has the same."""
TWICE_BYTES_MAX = 2**14
"""In larger ones nobody looks for names that are there twice: programs write them, and it would cost more than all the rest."""


class Reason(Struct, forbid_unknown_fields=True):
    """Why an execution or a backfill is to stop, or a schedule or a backfill to pause."""

    reason: str = ""


class Again(Struct, forbid_unknown_fields=True):
    """How an execution is run again: see `wingbeat.contracts.relaunch.Relaunch`."""

    entity: str = ""
    name: str = ""
    resume: bool = False


class Resumption(Struct, forbid_unknown_fields=True):
    """How a backfill is to go on: whether also with what has failed."""

    failed: bool = False


async def body_of(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """The body as one of our structures: they are decoded as strictly here as everywhere, not by the framework; and only after a
    look at how deep it is and how much is in it. Raises InputError."""
    body = await request.body()
    try:
        if len(body) <= SMALL_BYTES:
            return _read(body, kind)
        return await asyncio.to_thread(_read, body, kind)
    except (msgspec.DecodeError, LimitExceeded, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"The body is not what is expected: {error}.") from error


def _read(body: bytes, kind: type[T]) -> T:
    found = read_bounded(body, msgspec.json.Decoder(kind), bytes_max=BODY_BYTES_MAX)
    if len(body) <= TWICE_BYTES_MAX:  # of these the decoder has taken the last, and another reader may take the first
        json.loads(body.decode(), object_pairs_hook=_once, parse_int=str, parse_float=str)
    return found


def _once(pairs: list[tuple[str, Any]]) -> None:
    """Raise InputError if an object has a name twice."""
    names = set[str]()
    for name, _ in pairs:
        if name in names:
            raise InputError(f"The body has {name[:80]!r} twice in one object.", hint="Leave one of them out.")
        names.add(name)


def reference_of(project: str, domain: str, name: str, version: str) -> str:
    """The reference that a path stands for."""
    return f"{project}/{domain}/{name}" + ("" if version == LATEST else f"@{version}")
