"""API keys: how they are made, and how one is recognised. The key itself is kept nowhere, only its hash: 256 random bits need no
slow one."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

_KEY = re.compile(r"wb_([0-9a-f]{16})_[0-9a-f]{64}\Z")


def make() -> str:
    """A new key: what finds it in the file, and the secret behind that."""
    return f"wb_{secrets.token_hex(8)}_{secrets.token_hex(32)}"


def id_of(key: str) -> str:
    """What finds a key in the file; empty for what is none."""
    found = _KEY.match(key)
    return found[1] if found else ""


def hash_of(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).digest()


def is_key(key: str, kept: bytes) -> bool:
    """Whether this is the key of a hash; takes the same time however much of it is right."""
    return hmac.compare_digest(hash_of(key), kept)
