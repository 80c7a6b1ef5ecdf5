"""The plugins that are installed, by their entry points. They are kept in the home, because to find them, every installed
distribution is opened."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

GROUP = "wingbeat"


class _Table(Struct, array_like=True):
    """What was found, and the folders that were looked through as they were: each with its time of change.

    To install, upgrade or remove a distribution changes its folder.
    """

    folders: list[tuple[str, int]]
    plugins: dict[str, str]


_decoder = msgspec.msgpack.Decoder(_Table)


def installed_plugins(cache: Path | None = None) -> dict[str, str]:
    """The module of each installed plugin, by name. `cache` is the file to keep the answer in."""
    folders = _folders()
    if cache is not None and (kept := _read(cache)) is not None and kept.folders == folders:
        return kept.plugins
    import importlib.metadata

    plugins = {point.name: point.value for point in importlib.metadata.entry_points(group=GROUP)}
    if cache is not None:
        from wingbeat.builtin.durable import write_atomic

        with contextlib.suppress(OSError):  # a full disk is found out by what matters
            write_atomic(str(cache), msgspec.msgpack.encode(_Table(folders, plugins)))
    return plugins


def _folders() -> list[tuple[str, int]]:
    found = []
    for folder in sys.path:
        try:
            found.append((folder, os.stat(folder or ".").st_mtime_ns))
        except OSError:
            continue  # a path that does not exist holds nothing
    return found


def _read(cache: Path) -> _Table | None:
    try:
        return _decoder.decode(cache.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
