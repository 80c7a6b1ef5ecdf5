"""The installed plugins: entry points of the group ``wingbeat``.

Reading the metadata of every distribution takes longer than the rest of a short command, so the outcome is kept in a file,
for as long as the folders that packages are installed in stay the same.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.runtime.distributions import distribution_of

GROUP = "wingbeat"
OWN = "builtin"
"""The name of what is in the box."""


class _Kept(Struct, frozen=True):
    stamp: list[tuple[str, int]]
    plugins: dict[str, str]


def installed_plugins(kept_in: Path) -> dict[str, str]:
    """Names and modules of the installed plugins; `kept_in` is a file that remembers them.

    Raises ConfigurationError where two distributions have a plugin of one name.
    """
    stamp = _stamp()
    try:
        kept = msgspec.json.decode(kept_in.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        kept = None
    if kept is not None and kept.stamp == stamp:
        return kept.plugins
    import importlib.metadata  # dear: seldom needed

    plugins: dict[str, str] = {}
    for point in importlib.metadata.entry_points(group=GROUP):
        if point.name == OWN or plugins.setdefault(point.name, point.value) != point.value:
            raise _taken(point.name, point.value, plugins.get(point.name, ""))
    temporary = kept_in.with_name(f"{kept_in.name}.{os.getpid()}")
    try:
        temporary.write_bytes(msgspec.json.encode(_Kept(stamp, plugins)))
        temporary.replace(kept_in)
    except OSError:
        temporary.unlink(missing_ok=True)  # it is only a memory
    return plugins


def _taken(name: str, target: str, other: str) -> ConfigurationError:
    one, two = distribution_of(target) or target, distribution_of(other) or other
    if name == OWN:
        return ConfigurationError(
            f"The distribution {one} calls its plugin {OWN!r}, which is the name of what is in the box.",
            hint=f"Uninstall {one.partition(' ')[0]}, and tell its authors.",
        )
    return ConfigurationError(
        f"There are two plugins {name!r}: of {one}, and of {two}.",
        hint=f"Uninstall one: pip uninstall {one.partition(' ')[0]}, or {two.partition(' ')[0]}.",
    )


def _stamp() -> list[tuple[str, int]]:
    """The folders that Python imports from, and when something was last put into or taken out of them."""
    found = [(sys.executable, 0)]
    for folder in sys.path:
        try:
            found.append((folder, os.stat(folder or ".").st_mtime_ns if folder.endswith("-packages") else 0))
        except OSError:
            continue
    return found
