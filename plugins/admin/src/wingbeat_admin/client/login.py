"""Logging in at the OpenID provider of a server: by the device flow (RFC 8628), or the code flow with PKCE (RFC 7636) over a page
of this machine (RFC 8252). What it gives is an ID token: it is for our client alone, and says who the user is.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import msgspec
from msgspec import Struct

from wingbeat.base.errors import AccessDenied, ConfigurationError, EngineStopped, Unauthenticated
from wingbeat_admin.client.access import Login
from wingbeat_admin.client.credentials import Credential
from wingbeat_admin.urls import is_here, is_safe

ANSWER_S_MAX = 20.0
LOGIN_S_MAX = 600.0
"""So long somebody may take to log in."""
POLL_S = 5.0
REQUEST_BYTES_MAX = 16_384
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_PAGE = b"HTTP/1.1 %s\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s"


class Provider(Struct):
    """What a provider says of itself, as far as we need it."""

    issuer: str
    token_endpoint: str
    authorization_endpoint: str = ""
    device_authorization_endpoint: str = ""


class _Device(Struct):
    """Where the user is to go, and with which code."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str = ""
    expires_in: float = LOGIN_S_MAX
    interval: float = POLL_S


class _Answer(Struct):
    """What the provider answers to whoever asks for tokens."""

    id_token: str = ""
    refresh_token: str = ""
    error: str = ""
    error_description: str = ""


class Session:
    """Calls to the provider that a server names."""

    def __init__(self, login: Login, http: httpx.AsyncClient, provider: Provider) -> None:
        self._login, self._http, self._provider = login, http, provider

    async def by_device(self, show: Callable[[str], None]) -> Credential:
        """Have the user go to a page, on any device, and say that it is them. Raises AccessDenied, EngineStopped."""
        endpoint = self._provider.device_authorization_endpoint
        if not endpoint:
            raise ConfigurationError("The provider has no device flow.", hint="Log in without --device.")
        asked = {"client_id": self._login.client, "scope": " ".join(self._login.scopes)}
        body = await self._post(endpoint, asked)
        device = _decoded(body, _Device)
        show(
            f"go to {device.verification_uri_complete or device.verification_uri} and confirm the code {device.user_code}"
        )
        asked = {"grant_type": _DEVICE, "device_code": device.device_code, "client_id": self._login.client}
        end, pause = time.monotonic() + min(device.expires_in, LOGIN_S_MAX), max(device.interval, 0.1)
        while time.monotonic() < end:
            await asyncio.sleep(pause)
            answer = _decoded(await self._post(self._provider.token_endpoint, asked), _Answer)
            if answer.error == "slow_down":
                pause += POLL_S
            elif answer.error != "authorization_pending":
                return self._credential(answer)
        raise AccessDenied("Nobody has confirmed the code in time.", hint="Log in again.")

    async def by_code(self, show: Callable[[str], None]) -> Credential:
        """Have the user log in with a browser of this machine, which brings a code back. Raises as `by_device`."""
        if not self._provider.authorization_endpoint:
            raise ConfigurationError("The provider has no code flow.", hint="Log in with --device.")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        back: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(
            lambda r, w: _brought(r, w, state, back), "127.0.0.1", 0, limit=REQUEST_BYTES_MAX
        )
        async with server:
            redirect = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback"
            asked = {
                "response_type": "code", "client_id": self._login.client, "redirect_uri": redirect, "state": state, "nonce": nonce,
                "scope": " ".join(self._login.scopes), "code_challenge": _challenge(verifier), "code_challenge_method": "S256",
            }  # fmt: skip
            endpoint = self._provider.authorization_endpoint
            show(f"go to {endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}")
            try:
                async with asyncio.timeout(LOGIN_S_MAX):
                    brought = await back
            except TimeoutError:
                raise AccessDenied("Nobody has logged in in time.", hint="Log in again.") from None
        if "code" not in brought:
            raise AccessDenied(
                f"The provider has refused: {brought.get('error_description') or brought.get('error', '')}."
            )
        asked = {
            "grant_type": "authorization_code", "code": brought["code"], "redirect_uri": redirect, "client_id": self._login.client,
            "code_verifier": verifier,
        }  # fmt: skip
        answer = _decoded(await self._post(self._provider.token_endpoint, asked), _Answer)
        found = self._credential(answer)
        if claims_of(found.token).get("nonce") != nonce:
            raise AccessDenied("The provider has answered to another login than this one.", hint="Log in again.")
        return found

    async def again(self, kept: Credential) -> Credential:
        """Another token, by what is kept. Raises Unauthenticated, EngineStopped."""
        asked = {"grant_type": "refresh_token", "refresh_token": kept.refresh, "client_id": self._login.client}
        answer = _decoded(await self._post(self._provider.token_endpoint, asked), _Answer)
        if answer.error:
            raise Unauthenticated(
                f"The login is over: {answer.error_description or answer.error}.", hint="wingbeat login"
            )
        return self._credential(answer, kept.refresh)

    def _credential(self, answer: _Answer, refresh: str = "") -> Credential:
        if answer.error or not answer.id_token:
            raise AccessDenied(
                f"The provider has refused: {answer.error_description or answer.error or 'it gave no token'}."
            )
        expires_at = float(claims_of(answer.id_token).get("exp", 0.0))
        refresh = answer.refresh_token or refresh
        return Credential("", answer.id_token, refresh, expires_at, self._login.issuer, self._login.client)

    async def _post(self, url: str, data: dict[str, str]) -> bytes:
        try:
            answer = await self._http.post(url, data=data)
        except httpx.HTTPError as error:
            raise EngineStopped(f"The provider does not answer at {url}: {error}.") from error
        if answer.status_code >= 500:
            raise EngineStopped(f"The provider does not answer at {url} now: {answer.status_code}.", hint="Try again.")
        return answer.content


