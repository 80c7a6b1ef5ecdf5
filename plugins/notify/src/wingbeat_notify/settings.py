"""Settings: the sections ``webhook`` and ``mail`` of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from wingbeat.spec.notifications import ChannelName

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=60)]


class WebhookChannel(Struct, frozen=True, forbid_unknown_fields=True):
    """A channel that is a URL.

    Attributes:
        url: Where messages are sent to: ``https://…`` or ``http://…``.

        url_secret: In its place, the name of the secret that is the URL: for those that hold a key.

        secret: Name of the secret by which messages are signed: ``whsec_`` and 24 to 64 bytes in base64. While it is being
            replaced it may be several, with spaces between them: each signs.

        format: ``standard`` is signed JSON by the Standard Webhooks scheme; ``slack`` is what Slack and Mattermost show, unsigned.
    """

    url: str = ""
    url_secret: str = ""
    secret: str = ""
    format: Literal["standard", "slack"] = "standard"


class WebhookSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Webhooks.

    Attributes:
        channels: By name, the URLs that are told: ``url`` or ``url_secret``, ``secret``, ``format``. Shown to nobody.

        hosts: Hosts that may have addresses that are not public: ``["alerts.internal", "127.0.0.1"]``.

        ca_file: File with the certificates of the authorities that are trusted, in place of the public ones.

        timeout_s: Seconds that a receiver has to take a message; at most 60.
    """

    channels: Annotated[dict[ChannelName, WebhookChannel], Meta(extra={"secret": True})] = {}
    hosts: tuple[str, ...] = ()
    ca_file: str = ""
    timeout_s: Seconds = 20.0


class MailChannel(Struct, frozen=True, forbid_unknown_fields=True):
    """A channel that is some addresses.

    Attributes:
        to: The addresses.
    """

    to: tuple[str, ...]


class MailSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Mail.

    Attributes:
        channels: By name, the addresses that are told: ``to``.

        server: Host of the mail server.

        port: Its port.

        tls: ``starttls`` and ``tls`` check the server's certificate, and send nothing without; ``none`` sends in the clear.

        sender: Address that messages come from.

        user: Name to log in with; empty logs in nowhere.

        password: Name of the secret that is the password.

        ca_file: File with the certificates of the authorities that are trusted, in place of the system's.

        timeout_s: Seconds that the server has to take a message; at most 60.
    """

    channels: dict[ChannelName, MailChannel] = {}
    server: str = ""
    port: Port = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = ""
    user: str = ""
    password: str = ""
    ca_file: str = ""
    timeout_s: Seconds = 30.0
