"""Signatures by the Standard Webhooks scheme: HMAC-SHA256 of id, time and body. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"
KEY_BYTES_MIN, KEY_BYTES_MAX = 24, 64


def keys_of(secret: str) -> list[bytes]:
    """The keys in a secret, of which there are several while it is being replaced.

    Raises:
        ValueError: One is none; it is not in the message.
    """
    keys = []
    for one in secret.split():
        if not one.startswith(PREFIX):
            raise ValueError(f"it does not begin with {PREFIX}")
        try:
            key = base64.b64decode(one.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            raise ValueError(f"what follows {PREFIX} is no base64") from None
        if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
            raise ValueError(f"it has {len(key)} bytes, and takes {KEY_BYTES_MIN} to {KEY_BYTES_MAX}")
        keys.append(key)
    if not keys:
        raise ValueError("it is empty")
    return keys


def headers(id: str, seconds: int, body: bytes, keys: list[bytes]) -> dict[str, str]:
    """The headers of a message, with a signature by each key."""
    content = b".".join((id.encode(), str(seconds).encode(), body))
    signatures = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
