"""Types that plugins offer, loaded when a hint is met that nobody knows. Also in attempts' processes, without a kernel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from wingbeat.base.errors import PluginFailed
from wingbeat.types.registry import imported

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "wingbeat"


def load_types() -> None:
    """Let every installed plugin register its transformers of Python classes. Raises PluginFailed, with the name of the first one
    that could not, when all others have."""
    import importlib.metadata  # dear, and seldom needed

    failed: PluginFailed | None = None
    for point in importlib.metadata.entry_points(group=GROUP):
        told = f"The plugin {point.name!r}"
        try:
            imported(told, point.value, partial(_load, point))
        except PluginFailed as error:
            failed = failed or error
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # it may raise anything
            why = f"{told} ({point.value}) cannot register its types: {type(error).__name__}: {error}"
            made = PluginFailed(
                why, hint=f"Repair it, or uninstall the distribution that has it: {_distribution(point)}."
            )
            made.__cause__ = error
            failed = failed or made
    if failed is not None:
        raise failed


def _load(point: EntryPoint) -> None:
    hook: Any = getattr(point.load(), "wingbeat_types", None)
    if hook is not None:
        hook()


def _distribution(point: EntryPoint) -> str:
    return "unknown" if point.dist is None else f"{point.dist.name} {point.dist.version}"
