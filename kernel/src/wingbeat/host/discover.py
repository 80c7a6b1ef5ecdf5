"""Plugins: those in the box, those installed (entry points of the group ``wingbeat``), those given by the embedder.

All enter by the same hooks. There is no global plugin manager: each kernel boots its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping, Sequence

import pluggy
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts import hookspecs
from wingbeat.host.registry import Registry

OWN_SECTIONS = ("kernel", "plugins", "bundle", "pools")
"""Sections of the settings that are read outside of plugins."""
BUILTIN = {"builtin": "wingbeat.builtin.plugin"}


class PluginSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which plugins are used.

    Attributes:
        disabled: Names of plugins to leave out.
    """

    disabled: tuple[str, ...] = ()


def boot(given: Sequence[object], installed: Mapping[str, str], disabled: Collection[str]) -> Registry:
    """Load plugins and let them register: those in the box, those `installed` (module by name), those `given`.

    Raises:
        ConfigurationError: A plugin cannot be loaded or registers wrongly; names it and says how to switch it off.
    """
    manager = pluggy.PluginManager("wingbeat")
    manager.add_hookspecs(hookspecs)
    for name in disabled:
        manager.set_blocked(name)
    for name, target in {**BUILTIN, **installed}.items():
        if not manager.is_blocked(name):
            _register(manager, name, _load(name, target))
    for plugin in given:
        _register(manager, getattr(plugin, "__name__", repr(plugin)), plugin)
    registry = Registry()
    registry.sections.update(OWN_SECTIONS, installed, disabled)  # what is switched off may keep its settings
    for name, plugin in manager.list_name_plugin():
        hook = getattr(plugin, "wingbeat_register", None)
        if plugin is None or hook is None:
            continue
        registry.plugin = name
        try:
            manager.subset_hook_caller("wingbeat_register", [p for p in manager.get_plugins() if p is not plugin])(
                registrar=registry
            )
        except ConfigurationError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"Plugin {name!r} failed to register: {type(error).__name__}: {error}.", hint=_off(name)
            ) from error
    return registry


def _load(name: str, target: str) -> object:
    try:
        return importlib.import_module(target)
    except Exception as error:
        raise ConfigurationError(
            f"Plugin {name!r} cannot be loaded: {type(error).__name__}: {error}.", hint=_off(name)
        ) from error


def _register(manager: pluggy.PluginManager, name: str, plugin: object) -> None:
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise ConfigurationError(f"Plugin {name!r} does not fit the hooks: {error}.", hint=_off(name)) from error


def _off(name: str) -> str:
    return f"Switch it off with plugins.disabled = [{name!r}], or repair it."
