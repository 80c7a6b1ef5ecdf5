"""A plugin that keeps what happened in the storage ``fsspec``: a file for each execution that has ended."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from wingbeat.contracts.hookspecs import Registrar, hookimpl
from wingbeat.contracts.observer import Published
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.types import Blob

archived: list[Blob] = []
"""For the example to look at."""


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    return PluginInfo(api=(0, 1))


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    registrar.observer("archive", lambda home: Archive(home.storage("fsspec")))


class Archive:
    """Keeps the events of executions that live, and stores them when they end."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage
        self.live: dict[str, list[Published]] = {}

    async def start(self) -> None:
        """There is nothing to get ready."""

    async def observe(self, events: list[Published]) -> None:
        for event in events:
            self.live.setdefault(event.execution, []).append(event)
            if event.kind == "execution" and ExecutionPhase(event.phase).terminal:
                lines = b"".join(msgspec.json.encode(each) + b"\n" for each in self.live.pop(event.execution))
                archived.append(await asyncio.to_thread(self.storage.put_bytes, lines))

    async def close(self) -> None:
        """There is nothing to let go of."""
