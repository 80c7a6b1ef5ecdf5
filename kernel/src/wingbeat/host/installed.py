"""The installed plugins: entry points of the group ``wingbeat``.

Reading the metadata of every distribution takes longer than the rest of a short command, so the outcome is kept in a file,
for as long as the folders that packages are installed in stay the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
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
    others: dict[str, str] = {}


def installed_plugins(
    kept_in: Path, disabled: Collection[str] = (), twice: dict[str, ConfigurationError] | None = None
) -> dict[str, str]:
    """Names and modules of the installed plugins; `kept_in` is a file that remembers them.

    Args:
        disabled: Names that are not used: there may be several plugins of such a name, and one of them is given.

        twice: Takes, by name, why a plugin cannot be used of which there are two, instead of its being raised.

    Raises:
        ConfigurationError: Two distributions have a plugin of one name, or one that of what is in the box.
    """
    found = _found(kept_in)
    for name, other in found.others.items():
        if name in disabled:
            continue
        error = _taken(name, found.plugins[name], other)
        if twice is None:
            raise error
        twice[name] = error
    return found.plugins


def _found(kept_in: Path) -> _Kept:
    stamp = _stamp()
    try:
        kept = msgspec.json.decode(kept_in.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        kept = None
    if kept is not None and kept.stamp == stamp:
        return kept
    import importlib.metadata  # dear: seldom needed

    found = _Kept(stamp, {})
    for point in importlib.metadata.entry_points(group=GROUP):
        if point.name == OWN:
            raise _of_the_box(point.value)
        if found.plugins.setdefault(point.name, point.value) != point.value:
            found.others[point.name] = point.value
    temporary = kept_in.with_name(f"{kept_in.name}.{os.getpid()}")
    try:
        temporary.write_bytes(msgspec.json.encode(found))
        temporary.replace(kept_in)
    except OSError:
        temporary.unlink(missing_ok=True)  # it is only a memory
    return found


def _taken(name: str, target: str, other: str) -> ConfigurationError:
    one, two = distribution_of(target) or target, distribution_of(other) or other
    return ConfigurationError(
        f"There are two plugins {name!r}: of {one}, and of {two}.",
        hint=f"Uninstall one: pip uninstall {one.partition(' ')[0]}, or {two.partition(' ')[0]}. "
        f"Or switch both off with plugins.disabled = [{name!r}].",
    )


def _of_the_box(target: str) -> ConfigurationError:
    whose = distribution_of(target) or target
    return ConfigurationError(
        f"The distribution {whose} calls its plugin {OWN!r}, which is the name of what is in the box.",
        hint=f"Uninstall {whose.partition(' ')[0]}, and tell its authors.",
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
