"""A home: the folder with the state of one embedded engine, and the settings that hold for it."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from msgspec import Struct

S = TypeVar("S", bound=Struct)


class Home(Protocol):
    """What a factory may know about where it will work."""

    @property
    def path(self) -> str:
        """The folder, absolute; exists."""

    def settings(self, section: str, struct: type[S]) -> S:
        """The plugin's settings: `struct` with what the section of the configuration sets. Raises `ConfigurationError`."""

    def storage(self, scheme: str = "store") -> Any:
        """The storage of a scheme (`wingbeat.contracts.storage.Storage`)."""
