"""Who offers what: filled by the hooks at boot, asked by name afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from wingbeat.base.errors import ConfigurationError

F = Callable[[Any], Any]
T = TypeVar("T")


class Registry:
    """What the plugins of one kernel offer, by seam and name: a `wingbeat.contracts.hookspecs.Registrar`."""

    def __init__(self) -> None:
        self._offers: dict[str, dict[str, tuple[F, str]]] = {}
        self.sections: set[str] = set()
        """Sections of the settings that somebody reads."""
        self.plugin = ""
        """Who is registering now, for messages."""

    def executor(self, name: str, factory: F) -> None:
        """See `Registrar`."""
        self._add("executor", name, factory)

    def storage(self, scheme: str, factory: F) -> None:
        """See `Registrar`."""
        self._add("storage", scheme, factory)

    def journal(self, name: str, factory: F) -> None:
        """See `Registrar`."""
        self._add("journal", name, factory)

    def catalog(self, name: str, factory: F) -> None:
        """See `Registrar`."""
        self._add("catalog", name, factory)

    def observer(self, name: str, factory: F) -> None:
        """See `Registrar`."""
        self._add("observer", name, factory)

    def section(self, name: str) -> None:
        """See `Registrar`."""
        self.sections.add(name)

    def names(self, seam: str) -> list[str]:
        """What is offered for a seam."""
        return sorted(self._offers.get(seam, {}))

    def factory(self, seam: str, name: str) -> F:
        """The factory of that name. Raises ConfigurationError with what is installed."""
        try:
            return self._offers[seam][name][0]
        except KeyError:
            installed = ", ".join(self.names(seam)) or "none"
            raise ConfigurationError(f"There is no {seam} {name!r}.", hint=f"Installed: {installed}.") from None

    def _add(self, seam: str, name: str, factory: F) -> None:
        offers = self._offers.setdefault(seam, {})
        if name in offers:
            raise ConfigurationError(
                f"The {seam} {name!r} is offered by both {offers[name][1]} and {self.plugin}.",
                hint=f"Switch one off: plugins.disabled = [{self.plugin!r}].",
            )
        offers[name] = (factory, self.plugin)
