"""Small plugins that keep their contracts: what the broken ones are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from wingbeat.contracts.notifier import Message
from wingbeat.contracts.observer import Published


class LinesObserver:
    """Writes a line for each event."""

    def __init__(self, file: Path) -> None:
        self.file = file

    async def start(self) -> None:
        """Ready already."""

    async def close(self) -> None:
        """Nothing is held."""

    async def observe(self, events: list[Published]) -> None:
        with self.file.open("ab") as file:
            file.writelines(msgspec.json.encode(event) + b"\n" for event in events)

    def told(self) -> list[tuple[str, int]]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [(event["execution"], event.get("cursor", 0)) for event in map(json.loads, lines)]


class Ring:
    """A small class that a plugin offers as a type: some numbers."""

    def __init__(self, numbers: tuple[int, ...] = ()) -> None:
        self.numbers = numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ring) and other.numbers == self.numbers

    def __hash__(self) -> int:
        return hash(self.numbers)


class RingHandler:
    """Keeps a `Ring` as JSON."""

    layout = "file"
    name = "ring.json"

    def write(self, value: Ring, path: str) -> None:
        Path(path).write_bytes(msgspec.json.encode(value.numbers))

    def read(self, path: str, hint: Any) -> Ring:
        return Ring(msgspec.json.decode(Path(path).read_bytes(), type=tuple[int, ...]))


class LinesNotifier:
    """Writes a line for each message."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def channels(self) -> list[str]:
        return ["ops"]

    async def notify(self, message: Message) -> None:
        with self.file.open("ab") as file:
            file.write(json.dumps({**msgspec.to_builtins(message), "title": message.title}).encode() + b"\n")

    async def close(self) -> None:
        """Nothing is held."""
