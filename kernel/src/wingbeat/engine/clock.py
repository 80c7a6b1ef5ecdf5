"""The one place that reads the time and rolls dice."""

from __future__ import annotations

import os
import time
from typing import Protocol


class Clock(Protocol):
    """Where time and chance come from. A simulation gives its own."""

    def now(self) -> float:
        """Epoch seconds."""

    def entropy(self) -> bytes:
        """Sixteen bytes that nobody can guess."""


class SystemClock:
    """The machine's."""

    def now(self) -> float:
        """Epoch seconds."""
        return time.time()

    def entropy(self) -> bytes:
        """Sixteen bytes from the operating system."""
        return os.urandom(16)