async def at_provider(login: Login, http: httpx.AsyncClient) -> Session:
    """Find the provider that a server names. Raises ConfigurationError, EngineStopped."""
    if not login.issuer:
        raise ConfigurationError(
            "The server takes API keys only.", hint="Log in with --api-key, or set WINGBEAT_API_KEY."
        )
    url = f"{login.issuer.rstrip('/')}/.well-known/openid-configuration"
    if not is_safe(url):
        raise ConfigurationError(
            f"The provider {login.issuer!r} is not at a safe place: its URL has to begin with https://."
        )
    try:
        answer = await http.get(url)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise EngineStopped(f"The provider does not answer at {url}: {error}.") from error
    provider = _decoded(answer.content, Provider)
    endpoints = (provider.token_endpoint, provider.authorization_endpoint, provider.device_authorization_endpoint)
    if provider.issuer != login.issuer or not all(is_safe(each) for each in endpoints if each):
        raise ConfigurationError(f"The provider at {login.issuer} says that it is another, or is not at a safe place.")
    return Session(login, http, provider)


def client_of(issuer: str) -> httpx.AsyncClient:
    """A client for calls to a provider; it follows no redirects."""
    return httpx.AsyncClient(timeout=ANSWER_S_MAX, trust_env=not is_here(issuer))


def claims_of(token: str) -> dict[str, Any]:
    """What a token says that the provider itself gave us: the server verifies it, not we."""
    try:
        body = token.split(".")[1]
        found = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError) as error:
        raise AccessDenied("The provider gave something that is no token.") from error
    return found if isinstance(found, dict) else {}


async def _brought(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: str, back: asyncio.Future[dict[str, str]]
) -> None:
    """Take what a browser brings back; what does not have our state is of somebody else."""
    try:
        line = (await reader.readline()).decode("latin-1").split(" ")
        found = urlsplit(line[1] if len(line) > 1 else "")
        brought = {name: values[0] for name, values in parse_qs(found.query).items()}
        ours = (
            line[0] == "GET"
            and found.path == "/callback"
            and secrets.compare_digest(brought.get("state", "").encode(), state.encode())
        )
        text = b"You are logged in: go back to the shell." if "code" in brought else b"The provider has refused."
        status, text = (b"200 OK", text) if ours else (b"404 Not Found", b"There is nothing here.")
        writer.write(_PAGE % (status, len(text), text))
        await writer.drain()
        if ours and not back.done():
            back.set_result(brought)
    except (OSError, ValueError):
        return  # it is gone, or says what no browser says
    finally:
        writer.close()


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _decoded(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise EngineStopped(f"The provider answers something else than is expected: {error}.") from error
