"""Who offers what: filled by the hooks at boot, asked by name afterwards."""

from __future__ import annotations

import logging
import pkgutil
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.units import sentence
from wingbeat.contracts.home import Home
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.contracts.secrets import SourceRef
from wingbeat.contracts.storage import StorageRef
from wingbeat.host.installed import OWN
from wingbeat.runtime.plugged import is_theirs

F = Callable[..., Any]
T = TypeVar("T")
SEAM_OF_ENVIRONMENTS = "maker of environments"
SEAM_OF_SECRETS = "source of secrets"
SEAM_OF_WRAPPERS = "wrapper"
WITHOUT_WRAPPER = ("python", "container")
"""What rules call the types of tasks that have no wrapper."""
SLOW_S = 1.0
"""What takes longer to be imported and made is told of."""

_log = logging.getLogger("wingbeat.plugins")


_COMMAND = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PLACE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


class CannotBeMade(ConfigurationError):
    """A factory has failed, by no fault of the settings."""


class Plugin(Struct, frozen=True):
    """A plugin that was loaded.

    Attributes:
        target: Its module; empty for one that the embedder gave.

        info: What it says of itself; None if it says nothing.

        import_s: How long its import took; 0 if somebody else had imported it.
    """

    name: str
    target: str
    info: PluginInfo | None
    import_s: float = 0.0


class Command(Struct, frozen=True):
    """A command that a plugin offers.

    Attributes:
        target: ``module:attribute`` of a command of click.

        help: What it is for, in one line.
    """

    name: str
    plugin: str
    target: str
    help: str


