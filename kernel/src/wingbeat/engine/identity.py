"""Identity of a piece of work."""

from __future__ import annotations

from typing import Any

from wingbeat.base.ids import digest
from wingbeat.spec.codec import canonical
from wingbeat.spec.entities import Closure


def launch_key(closure: Closure, inputs: Any) -> str:
    """Identity of a piece of work: what runs, on what. Code and environment are part of the closure."""
    parts = [closure.root, closure.bundle, closure.environment, inputs]
    return digest(canonical([*parts, closure.borrowed] if closure.borrowed else parts))
