"""The kit of what a plugin registers: its factory takes a home, and so do the kits.

::

    TestExecutor = kit("my_plugin.plugin", "executor", "mine")
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.admin import Notifying
from wingbeat.contracts.artifacts import Artifacts
from wingbeat.contracts.backfill import Backfilling
from wingbeat.contracts.catalog import Trimmable
from wingbeat.contracts.engine import Adjusting, Vouching
from wingbeat.contracts.journal import Prunable
from wingbeat.contracts.projects import Surveying
from wingbeat.contracts.references import Referring
from wingbeat.contracts.refusals import Refusing
from wingbeat.contracts.relaunch import Relaunching
from wingbeat.contracts.storage import Sweepable
from wingbeat.testing.conformance.admin import AdminContract
from wingbeat.testing.conformance.admin_backfill import BackfillContract
from wingbeat.testing.conformance.admin_projects import ProjectsContract
from wingbeat.testing.conformance.admin_references import ReferencesContract
from wingbeat.testing.conformance.admin_refusals import RefusalContract
from wingbeat.testing.conformance.admin_relaunch import RelaunchContract
from wingbeat.testing.conformance.admin_told import ToldContract
from wingbeat.testing.conformance.artifacts import ArtifactsContract
from wingbeat.testing.conformance.catalog import CatalogContract
from wingbeat.testing.conformance.catalog_trim import TrimContract
from wingbeat.testing.conformance.command import CommandContract
from wingbeat.testing.conformance.engine import EngineContract
from wingbeat.testing.conformance.engine_quotas import QuotasContract
from wingbeat.testing.conformance.engine_vouching import VouchingContract
from wingbeat.testing.conformance.environment import EnvironmentsContract
from wingbeat.testing.conformance.executor import ExecutorContract
from wingbeat.testing.conformance.journal import JournalContract
from wingbeat.testing.conformance.journal_prune import PruneContract
from wingbeat.testing.conformance.kit import Kit
from wingbeat.testing.conformance.notifier import NotifierContract
from wingbeat.testing.conformance.observer import ObserverContract
from wingbeat.testing.conformance.plugin import PluginContract, offers_of, registered
from wingbeat.testing.conformance.storage import StorageContract
from wingbeat.testing.conformance.storage_sweep import SweepContract
from wingbeat.testing.home import TemporaryHome

KITS: dict[str, type[Kit]] = {
    "executor": ExecutorContract,
    "storage": StorageContract,
    "journal": JournalContract,
    "catalog": CatalogContract,
    "observer": ObserverContract,
    "environments": EnvironmentsContract,
    "command": CommandContract,
    "admin": AdminContract,
    "engine": EngineContract,
    "notifier": NotifierContract,
}
"""The kits that need nothing but what was registered, by seam."""
OPTIONAL: dict[str, Sequence[tuple[type, type[Kit]]]] = {
    "catalog": ((Trimmable, TrimContract),),
    "journal": ((Prunable, PruneContract),),
    "storage": ((Sweepable, SweepContract),),
    "engine": ((Adjusting, QuotasContract), (Vouching, VouchingContract)),
    "admin": (
        (Artifacts, ArtifactsContract),
        (Notifying, ToldContract),
        (Backfilling, BackfillContract),
        (Surveying, ProjectsContract),
        (Referring, ReferencesContract),
        (Refusing, RefusalContract),
        (Relaunching, RelaunchContract),
    ),
}
"""What can be done besides, and the kit for it, where nothing else has to be known. Not those of admins that give roles, set up
places or forget: an admin may be that of a server where others work."""
OWN = "kit"
"""In the place of a seam, for a test class that the plugin itself names in `PluginInfo.kits`."""
SENDS_NOTHING = ("test_it_knows_its_channels", "test_closing_is_always_possible")
"""Tests of notifiers that may be run with the channels of a deployment."""


def kit(
    module: str,
    seam: str,
    name: str,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    patience_s: float | None = None,
) -> type[Kit]:
    """A test class for what the plugin `module` registers as `name` at `seam`; `plugin` is the plugin itself,
    and `kit` a test class of its own, as ``module:class``.

    Args:
        settings: By section, what its factory is given.

        patience_s: In the place of `Kit.patience_s`, that of the kit.

    Raises:
        ConfigurationError: It registers nothing of that name, or there is no kit for what it is.
    """
    patience = {} if patience_s is None else {"patience_s": patience_s}
    if seam == OWN:
        own = _own(name)
        return type(own.__name__, (own,), {"__doc__": own.__doc__, "__module__": own.__module__, **patience})
    members: dict[str, Any] = {"settings": settings or {}, **patience}
    if seam == "plugin":
        return type("TestPlugin", (PluginContract,), {**members, "module": module, "name": name})
    if seam not in KITS:
        raise ConfigurationError(
            f"There is no kit that tests a {seam} by its name.",
            hint=f"There are kits for {', '.join(sorted(KITS))} and plugin; others want a test class.",
        )
    if seam == "command":
        return type("TestCommand", (KITS[seam],), {**members, **_command(module, name)})
    factory = _factory(module, seam, name)
    kits = (*_able(seam, factory, settings), KITS[seam])
    return type(f"Test{seam.capitalize()}", kits, {**members, **_made(seam, factory)})


def _able(seam: str, factory: Callable[..., Any], settings: Mapping[str, Mapping[str, Any]] | None) -> list[type[Kit]]:
    """The kits for what it can do besides. One that cannot be made here has none, and its kit tells why."""
    if seam not in OPTIONAL:
        return []
    with tempfile.TemporaryDirectory(prefix="wingbeat-kit-") as folder:
        try:
            made = factory(TemporaryHome(Path(folder), settings))
        except (Exception, SystemExit):  # noqa: BLE001  # a plugin may raise anything
            return []
    return [kit for protocol, kit in OPTIONAL[seam] if isinstance(made, protocol)]


def _factory(module: str, seam: str, name: str) -> Callable[..., Any]:
    offers = {(seam, name): factory for seam, name, factory in offers_of(module)}
    if (seam, name) not in offers:
        found = ", ".join(f"{seam} {name!r}" for seam, name in offers) or "nothing"
        raise ConfigurationError(f"The plugin {module} registers no {seam} {name!r}.", hint=f"It registers {found}.")
    return offers[seam, name]


def _made(seam: str, factory: Callable[..., Any]) -> dict[str, Any]:
    """What the kit of a seam has to know, as far as a factory says it."""
    if seam == "engine":
        return {"opened": lambda self, home: _engine(factory(home))}
    if seam == "admin":  # of which nobody but its author knows what it looks for
        return {"opened": lambda self, home, engine: _admin(factory(home, engine)), "searches": None}
    members: dict[str, Any] = {"make": lambda self, home, *_: factory(home)}
    if seam == "catalog":  # whose clock and neighbours nobody but its author knows
        members |= {"injects_clock": False, "shared": False}

    def offered(self: Any, tmp_path: Path, request: pytest.FixtureRequest) -> None:
        """Skip what cannot be tested by its name."""
        made = factory(self.another_home(tmp_path, "asked"))
        if made is None:
            pytest.skip("its settings switch it off; --set those that switch it on")
        if seam == "executor" and not made.capabilities.functions:
            pytest.skip(
                "it runs no Python functions: its author has to say what it runs, in a test class of PluginInfo.kits"
            )
        if seam == "notifier":
            self.channel = next(iter(made.channels))
            if request.node.originalname not in SENDS_NOTHING:
                pytest.skip(
                    "it would be sent to the channels that its settings name: its author has to say where it arrives, in a "
                    "test class of PluginInfo.kits"
                )

    if seam in ("observer", "executor", "notifier"):
        members["_offered"] = pytest.fixture(autouse=True)(offered)
    return members


@contextlib.asynccontextmanager
async def _engine(engine: Any) -> AsyncIterator[Any]:
    try:
        await engine.open()
        yield engine
    finally:
        await engine.close()


@contextlib.asynccontextmanager
async def _admin(admin: Any) -> AsyncIterator[Any]:
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


def _command(module: str, name: str) -> dict[str, str]:
    found = {each: (target, line) for each, target, line in registered(module).commands}
    if name not in found:
        names = ", ".join(map(repr, found)) or "none"
        raise ConfigurationError(f"The plugin {module} registers no command {name!r}.", hint=f"It registers {names}.")
    target, line = found[name]
    return {"target": target, "line": line}


def _own(target: str) -> type[Kit]:
    module, _, name = target.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"The kit {target} of the plugin cannot be imported: {error}.") from error
    if not (isinstance(found, type) and any(member.startswith("test_") for member in dir(found))):
        raise ConfigurationError(f"The kit {target} of the plugin is no class with tests.")
    return found
