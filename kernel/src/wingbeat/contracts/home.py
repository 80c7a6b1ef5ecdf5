"""A home: the folder with the state of one embedded engine, and the settings that hold for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from wingbeat.contracts.environment import Environments
    from wingbeat.contracts.notifier import Notifier
    from wingbeat.contracts.storage import Storage, StorageRef

S = TypeVar("S", bound=Struct)

UPLOADS = "uploads"
"""Folder in a home for files that are on their way into its storage. What is left there by a process that was killed goes with a
collection, when it is older than content that is spared."""


class Home(Protocol):
    """What a factory may know about where it will work."""

    @property
    def path(self) -> str:
        """The folder, absolute; exists."""

    def settings(self, section: str, struct: type[S]) -> S:
        """The plugin's settings: `struct` with what the section of the configuration sets. Raises `ConfigurationError`."""

    def storage(self, scheme: str = "") -> Storage:
        """The storage: what is new goes to the one that `kernel.storage` names, what is there is read by the scheme of its URI.
        With a scheme, that storage alone: ``store`` is the one in the box. Raises `ConfigurationError`."""

    def storages(self) -> tuple[StorageRef, ...]:
        """How attempts' processes make the storage: the first is where what is new goes, the others are read from."""

    def environments(self) -> Environments:
        """What makes the environments of tasks. Raises `ConfigurationError`."""

    def notifiers(self) -> Mapping[str, Notifier]:
        """New notifiers, by their names: all that are installed and have channels. Whoever asks closes them. Raises
        `ConfigurationError` where settings are wrong."""

    def secret(self, name: str) -> str:
        """The value of a secret that settings name, from the source that ``secrets.source`` chooses, as it is now. May block.
        Raises as `SecretSource.get`, with no value in any message; `ConfigurationError` where there is no source."""
