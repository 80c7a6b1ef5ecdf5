"""The way to the container engine, taken when it is needed first: whoever runs no containers need not have one."""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat_container.images import Images
from wingbeat_container.model import Refused, Unreachable
from wingbeat_container.settings import ContainerSettings

if TYPE_CHECKING:
    from wingbeat_container.client import Engine

AGAIN_S = 0.5


class Link(Struct, frozen=True):
    """An engine that has answered. `user` is whom containers run as whose tasks name none."""

    engine: Engine
    images: Images
    name: str
    user: str


class Connection:
    """The engine that the settings name."""

    def __init__(self, settings: ContainerSettings) -> None:
        self._settings = settings
        self._opening: asyncio.Task[Link] | None = None
        self._link: Link | None = None

    @property
    def name(self) -> str:
        """Name and version of the engine; empty before it has answered."""
        return "" if self._link is None else self._link.name

    async def get(self, *, patient: bool = False) -> Link:
        """The engine. It may have gone down since it answered first.

        Args:
            patient: Something may run there already, so nothing follows from its silence.

        Raises:
            ConfigurationError: It has never answered, and was asked for as long as `connect_s` says.

            Unreachable: The same, if `patient`.
        """
        if self._link is None:
            if self._opening is None or self._opening.done():
                self._opening = asyncio.create_task(self._open())
            try:
                self._link = await asyncio.shield(self._opening)  # all who ask meanwhile wait for the same answer
            except ConfigurationError as error:
                if patient:
                    raise Unreachable(error.message) from error
                raise
        return self._link

    async def close(self) -> None:
        """Hang up."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        if self._link is not None:
            await self._link.images.close()
            await self._link.engine.close()

    async def _open(self) -> Link:
        client: Any = await asyncio.to_thread(importlib.import_module, "wingbeat_container.client")
        path = client.socket_path(self._settings.socket)
        engine: Engine = client.Engine(path, self._settings.request_s)
        end = time.monotonic() + self._settings.connect_s
        try:
            while True:
                try:
                    name, rootless = await engine.describe()
                    break
                except (Unreachable, Refused) as error:
                    if time.monotonic() > end:
                        raise ConfigurationError(
                            f"No container engine answers at {path}: {error}.",
                            hint='Start Docker or Podman (podman system service), or name its socket: [container] socket = "…".',
                        ) from error
                await asyncio.sleep(AGAIN_S)
        except BaseException:
            await engine.close()
            raise
        # Root in the containers of an engine without root is who runs it; elsewhere files must not become root's.
        user = "0:0" if rootless else f"{os.getuid()}:{os.getgid()}"
        return Link(engine, Images(engine, self._settings.pull_s), name, user)
