"""What proves who this user is, to which server: `WINGBEAT_API_KEY`, or a file in the user's folder of settings.

The file is that of its owner alone, and a key in it is for one server: it is sent to no other.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError

VARIABLE = "WINGBEAT_API_KEY"


class Credential(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """For one server.

    Attributes:
        key: An API key.
    """

    key: str = ""


_file = msgspec.json.Decoder(dict[str, Credential])


def path() -> Path:
    """The file."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(base) / "wingbeat" / "credentials.json"


def key_for(endpoint: str) -> str:
    """What is sent to a server; empty if nothing is known for it.

    Raises:
        ConfigurationError: The file cannot be read, or others than its owner can.
    """
    return os.environ.get(VARIABLE, "").strip() or read().get(_name(endpoint), Credential()).key


def read() -> dict[str, Credential]:
    """All of them, by the URL of the server. Raises as `key_for`."""
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
