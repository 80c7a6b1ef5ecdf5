"""The embedder's whole interface: `Kernel` and `run`."""

from __future__ import annotations

from wingbeat.host.home import home_path
from wingbeat.kernel.compiling import compile_file, entities_of
from wingbeat.kernel.execution import Execution
from wingbeat.kernel.kernel import Kernel
from wingbeat.kernel.running import run

__all__ = ["Execution", "Kernel", "compile_file", "entities_of", "home_path", "run"]
