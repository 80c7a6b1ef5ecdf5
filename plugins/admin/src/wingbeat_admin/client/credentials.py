"""What proves who this user is, to which server: `WINGBEAT_API_KEY`, or a file in the user's folder of settings.

The file is that of its owner alone, and a key in it is for one server: it is sent to no other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError

VARIABLE = "WINGBEAT_API_KEY"


class Credential(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """For one server: an API key, or what a login has given.

    Attributes:
        key: An API key.

        token: Of the user, by the provider `issuer` for its client `client`.

        refresh: With which another token is got; empty if the provider gives none.

        expires_at: When the token expires, in epoch seconds.
    """

    key: str = ""
    token: str = ""
    refresh: str = ""
    expires_at: float = 0.0
    issuer: str = ""
    client: str = ""


_file = msgspec.json.Decoder(dict[str, Credential])


def path() -> Path:
    """The file."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(base) / "wingbeat" / "credentials.json"


def given() -> str:
    """The key that the environment says; empty if it says none. Raises ConfigurationError for one that cannot be sent."""
    return sendable(os.environ.get(VARIABLE, "").strip(), VARIABLE)


def sendable(key: str, told: str) -> str:
    """The key, which is told as that. It is not shown.

    Raises:
        ConfigurationError: It holds what no header can hold: to send it would look like a server that is not there.
    """
    if all(" " <= letter <= "~" for letter in key):
        return key
    raise ConfigurationError(
        f"{told} holds a character that no header can hold: a line break, perhaps, or a letter outside ASCII.",
        hint="A key is copied as one line, as 'wingbeat create apikey' has shown it.",
    )


def of(endpoint: str) -> Credential:
    """What is kept for a server; an empty one if nothing is.

    Raises:
        ConfigurationError: The file cannot be read, or others than its owner can.
    """
    return read().get(_name(endpoint), Credential())


def read() -> dict[str, Credential]:
    """All of them, by the URL of the server. Raises as `of`."""
    file = path()
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise ConfigurationError(f"Others than you may read {file}.", hint=f"chmod 600 {file}")
            return _file.decode(stream.read())
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.") from error


def keep(endpoint: str, credential: Credential) -> Path:
    """Keep one, in the place of another."""
    _write({**read(), _name(endpoint): credential})
    return path()


def forget(endpoint: str) -> bool:
    """Let go of one; says whether there was one."""
    found = read()
    if found.pop(_name(endpoint), None) is None:
        return False
    _write(found)
    return True


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """While entered, no other process changes the file by this: a token is got anew once, not by each of several commands."""
    file = path().with_suffix(".lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(found: dict[str, Credential]) -> None:
    """Whole or not at all; and nobody else can read it at any time."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # of mode 0600
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
        os.replace(made, file)
    except BaseException:
        os.unlink(made)
        raise


def _name(endpoint: str) -> str:
    return endpoint.rstrip("/")
