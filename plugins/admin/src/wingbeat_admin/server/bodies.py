"""Reading requests: bodies as one of our structures, references out of paths."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from litestar import Request
from msgspec import Struct

from wingbeat.base.errors import InputError
from wingbeat_admin.client.admin import LATEST

T = TypeVar("T")


class Reason(Struct, forbid_unknown_fields=True):
    """Why an execution or a backfill is to stop, or a schedule or a backfill to pause."""

    reason: str = ""


class Resumption(Struct, forbid_unknown_fields=True):
    """How a backfill is to go on: whether also with what has failed."""

    failed: bool = False


async def body_of(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """The body as one of our structures: they are decoded as strictly here as everywhere, not by the framework."""
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"The body is not what is expected: {error}.") from error


def reference_of(project: str, domain: str, name: str, version: str) -> str:
    """The reference that a path stands for."""
    return f"{project}/{domain}/{name}" + ("" if version == LATEST else f"@{version}")
