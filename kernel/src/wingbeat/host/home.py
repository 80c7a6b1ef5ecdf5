"""The home: one folder with the state of an embedded engine.

::

    journal.sqlite   what happened            storage/    values, files, code bundles, by content
    catalog.sqlite   the catalog's            attempts/   one folder for each attempt: inputs, outputs, log
    kernel.lock      held by the process that works here; kernel.sock is how others reach it
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.host.config import Configuration
from wingbeat.host.registry import SEAM_OF_ENVIRONMENTS, SEAM_OF_SECRETS, CannotBeMade, Registry
from wingbeat.runtime.storages import Storages
from wingbeat.spec.secrets import TOKEN

if TYPE_CHECKING:
    from wingbeat.contracts.environment import Environments
    from wingbeat.contracts.notifier import Notifier
    from wingbeat.contracts.secrets import SourceRef
    from wingbeat.contracts.storage import Storage, StorageRef

S = TypeVar("S", bound=Struct)
_log = logging.getLogger("wingbeat.plugins")
HOME_MARKER = ".wingbeat-home"
"""File in a home, by which a project knows that the folder is none of its sources, whichever storage is in it."""


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
            (folder / HOME_MARKER).touch()
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise ConfigurationError(
            f"The home {folder} cannot be used: {error.strerror}.",
            hint="WINGBEAT_HOME names the folder where Wingbeat keeps its state.",
        ) from error


class Choice(Struct, frozen=True):
    """What a home uses of what is offered, by name. See `KernelSettings`."""

    storage: str = "store"
    environments: str = "uv"


class HomeFolder:
    """A home on disk: a `wingbeat.contracts.home.Home`."""

    def __init__(self, path: Path, configuration: Configuration) -> None:
        self.folder, self.configuration = path, configuration
        self._registry = Registry()
        self._chosen = Choice()
        self._storage: Storages | None = None
        self._environments: Environments | None = None
        self._bounded: Environments | None = None

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

    def use(self, registry: Registry, chosen: Choice) -> None:
        """Have what plugins offer. Raises ConfigurationError for a choice that is not among it."""
        self._registry, self._chosen = registry, chosen
        registry.factory("storage", chosen.storage)
        registry.factory(SEAM_OF_ENVIRONMENTS, chosen.environments)

    def storage(self, scheme: str = "") -> Storage:
        """See `Home.storage`."""
        if self._storage is None:
            self._storage = Storages(self.storages())
        try:
            return self._storage.of(scheme) if scheme else self._storage
        except ValueError as error:
            raise ConfigurationError(f"Storage: {error}.") from None

    def storages(self) -> tuple[StorageRef, ...]:
        """See `Home.storages`. Those that are not chosen, and cannot be made as things are set up, are left out."""
        first = self._registry.make("storage", self._chosen.storage, self)
        others = []
        for scheme in self._registry.names("storage"):
            if scheme != self._chosen.storage:
                with suppress(ConfigurationError):
                    others.append(self._registry.make("storage", scheme, self))
        return (first, *others)

    def environments(self) -> Environments:
        """See `Home.environments`: one object, made on first use, whose calls end in time."""
        if self._bounded is None:
            from wingbeat.host.environments import BoundedEnvironments

            self._bounded = BoundedEnvironments(self.maker_of_environments(), self._chosen.environments)
        return self._bounded

    def maker_of_environments(self) -> Environments:
        """What the chosen plugin has made, itself: to see what else it can do. Raises ConfigurationError."""
        if self._environments is None:
            self._environments = self._registry.make(SEAM_OF_ENVIRONMENTS, self._chosen.environments, self)
        return self._environments

    def notifiers(self) -> dict[str, Notifier]:
        """See `Home.notifiers`. One that cannot be made is warned of."""
        found: dict[str, Notifier] = {}
        for name in self._registry.names("notifier"):
            try:
                made = self._registry.make("notifier", name, self)
            except CannotBeMade as error:
                _log.warning("It is done without: %s", error.message)
                continue
            if made is not None:
                found[name] = made
        return found

    def source(self) -> SourceRef:
        """The source of secrets that configuration chooses. Raises ConfigurationError."""
        from wingbeat.builtin.settings import SecretSettings

        made: SourceRef = self._registry.make(SEAM_OF_SECRETS, self.settings("secrets", SecretSettings).source, self)
        return made

    def tokens(self, attempt: str, launched_at: float) -> SourceRef:
        """The source of an attempt's token; see `wingbeat.contracts.server`. Raises ConfigurationError."""
        from wingbeat.contracts.secrets import SourceRef

        name = next(iter(self._registry.names("server")), "")
        target = self._registry.tokens.get(name)
        if not target:
            raise ConfigurationError(
                f"No server is installed that issues {TOKEN!r}.",
                hint='pip install "wingbeat-admin[server]", and serve this home.',
            )
        settings = {"home": self.path, "attempt": attempt, "launched_at": launched_at}
        return SourceRef(f"{TOKEN} of {name}", target, settings)

    def secret(self, name: str) -> str:
        """See `Home.secret`."""
        from wingbeat.runtime.secrets import load_source

        return load_source(self.source()).get(name)
