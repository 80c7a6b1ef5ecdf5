"""Which distribution a module comes from: for messages and lists, as it is dear to find out."""

from __future__ import annotations

GROUP = "wingbeat"
"""Of the entry points of plugins."""


def distribution_of(place: str) -> str:
    """Name and version of the distribution that has a plugin, by its module or ``module:attribute`` of that package; empty if it
    is not known."""
    import importlib.metadata  # dear

    module = place.partition(":")[0]
    package, beside = module.partition(".")[0], ""
    try:
        if package == "wingbeat":
            return f"wingbeat {importlib.metadata.version('wingbeat')}"
        for found in importlib.metadata.distributions():
            modules = {point.value.partition(":")[0] for point in found.entry_points.select(group=GROUP)}
            if module in modules:
                return f"{found.name} {found.version}"
            if package in {each.partition(".")[0] for each in modules}:
                beside = beside or f"{found.name} {found.version}"  # several may share a package
    except Exception:  # noqa: BLE001  # metadata of others may be damaged; this is for a message
        return ""
    return beside


def distribution_with(place: str) -> str:
    """The same of any module, also where no plugin is in its package: dearer still."""
    if found := distribution_of(place):
        return found
    import importlib.metadata

    try:
        names = importlib.metadata.packages_distributions().get(place.partition(":")[0].partition(".")[0], ())
        return f"{names[0]} {importlib.metadata.version(names[0])}" if names else ""
    except Exception:  # noqa: BLE001  # as above
        return ""
