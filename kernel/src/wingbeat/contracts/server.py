"""Server: what makes a home reachable for others. One is in `wingbeat-admin`; there is no kit for it: its protocol is its own.

A server may issue tokens to attempts: a task that declares the secret ``@token`` has one, and asks the server with it. The plugin
names a source for that (`Registrar.server`), a `wingbeat.contracts.secrets.SecretSource` that is constructed by keyword with

- `home`: the folder of the home;
- `attempt`: the id of the attempt, ``execution/node/number``;
- `launched_at`: when its execution was launched, in epoch seconds: when that is gone, another one may have its id.

It is asked for ``@token`` and for `wingbeat.contracts.secrets.URL`, in another process than the server's, also while there is no
server: attempts begin before one that is started again answers. So it waits, and raises `SecretUnavailable` where none comes. At a
launch it is made with an empty id, and asked nothing: it raises `ConfigurationError` where nobody issues tokens in this home. A
static method `prepare`, where its class has one, is called with the folder of a home that is going to be served, before its admin
begins: what is due at once may ask for one. A token proves nothing by itself: the server asks the engine whether its attempt is
under way (`wingbeat.contracts.engine.Vouching`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wingbeat.contracts.admin import Admin
from wingbeat.contracts.engine import Engine
from wingbeat.contracts.home import Home


class Serve(Protocol):
    """A function that serves until it is cancelled."""

    async def __call__(
        self, home: Home, engine: Engine, admin: Admin, *, host: str, port: int, ready: Callable[[str], None]
    ) -> None:
        """Serve an engine and an admin, which are started and closed by the caller.

        Args:
            host: Address to listen at.

            port: 0 takes one that is free.

            ready: Called with the URL, once it answers there.

        Raises: `ConfigurationError` if it cannot listen there.
        """