class Registry:
    """What the plugins of one kernel offer, by seam and name: a `wingbeat.contracts.hookspecs.Registrar`."""

    def __init__(self, plugin: str = "") -> None:
        self._offers: dict[str, dict[str, tuple[F, str]]] = {}
        self.plugins: dict[str, Plugin] = {}
        """By name, in the order in which they were loaded."""
        self.commands: list[Command] = []
        """As they were offered: whose a name is that comes twice is not decided here, so that kernels do without the answer."""
        self.tokens: dict[str, str] = {}
        """By the name of a server, who issues its tokens; empty if nobody does."""
        self.settings: dict[str, tuple[type[Struct], str]] = {}
        """By section of the configuration, who it is for: its struct, and the plugin that reads it (empty: the kernel)."""
        self.broken: dict[str, ConfigurationError] = {}
        """By plugin that cannot be used, why."""
        self.plugin = plugin
        """Who is registering now, for messages."""

    def executor(self, name: str, factory: F) -> None:
        """See `Registrar`."""
        self._add("executor", name, factory)

    def storage(self, scheme: str, target: str, settings: Callable[[Any], Mapping[str, Any]] | None = None) -> None:
        """See `Registrar`. The factory gives a `StorageRef`."""
        self._add(
            "storage",
            scheme,
            lambda home: StorageRef(scheme, target, dict(settings(home)) if settings is not None else {}),
        )

    def journal(self, name: str, factory: F) -> None:
        """See `Registrar`."""
        self._add("journal", name, factory)

    def catalog(self, name: str, factory: F) -> None:
        """See `Registrar`."""
        self._add("catalog", name, factory)

    def environments(self, name: str, factory: F) -> None:
        """See `Registrar`."""
        self._add(SEAM_OF_ENVIRONMENTS, name, factory)

    def observer(self, name: str, factory: F) -> None:
        """See `Registrar`."""
        self._add("observer", name, factory)

    def notifier(self, name: str, factory: F) -> None:
        """See `Registrar`."""
        self._add("notifier", name, factory)

    def admin(self, name: str, factory: F) -> None:
        """See `Registrar`."""
        self._add("admin", name, factory)

    def engine(self, name: str, factory: F) -> None:
        """See `Registrar`."""
        self._add("engine", name, factory)

    def server(self, name: str, target: str, tokens: str = "") -> None:
        """See `Registrar`. The factory gives the function."""
        self._add("server", name, lambda _: pkgutil.resolve_name(target))
        self.tokens[name] = tokens

    def secrets(self, name: str, target: str, settings: Callable[[Any], Mapping[str, Any]] | None = None) -> None:
        """See `Registrar`. The factory gives a `SourceRef`."""
        self._add(
            SEAM_OF_SECRETS,
            name,
            lambda home: SourceRef(name, target, dict(settings(home)) if settings is not None else {}),
        )

    def wrapper(self, name: str, target: str) -> None:
        """See `Registrar`. The factory gives the class."""
        if name in WITHOUT_WRAPPER:
            raise ConfigurationError(
                f"Plugin {self.plugin!r} offers a wrapper {name!r}, which is what tasks without one are called.",
                hint="Give it another name, such as that of the plugin.",
            )
        self._check_place(SEAM_OF_WRAPPERS, name, target, "module:class, such as acme.wrapper:AcmeWrapper.")
        self._add(SEAM_OF_WRAPPERS, name, lambda _: pkgutil.resolve_name(target))

    def command(self, name: str, target: str, help: str) -> None:  # as click calls it
        """See `Registrar`."""
        if not _COMMAND.fullmatch(str(name)):
            raise ConfigurationError(
                f"Plugin {self.plugin!r} offers a command {name!r}, which cannot be typed.",
                hint="Small letters, digits and hyphens, such as lines.",
            )
        self._check_place("command", name, target, "module:attribute, such as acme.command:lines.")
        line = "".join(letter for letter in " ".join(str(help).split()) if letter.isprintable())
        self.commands.append(Command(name, self.plugin, target, line))

    def section(self, name: str, struct: type[Struct]) -> None:
        """Note who reads a section of the configuration. Raises ConfigurationError if somebody else does."""
        other = self.settings.get(name)
        if other is not None:
            raise ConfigurationError(
                f"The section {name!r} of the settings is read by both {other[1] or 'the kernel'} and {self.plugin}.",
                hint=f"Switch one off: plugins.disabled = [{self.plugin!r}].",
            )
        self.settings[name] = struct, self.plugin

    def take(self, other: Registry) -> None:
        """Take over what one plugin has registered. Raises ConfigurationError where somebody else offers the same."""
        self.plugin = other.plugin
        for seam, offers in other._offers.items():
            for name, (factory, _) in offers.items():
                self._add(seam, name, factory)
        self.commands += other.commands
        self.tokens |= other.tokens

    def offers(self, plugin: str) -> list[tuple[str, str]]:
        """What a plugin offers: seams and names."""
        found = [(s, n) for s, offers in self._offers.items() for n, (_, by) in offers.items() if by == plugin]
        return [*found, *(("command", command.name) for command in self.commands if command.plugin == plugin)]

    def names(self, seam: str) -> list[str]:
        """What is offered for a seam."""
        return sorted(self._offers.get(seam, {}))

    def factory(self, seam: str, name: str, besides: str = "") -> F:
        """The factory of that name. Raises ConfigurationError with what is installed, and what can be said `besides`."""
        try:
            return self._offers[seam][name][0]
        except KeyError:
            names = self.names(seam)
            hint = f"Installed: {', '.join(names)}." if names else "None is installed."
            broken = [sentence(error.message) for error in self.broken.values()]  # it may be one of theirs
            raise ConfigurationError(
                f"There is no {seam} {name!r}.", hint=" ".join([hint, *([besides] if besides else []), *broken])
            ) from None

    def make(self, seam: str, name: str, home: Home, *more: Any) -> Any:
        """What the factory of that name makes. Raises ConfigurationError for settings that it refuses, else `CannotBeMade`."""
        factory, begin = self.factory(seam, name), time.perf_counter()
        plugin = self._offers[seam][name][1]
        try:
            made = factory(home, *more)
        except ConfigurationError as error:
            if plugin == OWN:
                raise
            off = f"Or switch the plugin off with plugins.disabled = [{plugin!r}]."
            raise ConfigurationError(
                f"The {seam} {name!r} of plugin {plugin!r} cannot be made: {sentence(error.message)}",
                hint=f"{sentence(error.hint)} {off}" if error.hint else off,
            ) from error
        except BaseException as error:
            if not is_theirs(error):
                raise
            raise CannotBeMade(
                f"The {seam} {name!r} of plugin {plugin!r} cannot be made: {type(error).__name__}: {error}.",
                hint=f"Switch the plugin off with plugins.disabled = [{plugin!r}], or repair it.",
            ) from error
        if (took := time.perf_counter() - begin) > SLOW_S:
            told = "The %s %r of plugin %r took %.1f s to be imported and made; all else has waited for it."
            _log.warning(told, seam, name, plugin, took)
        return made

    def _check_place(self, seam: str, name: str, target: str, hint: str) -> None:
        if not _PLACE.fullmatch(str(target)):
            raise ConfigurationError(
                f"Plugin {self.plugin!r} says that its {seam} {name!r} is at {target!r}, which is no place.", hint=hint
            )

    def _add(self, seam: str, name: str, factory: F) -> None:
        if not name or type(name) is not str:
            raise ConfigurationError(
                f"Plugin {self.plugin!r} gives the {seam} that it offers the name {name!r}, which is no text.",
                hint=f"Switch it off with plugins.disabled = [{self.plugin!r}], or repair it.",
            )
        offers = self._offers.setdefault(seam, {})
        if name in offers:
            raise ConfigurationError(
                f"The {seam} {name!r} is offered by both {offers[name][1]} and {self.plugin}.",
                hint=f"Switch one off: plugins.disabled = [{self.plugin!r}].",
            )
        offers[name] = (factory, self.plugin)
