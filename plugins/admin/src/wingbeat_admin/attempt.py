"""Tokens of attempts: how one is made, and what an attempt's process gets it from.

A token is the id of its attempt, signed with a key that the first server of a home makes. It is kept nowhere, and lives as long
as its attempt: the server asks the engine. Whoever can read the home's files can make one, and is its owner anyway.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import time
from pathlib import Path

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.secrets import URL, SecretMissing, SecretUnavailable
from wingbeat.spec.secrets import TOKEN
from wingbeat_admin.place import server_of

FILE = "attempts.key"
KEY_BYTES = 32
TOKEN_LENGTH_MAX = 12_000
"""Ids of attempts hold the path to a node; a header has at most 16 KiB."""
WAIT_S_MAX = 30.0
"""So long an attempt waits for a server that is being started again."""
_AGAIN_S = 0.1
_TOKEN = re.compile(r"wba_([A-Za-z0-9_-]+)_[0-9a-f]{64}\Z")


class AttemptToken:
    """What an attempt is issued: see `wingbeat.contracts.server`.

    Raises:
        ConfigurationError: This home has had no server yet.
    """

    patience_s = WAIT_S_MAX + 15.0

    def __init__(self, home: str, attempt: str, launched_at: float) -> None:
        found = key_of(home)
        if found is None:
            raise ConfigurationError(
                f"{TOKEN!r} is issued by the server of a home, and nobody has served {home} yet.",
                hint="Have it served, by 'wingbeat serve', and launch it then.",
            )
        self._home, self._token = home, make(found, attempt, launched_at)

    @staticmethod
    def prepare(home: str) -> None:
        """Have a key in a home that is going to be served. Raises ConfigurationError."""
        made_key(home)

    def get(self, name: str) -> str:
        """See `wingbeat.contracts.secrets.SecretSource.get`."""
        if name == TOKEN:
            return self._token
        if name != URL:
            raise SecretMissing(f"{name!r} is none that is issued to attempts.")
        end = time.monotonic() + WAIT_S_MAX
        while True:
            served = server_of(self._home)
            if served is not None and served.url:
                return served.for_attempts or served.url
            if time.monotonic() > end:
                raise SecretUnavailable(
                    f"nobody serves the home {self._home}, so that there is nobody to ask with a token; 'wingbeat serve' does"
                )
            time.sleep(_AGAIN_S)


def make(key: bytes, attempt: str, launched_at: float) -> str:
    """The token of an attempt of an execution that was launched then: of another one that has its id later, it is none."""
    name = base64.urlsafe_b64encode(attempt.encode()).decode().rstrip("=")
    signed = hmac.digest(key, f"attempt\0{attempt}\0{launched_at!r}".encode(), hashlib.sha256)
    return f"wba_{name}_{signed.hex()}"


def attempt_of(token: str) -> str:
    """The attempt that a token says to be of; empty for what is no token of an attempt. Proves nothing."""
    found = _TOKEN.match(token) if len(token) <= TOKEN_LENGTH_MAX else None
    if found is None:
        return ""
    try:
        return base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)).decode()
    except ValueError:
        return ""


def key_of(home: str) -> bytes | None:
    """The key of a home, None if it has none yet. Raises ConfigurationError."""
    path = Path(home, FILE)
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"The key of tokens cannot be read: {error}.") from error
    if len(found) != KEY_BYTES:
        raise ConfigurationError(
            f"{path} is damaged: it has {len(found)} bytes, not {KEY_BYTES}.",
            hint="Remove it, and start the server again: tokens of attempts that run are not taken any more then.",
        )
    return found


def made_key(home: str) -> bytes:
    """The key of a home, made where there is none: by its server, of which there is one at a time. Raises ConfigurationError."""
    found = key_of(home)
    if found is not None:
        return found
    path, made = Path(home, FILE), secrets.token_bytes(KEY_BYTES)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, made)
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.replace(path)
    return made
