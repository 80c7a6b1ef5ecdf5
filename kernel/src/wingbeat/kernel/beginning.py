"""Admins, and engines elsewhere: plugins that a kernel opens itself. They begin and close in time, or are named and left behind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from wingbeat.base.errors import ConfigurationError, WingbeatError
from wingbeat.calls import Calls, NoAnswer, why
from wingbeat.contracts.admin import Admin
from wingbeat.contracts.engine import Engine, RemoteEngine
from wingbeat.host.home import HomeFolder
from wingbeat.host.registry import Registry
from wingbeat.kernel.settings import KernelSettings
from wingbeat.kernel.whole import opened

BEGIN_S_MAX = 120.0
"""A store may have to be brought to a new form first."""
CLOSE_S_MAX = 30.0

Close: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""Closes what has begun; raises nothing."""

_log = logging.getLogger("wingbeat.plugins")


async def admin_of(registry: Registry, home: HomeFolder, engine: Engine) -> tuple[Admin, Close]:
    """The admin that configuration chooses, started; without a choice, the one of the engine's name. Raises ConfigurationError."""
    chosen = home.settings("kernel", KernelSettings)
    offered = registry.names("admin")
    name = chosen.admin or (offered[0] if len(offered) == 1 else chosen.engine)
    if not offered:
        raise ConfigurationError(
            "There is no admin: nothing keeps what is registered.", hint="Install one: pip install wingbeat-admin."
        )
    if not chosen.admin and name not in offered:
        raise ConfigurationError(
            f"Several admins are installed ({', '.join(offered)}), and none has the name of the engine, {name!r}.",
            hint="Choose with kernel.admin.",
        )
    made: Admin = registry.make("admin", name, home, engine)
    return made, await _began(made, "admin", name, "start")


async def engine_elsewhere(registry: Registry, home: HomeFolder, name: str) -> tuple[RemoteEngine, Close]:
    """The engine of that name, opened. Raises ConfigurationError."""
    made: RemoteEngine = registry.make("engine", name, home)
    return made, await _began(made, "engine", name, "open")


async def _began(plugin: Any, seam: str, name: str, call: str) -> Close:
    """Have a plugin begin by `call`, or else close it.

    Raises:
        WingbeatError: What it says of ours; for all else a ConfigurationError, with its name.
    """
    who = f"The {seam} {name!r}"
    calls = Calls(plugin, who)

    async def begin() -> None:
        try:
            await calls.ask_within(float(getattr(plugin, "patience_s", BEGIN_S_MAX)), call)
        except (Exception, SystemExit) as error:
            if isinstance(error, WingbeatError) and not isinstance(error, NoAnswer):
                raise
            raise ConfigurationError(
                f"{who} cannot be used: {why(error)} ({call}).",
                hint=f"Look at what it needs and waits for, or choose another one with kernel.{seam}.",
            ) from error

    async def close() -> None:
        try:
            await calls.close(CLOSE_S_MAX)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # it may raise anything; the others are to be closed too
            _log.warning("%s did not close in order: %s", who, why(error))

    await opened(begin(), close)
    return close
