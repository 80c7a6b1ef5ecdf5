"""What of this installation goes into the container of a Python task: Wingbeat, its plugins, and msgspec.

All but msgspec is Python alone, and works with every Python that Wingbeat works with.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os

RUNTIME = ".runtime"
PURE = f"{RUNTIME}/python"
NATIVE = f"{RUNTIME}/native"
GROUP = "wingbeat"


@functools.cache
def packages() -> dict[str, str]:
    """Place in the attempt's directory, and path here, of each package."""
    points = importlib.metadata.entry_points(group=GROUP)
    pure = {"wingbeat", "wingbeat_container", *(point.value.partition(":")[0].partition(".")[0] for point in points)}
    found = {f"{PURE}/{name}": folder for name in sorted(pure) if (folder := _folder(name))}
    return found | {f"{NATIVE}/msgspec": folder for folder in [_folder("msgspec")] if folder}


def _folder(name: str) -> str:
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return os.path.realpath(places[0]) if places else ""


def abi() -> str:
    """What a compiled package of this Python fits, as ``cpython-311-x86_64-linux-gnu``."""
    import sysconfig

    return str(sysconfig.get_config_var("SOABI") or "")
