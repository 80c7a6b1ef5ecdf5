"""What the admin offers to the kernel: its hook implementations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat_admin.settings import AdminSettings, NotifySettings, ServerSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Struct

    from wingbeat.contracts.admin import Admin
    from wingbeat.contracts.engine import Engine, RemoteEngine
    from wingbeat.contracts.home import Home
    from wingbeat.contracts.hookspecs import Registrar
    from wingbeat_admin.client.api import Api
    from wingbeat_admin.client.transfer import Transfer
    from wingbeat_admin.place import Served

_OF_SERVER = ("joserfc", "litestar", "uvicorn")
"""What the extra ``server`` brings."""
KITS = tuple(f"wingbeat_admin.kits:{name}" for name in ("TestLocal", "TestOverHttp", "TestEngineOverHttp"))


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Issues tokens to attempts, of contracts 0.3; reads the sections ``admin``, ``notify`` and ``server``."""
    settings: dict[str, type[Struct]] = {"admin": AdminSettings, "notify": NotifySettings, "server": ServerSettings}
    return PluginInfo(api=(0, 3), settings=settings, kits=KITS)


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer the admin of this home under the name ``local``; admin and engine of a server as ``http``; and that server."""
    registrar.admin("local", _local)
    registrar.admin("http", _http)
    registrar.engine("http", _engine)
    registrar.server("http", "wingbeat_admin.plugin:serve", tokens="wingbeat_admin.attempt:AttemptToken")


async def serve(
    home: Home, engine: Engine, admin: Admin, *, host: str, port: int, ready: Callable[[str], None]
) -> None:
    """See `wingbeat.contracts.server.Serve`. Raises ConfigurationError where what it takes is not installed."""
    try:
        from wingbeat_admin.server.serving import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OF_SERVER:
            raise
        from wingbeat.base.errors import ConfigurationError

        raise ConfigurationError(
            f"The server needs {error.name}, which is not installed.", hint='pip install "wingbeat-admin[server]"'
        ) from None
    await serve(home, engine, admin, host=host, port=port, ready=ready)


def _local(home: Home, engine: Engine) -> Admin:
    from wingbeat_admin.local.admin import LocalAdmin
    from wingbeat_admin.place import server_of

    if served := server_of(home.path):  # it has the file for itself
        from wingbeat_admin.client.admin import HttpAdmin

        return HttpAdmin(*_client(home, served))
    told = home.settings("notify", NotifySettings)
    return LocalAdmin(
        Path(home.path, "admin.sqlite"),
        engine,
        home.storage(),
        notifiers=home.notifiers(),
        rules=told.rules,
        give_up_s=told.give_up_s,
        audit_days=home.settings("admin", AdminSettings).audit_days,
    )


def _http(home: Home, engine: Engine) -> Admin:
    from wingbeat_admin.client.admin import HttpAdmin
    from wingbeat_admin.client.engine import HttpEngine

    if isinstance(engine, HttpEngine):  # one connection for both
        return HttpAdmin(engine.api, engine.transfer)
    return HttpAdmin(*_client(home))


def _engine(home: Home) -> RemoteEngine:
    from wingbeat_admin.client.engine import HttpEngine

    return HttpEngine(*_client(home))


def _client(home: Home, served: Served | None = None) -> tuple[Api, Transfer]:
    from wingbeat_admin.client.api import Api
    from wingbeat_admin.client.signing import Signing
    from wingbeat_admin.client.transfer import Transfer

    settings = home.settings("admin", AdminSettings)
    if served is not None:
        owner = served

        async def key() -> str:
            return owner.key

        api = Api(owner.url, settings.timeout_s, key)
    else:
        api = Api(settings.endpoint, settings.timeout_s, Signing(settings.endpoint))
    return api, Transfer(api, home.storage(), str(Path(home.path, "scratch")))
