"""Webhooks: a message is a POST, which its receiver can check, to an address that was checked."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Collection

import httpx
import msgspec

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.notifier import Message, NotDelivered, Undeliverable
from wingbeat_notify import signing
from wingbeat_notify.guard import addresses_of
from wingbeat_notify.settings import WebhookChannel, WebhookSettings
from wingbeat_notify.text import event, slack

GONE = 410
_HEADERS = {"content-type": "application/json", "user-agent": "wingbeat-notify"}
_PORTS = {"https": 443, "http": 80}
_MAKE_ONE = (
    "python -c \"import base64, os; print('whsec_' + base64.b64encode(os.urandom(32)).decode())\" prints a new one."
)


class WebhookNotifier:
    """A `wingbeat.contracts.notifier.Notifier` over HTTP.

    Args:
        secret: Gives the value of a secret; may block.

        clock: What time it is, in epoch seconds.

    Raises:
        ConfigurationError: A channel has no URL, or no secret to be signed by.
    """

    def __init__(
        self, settings: WebhookSettings, secret: Callable[[str], str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings, self._secret, self._clock = settings, secret, clock
        self._inside = frozenset(host.lower() for host in settings.hosts)
        self._transport: httpx.AsyncHTTPTransport | None = None
        for name, channel in settings.channels.items():
            _check(name, channel)

    @property
    def channels(self) -> Collection[str]:
        """See `Notifier.channels`."""
        return self._settings.channels.keys()

    async def notify(self, message: Message) -> None:
        """See `Notifier.notify`."""
        channel = self._settings.channels[message.channel]
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                url, headers, body = await asyncio.to_thread(self._prepared, channel, message)
                status = await self._post(url, headers, body)
        except TimeoutError:
            raise NotDelivered(f"It was not taken within {self._settings.timeout_s:g} s.") from None
        if status == GONE:
            raise Undeliverable(f"{url.host} answered {status}: it takes no more.")
        if not 200 <= status < 300:
            more = "; redirects are not followed" if 300 <= status < 400 else ""
            raise NotDelivered(f"{url.host} answered {status}{more}.")

    async def close(self) -> None:
        """See `Notifier.close`."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    def _prepared(self, channel: WebhookChannel, message: Message) -> tuple[httpx.URL, dict[str, str], bytes]:
        """Where it is sent, with which headers, and what. Secrets are asked for each time: they may be replaced."""
        url = _url(channel.url or self._secret(channel.url_secret).strip(), channel.url_secret)
        if channel.format == "slack":
            return url, {"webhook-id": message.id}, msgspec.json.encode(slack(message))
        body = msgspec.json.encode(event(message))
        try:
            keys = signing.keys_of(self._secret(channel.secret))
        except ValueError as error:
            raise ConfigurationError(
                f"The secret {channel.secret!r} is no key of a webhook: {error}.", hint=_MAKE_ONE
            ) from None
        return url, signing.headers(message.id, int(self._clock()), body, keys), body

    async def _post(self, url: httpx.URL, headers: dict[str, str], body: bytes) -> int:
        host, port = url.host, url.port or _PORTS[url.scheme]
        timeout = httpx.Timeout(self._settings.timeout_s).as_dict()
        away: httpx.TransportError | None = None
        for address in await addresses_of(host, port, self._inside):
            request = httpx.Request(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers={**headers, **_HEADERS, "host": url.netloc.decode()},
                extensions={"sni_hostname": host, "timeout": timeout},  # the certificate has to be that of the name
            )
            try:
                answer = await self._open().handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                away = error
                continue
            except httpx.HTTPError as error:  # its text may hold the URL
                raise NotDelivered(f"{host} did not take it: {type(error).__name__}.") from None
            await answer.aclose()  # whatever else it says
            return answer.status_code
        raise NotDelivered(f"{host} cannot be reached: {away}") from None

    def _open(self) -> httpx.AsyncHTTPTransport:
        """The transport alone: a client would follow, and log the URL."""
        if self._transport is None:
            trusted = ssl.create_default_context(cafile=self._settings.ca_file) if self._settings.ca_file else True
            self._transport = httpx.AsyncHTTPTransport(
                verify=trusted,
                trust_env=False,
                limits=httpx.Limits(max_keepalive_connections=0),  # they would be taken by address, whatever the name
            )
        return self._transport


def _check(name: str, channel: WebhookChannel) -> None:
    where = f"The channel {name!r} in [webhook]"
    if bool(channel.url) == bool(channel.url_secret):
        raise ConfigurationError(f"{where} takes either url or url_secret.")
    if channel.format == "standard" and not channel.secret:
        raise ConfigurationError(
            f"{where} has no secret: nobody could tell its messages from those of others.",
            hint=f"Name a secret: secret = 'hooks/{name}'. {_MAKE_ONE}",
        )
    if channel.url:
        try:
            _url(channel.url, "")
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error.message}", hint=error.hint) from None


def _url(text: str, secret: str) -> httpx.URL:
    """A URL that can be sent to. Raises ConfigurationError without it."""
    what = f"The secret {secret!r}" if secret else "Its url"
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError):
        raise ConfigurationError(f"{what} is no URL.") from None
    if url.scheme not in _PORTS or not url.host or not 0 < (url.port or 1) < 2**16:
        raise ConfigurationError(f"{what} is no URL of http or https.")
    if url.userinfo:
        raise ConfigurationError(f"{what} holds a name and password.", hint="Receivers go by the signature.")
    return url
