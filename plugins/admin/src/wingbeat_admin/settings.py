"""Settings of the admin, by the section ``admin``."""

from __future__ import annotations

from msgspec import Struct


class AdminSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the admin of a server elsewhere is reached.

    Attributes:
        endpoint: URL of the server, as ``http://127.0.0.1:8765``. `WINGBEAT_ENDPOINT` and ``--endpoint`` set it for commands.

        timeout_s: Seconds after which a call that has not answered has failed.
    """

    endpoint: str = ""
    timeout_s: float = 30.0
