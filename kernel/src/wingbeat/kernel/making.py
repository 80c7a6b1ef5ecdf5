"""What a kernel is made of; and what is done without, where the factory of something that nobody has chosen fails."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Iterator, Sequence
from functools import cache
from pkgutil import resolve_name

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.executor import AttemptRequest, Capabilities, Executor, Sink
from wingbeat.contracts.observer import Observer
from wingbeat.contracts.server import Serve
from wingbeat.engine.clock import SystemClock
from wingbeat.engine.engine import LocalEngine
from wingbeat.engine.parts import Parts
from wingbeat.engine.rules import Rule
from wingbeat.host.home import HomeFolder
from wingbeat.host.registry import (
    SEAM_OF_ENVIRONMENTS,
    SEAM_OF_SECRETS,
    SEAM_OF_WRAPPERS,
    WITHOUT_WRAPPER,
    CannotBeMade,
    Registry,
)
from wingbeat.kernel.settings import KernelSettings, PoolSettings

_log = logging.getLogger("wingbeat.plugins")
BESIDES = {
    "engine": "'local' is that of the home, and always there.",
    "catalog": "'none' is to do without one; pip install wingbeat-catalog.",
    "admin": "pip install wingbeat-admin.",
}
"""What there is where something is not installed, by seam."""
WRAPPERS_SINCE = (0, 3)
"""Contracts in which plugins say what their wrappers are called."""


class Unmade:
    """An executor that could not be made: tasks that are to run on it are told why."""

    capabilities = Capabilities()

    def __init__(self, error: ConfigurationError) -> None:
        self._error = error

    async def start(self, sink: Sink) -> None:
        """Raises what the factory raised."""
        raise self._error

    async def submit(self, request: AttemptRequest) -> None:
        """Nothing is submitted to what has not started."""
        raise self._error

    async def recover(self, requests: Sequence[AttemptRequest]) -> None:
        """See `submit`."""
        raise self._error

    async def cancel(self, attempt: str, reason: str) -> None:
        """See `submit`."""
        raise self._error

    async def list(self) -> list[str]:
        """There are none."""
        return []

    async def close(self) -> None:
        """There is nothing to let go of."""


def booted(home: HomeFolder, plugins: Sequence[object], *, discover: bool) -> Registry:
    """What is installed, and what `plugins` offer besides, with the settings of a home; warns of what nobody reads. Raises
    ConfigurationError."""
    from wingbeat.host.discover import BUILTIN, PluginSettings, boot
    from wingbeat.host.installed import installed_plugins
    from wingbeat.kernel.settings import OWN

    settings = logging.getLogger("wingbeat.settings")
    home.configuration.check()
    of_plugins = home.settings("plugins", PluginSettings)
    installed = installed_plugins(home.folder / "plugins.json", of_plugins.disabled) if discover else {}
    registry = boot(plugins, installed, of_plugins, OWN)
    known = {section: struct for section, (struct, _) in registry.settings.items()}
    others = {*of_plugins.disabled, *registry.broken}  # what is off may keep its own
    home.configuration.check_given(known, others)
    home.configuration.tell_unread({*known, *others})
    for name in {*of_plugins.disabled}.difference(registry.plugins, installed, BUILTIN):
        there = ", ".join({**BUILTIN, **installed})
        settings.warning("plugins.disabled names %r, which is not installed; installed: %s", name, there)
    chosen = home.settings("kernel", KernelSettings)
    home.use(registry, chosen.of_home)
    for _, error in wrong_choices(registry, chosen, str(home.configuration.merged("secrets").get("source", ""))):
        raise error
    return registry


def wrong_choices(
    registry: Registry, chosen: KernelSettings, source: str
) -> Iterator[tuple[tuple[str, str], ConfigurationError]]:
    """What is chosen by name and not installed, by section and key: found before anything is begun, also for an admin, which is
    made when it is first asked for, and for the `source` of secrets: a task that has some may come late. Where the engine is
    elsewhere, what only that of the home uses is not looked for."""
    names = {
        ("kernel", "storage"): ("storage", chosen.storage),
        ("kernel", "environments"): (SEAM_OF_ENVIRONMENTS, chosen.environments),
        ("kernel", "admin"): ("admin", chosen.admin),
    }
    if chosen.engine == "local":
        names |= {("kernel", seam): (seam, getattr(chosen, seam)) for seam in ("journal", "executor", "catalog")}
        names["secrets", "source"] = SEAM_OF_SECRETS, source
    else:
        names["kernel", "engine"] = "engine", chosen.engine
    for key, (seam, name) in names.items():
        if name and (seam, name) != ("catalog", "none"):
            try:
                registry.factory(seam, name, BESIDES.get(seam, ""))
            except ConfigurationError as error:
                yield key, error
    if chosen.engine == "local":
        try:
            check_rules(registry, chosen.rules)
        except ConfigurationError as error:
            yield ("kernel", "rules"), error


def check_rules(registry: Registry, rules: Sequence[Rule]) -> None:
    """Raise ConfigurationError for an executor that is not installed; warn of a type of tasks that nothing here may make."""
    executors = {*registry.names("executor"), "inline"}
    wrappers = registry.names(SEAM_OF_WRAPPERS)
    older = [p.name for p in registry.plugins.values() if p.info is not None and p.info.api < WRAPPERS_SINCE]
    types = (*WITHOUT_WRAPPER, *wrappers, *older)  # of those, most have the name of their wrapper
    for number, rule in enumerate(rules, 1):
        if rule.executor not in executors:
            raise ConfigurationError(
                f"The rule {number} of kernel.rules names the executor {rule.executor!r}, which is not installed.",
                hint=f"Installed: {', '.join(registry.names('executor'))}.",
            )
        if not fnmatch.filter(types, rule.type):
            told = "The rule %d of kernel.rules is for tasks of the type %r, which nothing here is known to make. Known are: %s"
            known = ", ".join([*WITHOUT_WRAPPER, *wrappers])
            logging.getLogger("wingbeat.settings").warning(told, number, rule.type, known)


def engine_of(registry: Registry, home: HomeFolder, inline: Executor | None, inlined: frozenset[str]) -> LocalEngine:
    """The engine of the process that holds the home, not started yet; `inline` runs the tasks of these names. Raises
    ConfigurationError."""
    chosen = home.settings("kernel", KernelSettings)
    executors = executors_of(registry, home, chosen.executor)
    if inline is not None:
        executors["inline"] = inline
    catalogs = registry.names("catalog")
    catalog = chosen.catalog or (catalogs[0] if len(catalogs) == 1 else "none")
    if not chosen.catalog and len(catalogs) > 1:
        raise ConfigurationError(
            f"Several catalogs are installed: {', '.join(catalogs)}.", hint="Choose with kernel.catalog."
        )
    made = None if catalog == "none" else registry.make("catalog", catalog, home)
    parts = Parts(
        journal=registry.make("journal", chosen.journal, home),
        storage=home.storage(),
        executors=executors,
        clock=SystemClock(),
        catalog=made,
        catalog_name=catalog,
        journal_name=chosen.journal,
        observers=observers_of(registry, home),
        default_executor=chosen.executor,
        rules=chosen.rules,
        inline=inlined,
        pools=home.settings("pools", PoolSettings).limits,
        secrets=cache(home.source),
        tokens=home.tokens,
    )
    return LocalEngine(parts)


def server_of(registry: Registry, home: HomeFolder) -> Serve:
    """The server that is installed; who issues its tokens is ready then. Raises ConfigurationError."""
    offered = registry.names("server")
    if not offered:
        raise ConfigurationError("There is no server.", hint='Install one: pip install "wingbeat-admin[server]".')
    made: Serve = registry.make("server", offered[0], home)
    if (issuer := registry.tokens.get(offered[0])) and (ready := getattr(resolve_name(issuer), "prepare", None)):
        ready(str(home.folder))
    return made


def executors_of(registry: Registry, home: HomeFolder, default: str) -> dict[str, Executor]:
    """Every executor that is offered. Raises ConfigurationError where the default one cannot be made, or settings are wrong."""
    found: dict[str, Executor] = {}
    for name in registry.names("executor"):
        try:
            found[name] = registry.make("executor", name, home)
        except CannotBeMade as error:
            if name == default:
                raise
            found[name] = Unmade(error)
    return found


def observers_of(registry: Registry, home: HomeFolder) -> dict[str, Observer]:
    """Every observer that is offered and not switched off; one that cannot be made is warned of. Raises ConfigurationError where
    settings are wrong."""
    found: dict[str, Observer] = {}
    for name in registry.names("observer"):
        try:
            made = registry.make("observer", name, home)
        except CannotBeMade as error:
            _log.warning("It is done without: %s", error.message)
            continue
        if made is not None:
            found[name] = made
    return found
