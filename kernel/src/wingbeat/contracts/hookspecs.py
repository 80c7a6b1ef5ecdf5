"""The hooks of a plugin, in the order in which they are called: once each, when a kernel boots.

A plugin is a module named by an entry point of the group ``wingbeat``. It registers names and factories; the factory imports
what it needs on use. Nothing is called through pluggy after boot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:
    from wingbeat.contracts.admin import Admin
    from wingbeat.contracts.catalog import Catalog
    from wingbeat.contracts.engine import Engine, RemoteEngine
    from wingbeat.contracts.environment import Environments
    from wingbeat.contracts.executor import Executor
    from wingbeat.contracts.home import Home
    from wingbeat.contracts.journal import Journal
    from wingbeat.contracts.notifier import Notifier
    from wingbeat.contracts.observer import Observer
    from wingbeat.contracts.plugin import PluginInfo

hookspec = pluggy.HookspecMarker("wingbeat")
hookimpl = pluggy.HookimplMarker("wingbeat")


class Registrar(Protocol):
    """What a plugin is handed to register with. The name is what configuration chooses by; a duplicate is an error."""

    def executor(self, name: str, factory: Callable[[Home], Executor]) -> None:
        """Offer an executor."""

    def storage(self, scheme: str, target: str, settings: Callable[[Home], Mapping[str, Any]] | None = None) -> None:
        """Offer storage for a URI scheme: ``module:class`` of a `Storage`, which is made in the kernel and in the processes of
        attempts. `settings` gives what it is constructed with, as plain data."""

    def journal(self, name: str, factory: Callable[[Home], Journal]) -> None:
        """Offer a journal."""

    def catalog(self, name: str, factory: Callable[[Home], Catalog]) -> None:
        """Offer a catalog."""

    def environments(self, name: str, factory: Callable[[Home], Environments]) -> None:
        """Offer what makes the environments of tasks that run in processes."""

    def admin(self, name: str, factory: Callable[[Home, Engine], Admin]) -> None:
        """Offer an admin: the inventory and what launches from it, at the engine that it is given."""

    def engine(self, name: str, factory: Callable[[Home], RemoteEngine]) -> None:
        """Offer an engine that is somewhere else, for kernels that hold no home of their own."""

    def server(self, name: str, target: str, tokens: str = "") -> None:
        """Offer a server: ``module:function`` of a `wingbeat.contracts.server.Serve`.

        Args:
            tokens: Who issues tokens to attempts with which they may ask that server (contracts 0.3): ``module:class`` of a
                `wingbeat.contracts.secrets.SecretSource`, which is made and asked as those are; see
                `wingbeat.contracts.server`.
        """

    def observer(self, name: str, factory: Callable[[Home], Observer | None]) -> None:
        """Offer an observer of published events. All that are offered are told; None is one that its settings switch off."""

    def notifier(self, name: str, factory: Callable[[Home], Notifier | None]) -> None:
        """Offer a notifier. All that are offered have channels, each of a name of its own; None is one without any."""

    def secrets(self, name: str, target: str, settings: Callable[[Home], Mapping[str, Any]] | None = None) -> None:
        """Offer a source of secrets: ``module:class`` of a `wingbeat.contracts.secrets.SecretSource`, which is made in the
        processes of attempts. `settings` gives what it is constructed with; called when it is chosen and a task has secrets."""

    def wrapper(self, name: str, target: str) -> None:
        """Offer a wrapper (contracts 0.3): ``module:class`` of a `wingbeat.contracts.wrapper.Wrapper`, which is made in the
        processes of attempts.

        Args:
            name: That of the `WrapperSpec` by which tasks ask for it. Rules about executors know them by it.

        Raises: `ConfigurationError` for a place that cannot be one, and for ``python`` and ``container``, which to rules are tasks
        without a wrapper.
        """

    def command(self, name: str, target: str, help: str) -> None:  # as click calls it
        """Offer a command of ``wingbeat`` (contracts 0.2): ``module:attribute`` of a command or a group of click, which is imported
        when it is called; see `wingbeat.contracts.command`.

        Args:
            name: Small letters, digits and hyphens. One that the command line has itself, or that two plugins offer, is refused
                when it is called.

            help: Its line in ``wingbeat --help``.

        Raises: `ConfigurationError` for a name or a place that cannot be one.
        """


@hookspec
def wingbeat_plugin() -> PluginInfo:
    """Say for which contracts the plugin was built, and which settings it reads. Called first, once for each kernel, at boot.

    An installed plugin without it is refused.
    """
    raise NotImplementedError


@hookspec
def wingbeat_register(registrar: Registrar) -> None:
    """Register everything that the plugin offers. Called once for each kernel, at boot; must not do I/O."""


@hookspec
def wingbeat_types() -> None:
    """Register transformers for Python classes with `wingbeat.types.register`.

    Called at most once a process, when a type hint is not known; also in attempts' processes, without a kernel.
    """
