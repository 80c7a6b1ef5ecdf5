"""What is to run, worked out: the door for engines that are not in the box.

An engine is handed closures. What their calls, overrides, defaults and sub-workflows come to is worked out here, the same for every
engine; what it makes of the nodes (`wingbeat.spec.plan`), and which it refuses, is up to it.
"""

from __future__ import annotations

from wingbeat.compile.flatten import flatten
from wingbeat.machine.values import resolve

__all__ = ["flatten", "resolve"]
