"""Settings of the admin, by the sections ``admin`` and ``server``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class AdminSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the admin of a server elsewhere is reached; and how long that of a home keeps what.

    Attributes:
        endpoint: URL of the server, as ``http://127.0.0.1:8765``. `WINGBEAT_ENDPOINT` and ``--endpoint`` set it for commands.

        timeout_s: Seconds after which a call that has not answered has failed.

        audit_days: Days for which entries of the audit log are kept.
    """

    endpoint: str = ""
    timeout_s: float = 30.0
    audit_days: Annotated[float, Meta(gt=0)] = 365.0


class ServerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may use a server.

    Attributes:
        auth: ``off``: whoever reaches it, at the loopback only. ``keys``: who has an API key, for what it was granted.

        hosts: Names, with the port where it is not that of the scheme, by which others call it: ``["wingbeat.example.org"]``.
            What the header ``Host`` of a request says besides these and the address it listens at is refused.
    """

    auth: Literal["off", "keys"] = "off"
    hosts: tuple[str, ...] = ()
