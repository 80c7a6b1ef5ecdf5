"""Types that plugins offer, loaded when a hint is met that nobody knows. Also in attempts' processes, without a kernel."""

from __future__ import annotations

from typing import Any

GROUP = "wingbeat"


def load_types() -> None:
    """Let every installed plugin register its transformers of Python classes."""
    import importlib.metadata  # dear, and seldom needed

    for point in importlib.metadata.entry_points(group=GROUP):
        hook: Any = getattr(point.load(), "wingbeat_types", None)
        if hook is not None:
            hook()
