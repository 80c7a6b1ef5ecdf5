"""Plugins: those in the box, those installed (entry points of the group ``wingbeat``), those given by the embedder.

All enter by the same hooks. There is no global plugin manager: each kernel boots its own.
"""

from __future__ import annotations

import importlib
import logging
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pluggy
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.settings import Seconds
from wingbeat.contracts import hookspecs
from wingbeat.contracts.plugin import API_VERSION, PluginInfo, fits
from wingbeat.host.patience import Hangs, in_time
from wingbeat.host.project import BundleSettings
from wingbeat.host.registry import SLOW_S, Plugin, Registry
from wingbeat.runtime.distributions import distribution_of
from wingbeat.runtime.plugged import is_theirs

T = TypeVar("T")

_log = logging.getLogger("wingbeat.plugins")

BUILTIN = {"builtin": "wingbeat.builtin.plugin"}


class PluginSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which plugins are used.

    Attributes:
        disabled: Names of plugins to leave out.

        import_s: Longest time that importing a plugin may take, and asking it what it offers. One that takes longer is left out.
    """

    disabled: tuple[str, ...] = ()
    import_s: Seconds = 60.0


class Unusable(ConfigurationError):
    """A plugin has failed by itself: others do without it."""


OWN: Mapping[str, type[Struct]] = {"plugins": PluginSettings, "bundle": BundleSettings}
"""Sections of the settings that are read here."""


def boot(
    given: Sequence[object],
    installed: Mapping[str, str],
    chosen: PluginSettings | None = None,
    settings: Mapping[str, type[Struct]] | None = None,
    *,
    broken: dict[str, ConfigurationError] | None = None,
) -> Registry:
    """Load plugins and let them register: those in the box, those `installed` (module by name), those `given`.

    One of those installed that raises or hangs is done without: `Registry.broken` says why, and so does the log.

    Args:
        settings: Further sections of the settings that are read outside of plugins.

        broken: Takes, by plugin, why one cannot be used, for whatever reason, instead of its being raised or logged.

    Raises:
        ConfigurationError: A plugin was built for other contracts, or registers wrongly; one that was given fails. Names it and
            says how to switch it off.
    """
    chosen = chosen or PluginSettings()
    manager = pluggy.PluginManager("wingbeat")
    manager.add_hookspecs(hookspecs)
    for name in chosen.disabled:
        manager.set_blocked(name)
    registry = Registry()
    for section, struct in {**OWN, **(settings or {})}.items():
        registry.section(section, struct)
    for name, target in {**BUILTIN, **installed}.items():
        if manager.is_blocked(name):
            continue
        patience_s = math.inf if name in BUILTIN else chosen.import_s
        try:
            plugin, seconds = _load(name, target, patience_s)
            _register(manager, name, plugin)
            _admit(manager, registry, Plugin(name, target, None, seconds), plugin, patience_s)
        except ConfigurationError as error:
            if broken is not None:
                broken[name] = error
            elif not isinstance(error, Unusable):
                raise
            else:
                _log.warning("It is done without: %s %s", error.message, error.hint)
            registry.broken[name] = error
    for plugin in given:
        name = getattr(plugin, "__name__", repr(plugin))
        _register(manager, name, plugin)
        if not manager.get_hookcallers(plugin):
            raise ConfigurationError(
                f"What is given as a plugin to the kernel has no hook of one: {name}.",
                hint="Give a module or an object with functions that are marked with wingbeat.contracts.hookspecs.hookimpl.",
            )
        _admit(manager, registry, Plugin(name, "", None), plugin, math.inf)
    return registry


def _admit(manager: pluggy.PluginManager, registry: Registry, known: Plugin, plugin: object, patience_s: float) -> None:
    """Have one plugin say what it is, and register."""
    registry.plugin = name = known.name
    info = _call(manager, plugin, name, patience_s, "wingbeat_plugin")
    if info is None and known.target:
        raise ConfigurationError(
            f"Plugin {name!r} does not say for which contracts it was built: it has no hook wingbeat_plugin.",
            hint=_off(name),
        )
    if info is not None:
        _check(name, known.target, info)
    own = Registry(name)
    _call(manager, plugin, name, patience_s, "wingbeat_register", registrar=own)
    for section, struct in ({} if info is None else info.settings).items():
        registry.section(section, struct)
    registry.plugins[name] = Plugin(name, known.target, info, known.import_s)
    registry.take(own)


def _check(name: str, target: str, info: object) -> None:
    if not isinstance(info, PluginInfo):
        raise ConfigurationError(
            f"Plugin {name!r} answers wingbeat_plugin with {type(info).__name__}; a PluginInfo is wanted.",
            hint=_off(name),
        )
    api: Any = info.api
    if not (type(api) is tuple and len(api) == 2 and all(type(number) is int for number in api)):
        raise ConfigurationError(
            f"Plugin {name!r} says it was built for the contracts {api!r}; two numbers are wanted, as {API_VERSION}.",
            hint=_off(name),
        )
    wrong = [section for section, struct in info.settings.items() if not _is_struct(struct)]
    if wrong:
        raise ConfigurationError(
            f"Plugin {name!r} gives no msgspec.Struct for its settings [{wrong[0]}].", hint=_off(name)
        )
    if not fits(info.api):
        theirs, ours = (".".join(map(str, api)) for api in (info.api, API_VERSION))
        distribution = distribution_of(target) if target else ""
        hint = "Upgrade wingbeat." if info.api > API_VERSION else f"Upgrade {distribution or 'it'}."
        raise ConfigurationError(
            f"Plugin {name!r}{f' ({distribution})' if distribution else ''} was built for contracts {theirs}; "
            f"this wingbeat has {ours}.",
            hint=f"{hint} {_off(name)}",
        )


def _is_struct(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, Struct)


def _call(
    manager: pluggy.PluginManager, plugin: object, name: str, patience_s: float, hook: str, **arguments: Any
) -> Any:
    """What one plugin alone answers to a hook, None if it has none."""
    others = [other for other in manager.get_plugins() if other is not plugin]
    caller = manager.subset_hook_caller(hook, others)
    try:
        answers = _answered(lambda: caller(**arguments), patience_s)
    except ConfigurationError:
        raise
    except Hangs as error:
        raise Unusable(f"Plugin {name!r} hangs in {hook}: {_not_within(patience_s, error)}", hint=_off(name)) from None
    except BaseException as error:
        if not is_theirs(error):
            raise
        raise Unusable(
            f"Plugin {name!r} failed in {hook}: {type(error).__name__}: {error}.", hint=_off(name)
        ) from error
    return answers[0] if answers else None


def _answered(call: Callable[[], T], patience_s: float) -> T:
    return call() if patience_s == math.inf else in_time(call, patience_s)


def _not_within(seconds: float, error: Hangs) -> str:
    where = f", and stands in {error.place}" if error.place else ""
    return f"it has not come to an end within {seconds:g} s (plugins.import_s){where}."


def _load(name: str, target: str, patience_s: float) -> tuple[object, float]:
    known, begin = target in sys.modules, time.perf_counter()
    try:
        plugin = _answered(lambda: importlib.import_module(target), patience_s)
    except Hangs as error:
        told = f"Plugin {name!r} ({distribution_of(target) or target}) hangs when it is imported:"
        raise Unusable(f"{told} {_not_within(patience_s, error)}", hint=_off(name)) from None
    except BaseException as error:
        if not is_theirs(error):
            raise
        raise Unusable(
            f"Plugin {name!r} cannot be loaded: {type(error).__name__}: {error}.", hint=_off(name)
        ) from error
    took = 0.0 if known else time.perf_counter() - begin
    if took > SLOW_S:
        told = "Importing the plugin %r (%s) took %.1f s, as it does at every start. %s"
        _log.warning(told, name, distribution_of(target) or target, took, _off(name))
    return plugin, took


def _register(manager: pluggy.PluginManager, name: str, plugin: object) -> None:
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise ConfigurationError(f"Plugin {name!r} does not fit the hooks: {error}.", hint=_off(name)) from error
    except ValueError as error:  # with all that is registered as its text
        raise ConfigurationError(
            f"Plugin {name!r} is there twice: installed, and given to the kernel.",
            hint="Leave it out of Kernel(plugins=[…]), or use Kernel(discover=False).",
        ) from error


def _off(name: str) -> str:
    return f"Switch it off with plugins.disabled = [{name!r}], or repair it."
