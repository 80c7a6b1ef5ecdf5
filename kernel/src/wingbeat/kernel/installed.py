"""What is installed and how it is set up, for who looks at it: no engine is started, no home is made."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, structs

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.settings import Mistake, Said
from wingbeat.host.config import GIVEN, Configuration, Setting
from wingbeat.host.discover import BUILTIN, PluginSettings, boot
from wingbeat.host.home import HomeFolder, home_path
from wingbeat.host.installed import installed_plugins
from wingbeat.host.registry import Command, Plugin, Registry
from wingbeat.kernel.making import wrong_choices
from wingbeat.kernel.settings import OWN, KernelSettings, ProjectSettings
from wingbeat.runtime.distributions import distribution_of
from wingbeat.runtime.plugged import is_theirs
from wingbeat.types.registry import register_box, registered_by

S = TypeVar("S", bound=Struct)
Given = Mapping[str, Mapping[str, Any]]


class Offer(Struct, frozen=True):
    """Something that a plugin offers.

    Attributes:
        seam: ``executor``, ``storage``, ``journal``, ``catalog``, ``observer``, ….

        name: By which it is chosen; of types, the class.

        capabilities: Names of those that it has, where the seam has any.

        problem: Why they are not known; of a command, why it is not offered; of types, why there are none.
    """

    seam: str
    name: str
    capabilities: tuple[str, ...] = ()
    problem: str = ""


class PluginView(Struct, frozen=True):
    """A plugin.

    Attributes:
        name: By which `plugins.disabled` knows it.

        distribution: Name and version of the package that it came with.

        api: Version of the contracts that it was built for, as ``0.1``; empty if it cannot be told.

        import_s: How long the import of its module took.

        state: ``on``, ``off`` (by the settings) or ``broken``.

        problem: Of one that is broken, why.

        kits: Its own test classes, as ``module:class``.
    """

    name: str
    target: str
    distribution: str
    api: str = ""
    import_s: float = 0.0
    state: str = "on"
    problem: str = ""
    offers: tuple[Offer, ...] = ()
    sections: tuple[str, ...] = ()
    kits: tuple[str, ...] = ()


class CommandView(Struct, frozen=True):
    """A command of ``wingbeat`` that a plugin offers.

    Attributes:
        target: ``module:attribute`` of it.

        help: What it is for, in one line.

        file: The file of the plugin's module, which says all this; empty if it is in none.

        problem: Why it cannot be called: another plugin offers it, too.
    """

    name: str
    plugin: str
    target: str
    help: str
    file: str = ""
    problem: str = ""


def configuration_of(
    home: str | os.PathLike[str] | None = None, settings: Given | None = None, *, mistakes: list[Mistake] | None = None
) -> dict[str, list[Setting]]:
    """Every setting, by section; warns of what nobody reads.

    Args:
        mistakes: Takes what is wrong and does not hold, instead of its being raised: the rest is answered.

    Raises:
        ConfigurationError: Something does not fit, or a plugin cannot be used; a file cannot be read.
    """
    configuration = Configuration(settings)
    broken: dict[str, ConfigurationError] | None = None if mistakes is None else {}
    chosen = PluginSettings()
    with _noting(mistakes, "bundle"):
        configuration.check()
    with suppress(*([] if mistakes is None else [ConfigurationError])):  # it is told of with its section
        chosen = configuration.section("plugins", PluginSettings)
    registry = _booted(home_path(home), chosen, broken)
    structs_ = {section: struct for section, (struct, _) in registry.settings.items()}
    configuration.check_given(structs_, {*chosen.disabled, *registry.broken}, mistakes)
    configuration.tell_unread({*structs_, *chosen.disabled, *registry.broken})
    found = {section: configuration.explained(section, struct, mistakes) for section, struct in structs_.items()}
    if mistakes is not None:
        mistakes += _wrong_choices(registry, found)
    for error in (broken or {}).values():
        with _noting(mistakes, "plugins"):
            raise error
    return found


def _wrong_choices(registry: Registry, found: Mapping[str, list[Setting]]) -> Iterator[Mistake]:
    """What is chosen by name and not installed."""
    said = {(setting.section, setting.key): setting.said[0] for settings in found.values() for setting in settings}
    chosen = KernelSettings(**{key: value.value for (section, key), value in said.items() if section == "kernel"})
    for (section, key), error in wrong_choices(registry, chosen, said["secrets", "source"].value):
        yield Mistake(section, key, said[section, key], error)


@contextmanager
def _noting(mistakes: list[Mistake] | None, section: str) -> Iterator[None]:
    """Note what is wrong in a section as a whole, instead of its being raised."""
    try:
        yield
    except ConfigurationError as error:
        if mistakes is None:
            raise
        mistakes.append(Mistake(section, "", Said(None, ""), error))


def engine_of(settings: Given | None = None) -> str:
    """The name of the engine that kernels work with; ``local`` is that of the home. Raises ConfigurationError."""
    return Configuration(settings).section("kernel", KernelSettings).engine


def section_of(section: str, struct: type[S], settings: Given | None = None) -> S:
    """A section of the settings, as `struct`. Raises ConfigurationError."""
    return Configuration(settings).section(section, struct)


def place_of(settings: Given | None = None) -> tuple[str, str]:
    """The project and the domain of what commands name without them. Raises ConfigurationError."""
    found = Configuration(settings).section("project", ProjectSettings)
    return found.name, found.domain


def plugins_of(home: str | os.PathLike[str] | None = None, settings: Given | None = None) -> list[PluginView]:
    """Every plugin that is installed, also those that are switched off or cannot be used."""
    place, configuration = home_path(home), Configuration(settings)
    broken: dict[str, ConfigurationError] = {}
    registry = _boot(place, configuration, broken)
    folder = HomeFolder(place, configuration)
    with suppress(ConfigurationError):  # of what is chosen, which is looked at here for what it is
        folder.use(registry, configuration.section("kernel", KernelSettings).of_home)
    views = []
    for name, target in {**BUILTIN, **_installed(place, broken={})}.items():
        view = PluginView(name, target, distribution_of(target), state="off")
        if name in broken:
            view = structs.replace(view, state="broken", problem=str(broken[name]))
        elif (plugin := registry.plugins.get(name)) is not None:
            view = _on(view, plugin, registry, folder)
        views.append(view)
    return views


def commands_of(
    home: str | os.PathLike[str] | None = None, settings: Given | None = None
) -> tuple[list[CommandView], dict[str, str]]:
    """The commands that plugins offer, and by plugin why one cannot be used and what to do.

    Raises ConfigurationError where the settings do not say which plugins are used.
    """
    broken: dict[str, ConfigurationError] = {}
    registry = _boot(home_path(home), Configuration(settings), broken)
    found = [
        CommandView(c.name, c.plugin, c.target, c.help, _file_of(registry, c.plugin), _rivals(registry, c))
        for c in registry.commands
        if c.plugin not in broken
    ]
    return found, {name: f"{error.message} {error.hint}".rstrip() for name, error in broken.items()}


def _file_of(registry: Registry, plugin: str) -> str:
    return getattr(sys.modules.get(registry.plugins[plugin].target), "__file__", None) or ""


def _rivals(registry: Registry, command: Command) -> str:
    """Who offers a command of that name besides, in words; empty if nobody does."""
    others = [other.plugin for other in registry.commands if other is not command and other.name == command.name]
    return f"it is offered by {' and by '.join([command.plugin, *others])}" if others else ""


def _on(view: PluginView, plugin: Plugin, registry: Registry, home: HomeFolder) -> PluginView:
    offers = [_offer(registry, home, seam, name) for seam, name in registry.offers(plugin.name)]
    offers += _types(plugin)
    assert plugin.info is not None, "one that is installed says what it is"
    return structs.replace(
        view, state="on", api=".".join(map(str, plugin.info.api)), import_s=plugin.import_s, offers=tuple(offers),
        sections=tuple(plugin.info.settings), kits=plugin.info.kits,
    )  # fmt: skip


def _offer(registry: Registry, home: HomeFolder, seam: str, name: str) -> Offer:
    if seam == "command":
        return Offer(seam, name, problem=_rivals(registry, next(c for c in registry.commands if c.name == name)))
    if seam != "executor":
        return Offer(seam, name)
    try:
        able = registry.make(seam, name, home).capabilities
        return Offer(seam, name, tuple(field for field in able.__struct_fields__ if getattr(able, field)))
    except BaseException as error:
        if not is_theirs(error):
            raise
        return Offer(seam, name, problem=str(error).partition("\n")[0])


def _types(plugin: Plugin) -> list[Offer]:
    """The classes that a plugin registers: its hook is called, as where a type is not known."""
    module = sys.modules.get(plugin.target)
    hook = register_box if plugin.name in BUILTIN else getattr(module, "wingbeat_types", None)
    if hook is None:
        return []
    try:
        return [Offer("types", name) for name in registered_by(hook)]
    except BaseException as error:
        if not is_theirs(error):
            raise
        return [Offer("types", "", problem=f"{type(error).__name__}: {error}".partition("\n")[0])]


def _boot(place: Path, configuration: Configuration, broken: dict[str, ConfigurationError] | None) -> Registry:
    return _booted(place, configuration.section("plugins", PluginSettings), broken)


def _booted(place: Path, chosen: PluginSettings, broken: dict[str, ConfigurationError] | None) -> Registry:
    installed = _installed(place, chosen.disabled, broken)
    usable = {name: target for name, target in installed.items() if not broken or name not in broken}
    registry = boot([], usable, chosen, OWN, broken=broken)
    registry.broken |= broken or {}
    return registry


def _installed(
    place: Path, disabled: Collection[str] = (), broken: dict[str, ConfigurationError] | None = None
) -> dict[str, str]:
    return installed_plugins(place / "plugins.json", disabled, broken)


__all__ = [
    "GIVEN", "CommandView", "Mistake", "Offer", "PluginView", "Setting", "commands_of", "configuration_of", "engine_of",
    "plugins_of", "section_of",
]  # fmt: skip
