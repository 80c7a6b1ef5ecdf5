"""Named places where a test may kill the process: at every step between an event and its effect.

``WINGBEAT_FAILPOINT=name:n`` kills this process (SIGKILL) when `name` is passed for the n-th time; without it, passing one
costs the call of an empty function.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

NAMES = (
    "launch.before-step",
    "commit.before-append",
    "commit.after-append",
    "perform.before-effects",
    "perform.after-effects",
    "submit.before",
    "submit.after",
    "cancel.before",
    "cancel.after",
    "lookup.before",
    "lookup.after",
    "publish.before",
    "publish.after",
    "outcome.received",
    "recover.before-adopt",
    "recover.after-adopt",
    "snapshot.before",
    "snapshot.after",
)
"""Every failpoint; the fault tests kill at each."""

_passed: Counter[str] = Counter()
_name, _, _count = os.environ.get("WINGBEAT_FAILPOINT", "").partition(":")


def _hit(name: str) -> None:
    _passed[name] += 1
    if name == _name and _passed[name] == int(_count or 1):
        os.kill(os.getpid(), signal.SIGKILL)


def _nothing(name: str) -> None:
    return


hit = _hit if _name else _nothing
"""Pass a failpoint."""
