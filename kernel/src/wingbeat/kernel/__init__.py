"""The embedder's whole interface: `Kernel` and `run`; for the command line also compiling by file name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wingbeat.host.home import home_path
    from wingbeat.kernel.compiling import (
        compile_file,
        definitions_of,
        entities_of,
        files_of,
        left_out_of,
        problems_of,
        sources_of,
    )
    from wingbeat.kernel.execution import Execution
    from wingbeat.kernel.installed import commands_of, configuration_of, engine_of, place_of, plugins_of
    from wingbeat.kernel.kernel import Kernel
    from wingbeat.kernel.lock import is_held
    from wingbeat.kernel.running import run

_MODULE_OF = {
    "Execution": "wingbeat.kernel.execution",
    "Kernel": "wingbeat.kernel.kernel",
    "commands_of": "wingbeat.kernel.installed",
    "compile_file": "wingbeat.kernel.compiling",
    "configuration_of": "wingbeat.kernel.installed",
    "definitions_of": "wingbeat.kernel.compiling",
    "engine_of": "wingbeat.kernel.installed",
    "entities_of": "wingbeat.kernel.compiling",
    "files_of": "wingbeat.kernel.compiling",
    "home_path": "wingbeat.host.home",
    "is_held": "wingbeat.kernel.lock",
    "left_out_of": "wingbeat.kernel.compiling",
    "place_of": "wingbeat.kernel.installed",
    "plugins_of": "wingbeat.kernel.installed",
    "problems_of": "wingbeat.kernel.compiling",
    "run": "wingbeat.kernel.running",
    "sources_of": "wingbeat.kernel.compiling",
}

__all__ = [
    "Execution", "Kernel", "commands_of", "compile_file", "configuration_of", "definitions_of", "engine_of", "entities_of",
    "files_of", "home_path", "is_held", "left_out_of", "place_of", "plugins_of", "problems_of", "run",
    "sources_of",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'wingbeat.kernel' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value
