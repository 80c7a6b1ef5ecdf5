"""Work beside the loop that must not fail in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from wingbeat.engine.live import Live

Broke = Callable[[Live, Exception], None]
"""Told when work for an execution failed in a way that nobody foresaw."""


def watched(task: asyncio.Task[Any], live: Live, broke: Broke) -> asyncio.Task[Any]:
    """See to it that `broke` is told if the task raises: what waits for its answer would wait for ever."""

    def done(task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            broke(live, error)

    task.add_done_callback(done)
    return task
