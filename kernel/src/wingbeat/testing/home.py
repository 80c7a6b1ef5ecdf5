"""A home for tests: what the factory of a plugin is given, without a kernel."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from wingbeat.attempts import files_at
from wingbeat.base.errors import ConfigurationError
from wingbeat.base.settings import from_environment, settings
from wingbeat.builtin.filestore import SCHEME, FileStore
from wingbeat.contracts.secrets import SecretMissing

if TYPE_CHECKING:
    from wingbeat.contracts.environment import Environments
    from wingbeat.contracts.notifier import Notifier
    from wingbeat.contracts.storage import Storage, StorageRef

S = TypeVar("S", bound=Struct)


class TemporaryHome:
    """A `wingbeat.contracts.home.Home` in a folder, with the storage of the box.

    Files of settings of the machine are not read: a test goes by what it is given, and by ``WINGBEAT_SECTION__KEY``.

    Args:
        folder: Made if it is not there.

        given: Settings by section.

        secrets: Values by name.
    """

    def __init__(
        self,
        folder: Path,
        given: Mapping[str, Mapping[str, Any]] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._given, self._secrets = folder.absolute(), given or {}, secrets or {}
        self._storage: Storage | None = None

    @property
    def path(self) -> str:
        """See `Home.path`."""
        return str(self._folder)

    def settings(self, section: str, struct: type[S]) -> S:
        """See `Home.settings`."""
        return self.read(section, struct, self._given)

    @staticmethod
    def read(section: str, struct: type[S], given: Mapping[str, Mapping[str, Any]]) -> S:
        """A section out of what was given, by section, and of the environment. Raises ConfigurationError."""
        layers = [
            ("given to the test", given.get(section, {})),
            ("environment", from_environment(os.environ, section)),
        ]
        return settings(section, struct, layers)

    def storage(self, scheme: str = SCHEME) -> Storage:
        """See `Home.storage`; there is only the one of the box."""
        if scheme not in ("", SCHEME):
            raise ConfigurationError(
                f"There is no storage {scheme!r} in a home of tests.", hint=f"There is {SCHEME!r}."
            )
        if self._storage is None:
            self._storage = FileStore(str(self._folder / "storage"))
        return self._storage

    def storages(self) -> tuple[StorageRef, ...]:
        """See `Home.storages`."""
        return (files_at(str(self._folder / "storage")),)

    def environments(self) -> Environments:
        """See `Home.environments`; there are those of the box."""
        from wingbeat.builtin.environments import UvEnvironments

        return UvEnvironments(self.storage(), cache_dir=str(self._folder / "bundles"))

    def notifiers(self) -> dict[str, Notifier]:
        """See `Home.notifiers`; there are none."""
        return {}

    def secret(self, name: str) -> str:
        """See `Home.secret`."""
        if name not in self._secrets:
            raise SecretMissing(f"There is no secret {name!r} in this home of tests.")
        return self._secrets[name]
