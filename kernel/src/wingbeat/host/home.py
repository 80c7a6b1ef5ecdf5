"""The home: one folder with the state of an embedded engine.

::

    journal.sqlite   what happened            storage/    values, files, code bundles, by content
    catalog.sqlite   the catalog's            attempts/   one folder for each attempt: inputs, outputs, log
    kernel.lock      held by the process that works here; kernel.sock is how others reach it
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.host.config import Configuration
from wingbeat.host.registry import Registry

if TYPE_CHECKING:
    from wingbeat.contracts.storage import Storage

S = TypeVar("S", bound=Struct)


def home_path(given: str | os.PathLike[str] | None = None) -> Path:
    """The home: what is given, else ``$WINGBEAT_HOME``, else ``.wingbeat`` in the current folder. It need not exist."""
    return Path(given or os.environ.get("WINGBEAT_HOME") or ".wingbeat").absolute()


def make_home(folder: Path) -> None:
    """Make the folder, readable by its owner only, and keep it out of version control. Raises ConfigurationError."""
    try:
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is a file")
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (folder / ".gitignore").write_text("*\n")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise ConfigurationError(
            f"The home {folder} cannot be used: {error.strerror}.",
            hint="WINGBEAT_HOME names the folder where Wingbeat keeps its state.",
        ) from error


class HomeFolder:
    """A home on disk: a `wingbeat.contracts.home.Home`."""

    def __init__(self, path: Path, configuration: Configuration) -> None:
        self.folder, self.configuration = path, configuration
        self._storages: dict[str, Storage] = {}
        self._factories: dict[str, Callable[[Any], Storage]] = {}

    @property
    def path(self) -> str:
        """See `Home.path`."""
        return str(self.folder)

    def create(self) -> None:
        """See `make_home`."""
        make_home(self.folder)

    def settings(self, section: str, struct: type[S]) -> S:
        """See `Home.settings`."""
        return self.configuration.section(section, struct)

    def use(self, registry: Registry) -> None:
        """Have the storages that plugins offer."""
        self._factories = {scheme: registry.factory("storage", scheme) for scheme in registry.names("storage")}

    def storage(self, scheme: str = "store") -> Storage:
        """See `Home.storage`: one object for each scheme, made on first use."""
        if scheme not in self._factories:
            raise ConfigurationError(
                f"There is no storage for {scheme}:.",
                hint=f"Installed: {', '.join(sorted(self._factories)) or 'none'}.",
            )
        if scheme not in self._storages:
            self._storages[scheme] = self._factories[scheme](self)
        return self._storages[scheme]
