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
        auth: ``off``: whoever reaches it, at the loopback only. ``keys``: who has an API key, for what it was granted. ``oidc``:
            also who has a token of the provider `issuer`.

        hosts: Names, with the port where it is not that of the scheme, by which others call it: ``["wingbeat.example.org"]``.
            What the header ``Host`` of a request says besides these and the address it listens at is refused.

        issuer: URL of an OpenID provider, exactly as it says it itself.

        client: Id of a client there, which is one of programs: without a secret, for the code flow with PKCE and the device flow.
            Tokens have to be for it.

        user_claim: Claim that names a user: ``user:ana@example.org``. An ``email`` has to be verified.

        groups_claim: Claim with the names of its groups: ``group:maps``.

        scopes: What is asked for at a login.
    """

    auth: Literal["off", "keys", "oidc"] = "off"
    hosts: tuple[str, ...] = ()
    issuer: str = ""
    client: str = ""
    user_claim: str = "email"
    groups_claim: str = "groups"
    scopes: tuple[str, ...] = ("openid", "email", "profile", "groups", "offline_access")
