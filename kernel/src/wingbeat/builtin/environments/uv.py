"""Running uv: found, never given our standard input, its output captured within bounds, killed when its caller is."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from typing import TYPE_CHECKING

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.environments.settings import uv_variables

if TYPE_CHECKING:
    import asyncio

OUTPUT_BYTES_MAX = 8 * 2**20
ESSENCE_CHARACTERS_MAX = 1500

_DRAWING = re.compile("[\u00d7\u2500-\u257f\u25b6]+")
_LABEL = re.compile(r"^\s*(error|cause|warning|hint):\s*")
_UNREACHABLE = ("Failed to fetch", "error sending request", "Request failed", "network was disabled", "network connect")


class Finished(Struct, frozen=True):
    """How a command ended."""

    code: int
    output: str
    errors: str


def find_uv() -> str:
    """The path of uv: of the package ``uv`` beside Wingbeat, else on PATH.

    Raises:
        ConfigurationError: There is none.
    """
    try:
        from uv import find_uv_bin

        return os.fsdecode(find_uv_bin())
    except (ImportError, FileNotFoundError):
        import shutil

        found = shutil.which("uv")
    if not found:
        raise ConfigurationError(
            "Environments are built with uv, which is not installed here.", hint='pip install "wingbeat[environments]"'
        )
    return found


async def run(*command: str, folder: str, path: str = "") -> Finished:
    """Run a command in `folder` and wait for it. If the caller is cancelled, nothing of it goes on.

    Args:
        path: What its PATH is to be; empty: ours.
    """
    import asyncio

    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env=uv_variables() | ({"PATH": path} if path else {}),
        start_new_session=True,
    )
    assert process.stdout
    assert process.stderr
    try:
        output, errors, code = await asyncio.gather(_read(process.stdout), _read(process.stderr), process.wait())
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())
        raise
    return Finished(code, output, errors)


def essence(errors: str) -> str:
    """What uv's message says, without the drawing around it."""
    lines = [_LABEL.sub("", _DRAWING.sub(" ", line)) for line in errors.splitlines()]
    text = " ".join(" ".join(lines).split())
    text = re.sub(r"^No solution found when resolving dependencies:?\s*", "", text)
    return text if len(text) <= ESSENCE_CHARACTERS_MAX else text[: ESSENCE_CHARACTERS_MAX - 1] + "…"


def failure(what: str, errors: str) -> ConfigurationError:
    """The error for a command that failed.

    Args:
        what: What was asked for, as the start of a sentence: ``"The environment (attrs==1)"``.
    """
    said = essence(errors)
    if any(word in errors for word in _UNREACHABLE):
        return ConfigurationError(
            f"{what} needs the package index, which cannot be reached: {said}",
            hint="Check the network, or set UV_DEFAULT_INDEX to a mirror; what was built once works without.",
        )
    if "not found in the package registry" in said:
        return ConfigurationError(
            f"{what} names a package that does not exist: {said}", hint="Check how it is spelled."
        )
    if "unsatisfiable" in said or "incompatible" in said or "onflicting" in said:
        return ConfigurationError(
            f"{what} cannot be resolved: {said}",
            hint="Loosen one of the two sides, or give the tasks two environments.",
        )
    return ConfigurationError(f"{what} cannot be made: {said}")


async def _read(stream: asyncio.StreamReader) -> str:
    """The end of a stream: all of it is taken, so that its writer does not wait, and only so much is kept."""
    data = bytearray()
    while chunk := await stream.read(2**16):
        data += chunk
        if len(data) > 2 * OUTPUT_BYTES_MAX:
            del data[:-OUTPUT_BYTES_MAX]
    return data[-OUTPUT_BYTES_MAX:].decode(errors="replace")
