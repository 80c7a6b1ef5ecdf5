"""Requests that are made again: launches under a key, and what never changes, by its tag."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Request
from litestar.params import HeaderParameter
from litestar.response import Response

from wingbeat.base.ids import short_id
from wingbeat.contracts.admin import Launch
from wingbeat.contracts.relaunch import Relaunch

L = TypeVar("L", Launch, Relaunch)
IdempotencyKey = Annotated[str | None, HeaderParameter(name="idempotency-key", min_length=1, max_length=255)]
"""Chosen by who asks: the same again, with the same body, is the same launch (as in the draft of the IETF for this header)."""
Tried = Annotated[int, HeaderParameter(name="wingbeat-tried", ge=0)]
"""How often this very request was sent before, by who got no answer."""


def named(launch: L, key: str | None, principal: str) -> L:
    """A launch with an id: that of its body, or else one made of the key, which is the principal's own."""
    if key is None or launch.name:
        return launch
    return msgspec.structs.replace(launch, name=short_id(f"{principal}\n{key}".encode()))


def tagged(request: Request[Any, Any, Any], value: Any) -> Response[bytes]:
    """What never changes, as JSON; to who has it already, by its tag (`If-None-Match`), that it does not."""
    body = msgspec.json.encode(value)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    given = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in given or given == ["*"]:  # compared weakly, as RFC 9110 has it
        return Response(b"", status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
