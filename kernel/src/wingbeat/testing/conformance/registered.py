"""The kit of what a plugin registers: its factory takes a home, and so do the kits.

::

    TestExecutor = kit("my_plugin.plugin", "executor", "mine")
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.testing.conformance.catalog import CatalogContract
from wingbeat.testing.conformance.environment import EnvironmentsContract
from wingbeat.testing.conformance.executor import ExecutorContract
from wingbeat.testing.conformance.journal import JournalContract
from wingbeat.testing.conformance.kit import Kit
from wingbeat.testing.conformance.observer import ObserverContract
from wingbeat.testing.conformance.plugin import PluginContract, offers_of
from wingbeat.testing.conformance.storage import StorageContract

KITS: dict[str, type[Kit]] = {
    "executor": ExecutorContract,
    "storage": StorageContract,
    "journal": JournalContract,
    "catalog": CatalogContract,
    "observer": ObserverContract,
    "environments": EnvironmentsContract,
}
"""The kits that need nothing but a factory, by seam."""
OWN = "kit"
"""In the place of a seam, for a test class that the plugin itself names in `PluginInfo.kits`."""


def kit(module: str, seam: str, name: str, settings: Mapping[str, Mapping[str, Any]] | None = None) -> type[Kit]:
    """A test class for what the plugin `module` registers as `name` at `seam`; `plugin` is the plugin itself,
    and `kit` a test class of its own, as ``module:class``.

    Args:
        settings: By section, what its factory is given.

    Raises:
        ConfigurationError: It registers nothing of that name, or there is no kit for what it is.
    """
    members: dict[str, Any] = {"settings": settings or {}}
    if seam == "plugin":
        return type("TestPlugin", (PluginContract,), {**members, "module": module, "name": name})
    if seam == OWN:
        return _own(name)
    if seam not in KITS:
        raise ConfigurationError(
            f"There is no kit that tests a {seam} by its name.",
            hint=f"There are kits for {', '.join(sorted(KITS))} and plugin; others want a test class.",
        )
    offers = {(seam, name): factory for seam, name, factory in offers_of(module)}
    if (seam, name) not in offers:
        found = ", ".join(f"{seam} {name!r}" for seam, name in offers) or "nothing"
        raise ConfigurationError(f"The plugin {module} registers no {seam} {name!r}.", hint=f"It registers {found}.")
    factory = offers[seam, name]
    if seam == "catalog":  # whose clock and neighbours nobody but its author knows
        members |= {"injects_clock": False, "shared": False}

    def offered(self: Kit, tmp_path: Path) -> None:
        """Skip what cannot be tested by its name."""
        made = factory(self.another_home(tmp_path, "asked"))
        if made is None and seam == "observer":
            pytest.skip("its settings switch it off; --set those that switch it on")
        if seam == "executor" and not made.capabilities.functions:
            pytest.skip(
                "it runs no Python functions: its author has to say what it runs, in a test class of PluginInfo.kits"
            )

    if seam in ("observer", "executor"):
        members["_offered"] = pytest.fixture(autouse=True)(offered)
    return type(f"Test{seam.capitalize()}", (KITS[seam],), {**members, "make": lambda self, home, *_: factory(home)})


def _own(target: str) -> type[Kit]:
    module, _, name = target.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"The kit {target} of the plugin cannot be imported: {error}.") from error
    if not (isinstance(found, type) and any(member.startswith("test_") for member in dir(found))):
        raise ConfigurationError(f"The kit {target} of the plugin is no class with tests.")
    return found
