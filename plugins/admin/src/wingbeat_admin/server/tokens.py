"""Tokens of an OpenID provider: who they are of, if they are taken.

Keys come from the provider's discovery document, and are asked for again when a token names one that is not known, at most every
few seconds: whoever sends made-up tokens must not have us ask for ever.
"""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import Struct

from wingbeat.base.errors import ConfigurationError, EngineStopped, Unauthenticated
from wingbeat.contracts.access import NAME_LENGTH_MAX
from wingbeat_admin.settings import ServerSettings
from wingbeat_admin.urls import is_here, is_safe

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures by a key that only the provider has: none without, and none by a shared secret."""
TOKEN_LENGTH_MAX = 16_384
GROUPS_MAX = 500
LEEWAY_S = 30
"""So much may clocks differ."""
KEYS_S_MAX = 3600.0
KEYS_S_MIN = 10.0
ANSWER_S_MAX = 10.0
ANSWER_BYTES_MAX = 2**20


class Discovery(Struct):
    """What a provider says of itself, as far as we need it."""

    issuer: str
    jwks_uri: str


class Proved(Struct, frozen=True):
    """Who a token is of: the principals of the user and its groups, and when it expires, in epoch seconds."""

    user: str
    groups: tuple[str, ...]
    expires_at: float


class Tokens:
    """Looks at tokens of one provider.

    Raises:
        ConfigurationError: The settings name none.
    """

    def __init__(self, settings: ServerSettings) -> None:
        if not settings.issuer or not settings.client:
            raise ConfigurationError(
                "server.auth = 'oidc' takes a provider.",
                hint="Set server.issuer, its URL, and server.client, the id of a client there.",
            )
        if not is_safe(settings.issuer):
            raise ConfigurationError(f"{settings.issuer!r} is no issuer: its URL has to begin with https://.")
        self._settings = settings
        self._keys: KeySet | None = None
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    async def look(self, token: str) -> Proved:
        """Who it is of. Raises Unauthenticated, and EngineStopped (503) while the provider does not answer."""
        if len(token) > TOKEN_LENGTH_MAX:
            raise Unauthenticated("The token is too long.")
        claims = await self._verified(token)
        expires_at = float(claims["exp"]) + LEEWAY_S
        groups = claims.get(self._settings.groups_claim, [])
        named = [each for each in groups if _is_name(each)][:GROUPS_MAX] if isinstance(groups, list) else []
        return Proved(f"user:{self._user(claims)}", tuple(f"group:{each}" for each in named), expires_at)

    async def _verified(self, token: str) -> dict[str, Any]:
        """Its claims, if the provider has signed it for us and it is not too old."""
        wanted = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": self._settings.client},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            decoded = jwt.decode(token, await self._keys_with(_kid(token)), algorithms=ALGORITHMS)
            wanted.validate(decoded.claims)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise Unauthenticated(
                f"The token is not taken: {error}.", hint="'wingbeat login' gets another one."
            ) from None
        claims = decoded.claims
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self._settings.client:
            raise Unauthenticated("The token is not taken: it was issued to another client.")
        return claims

    def _user(self, claims: dict[str, Any]) -> str:
        name = self._settings.user_claim
        user = claims.get(name)
        if not _is_name(user):
            raise Unauthenticated(f"The token does not say who it is of: it has no claim {name!r}.")
        if name == "email" and claims.get("email_verified") is not True:
            raise Unauthenticated("The token is not taken: the provider has not verified the address of its user.")
        return str(user)

    async def _keys_with(self, kid: str) -> KeySet:
        """The provider's keys, with this one if it has it."""
        async with self._asking:
            now = time.monotonic()
            age = KEYS_S_MAX if self._asked_at is None else now - self._asked_at
            known = self._keys is not None and any(key.kid == kid for key in self._keys.keys)
            if age >= (KEYS_S_MAX if known else KEYS_S_MIN):
                self._asked_at = now
                self._keys = await self._ask()
            if self._keys is None:
                raise EngineStopped(f"The provider at {self._settings.issuer} does not say its keys.")
            return self._keys

    async def _ask(self) -> KeySet:
        issuer = self._settings.issuer
        try:
            async with httpx.AsyncClient(timeout=ANSWER_S_MAX, trust_env=not is_here(issuer)) as client:
                url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
                found = msgspec.json.decode(await _get(client, url), type=Discovery)
                if found.issuer != issuer:
                    raise EngineStopped(f"The provider at {issuer} says that it is {found.issuer[:200]}.")
                if not is_safe(found.jwks_uri):
                    raise EngineStopped(f"The provider's keys are not at a safe place: {found.jwks_uri[:200]}.")
                return KeySet.import_key_set(msgspec.json.decode(await _get(client, found.jwks_uri)))
        except (
            httpx.HTTPError,
            httpx.InvalidURL,
            msgspec.DecodeError,
            JoseError,
            ValueError,
            TypeError,
            KeyError,
        ) as error:
            raise EngineStopped(
                f"The provider at {issuer} does not say its keys: {str(error) or type(error).__name__}."
            ) from error


async def _get(client: httpx.AsyncClient, url: str) -> bytes:
    body = b""
    async with client.stream("GET", url) as answer:  # which follows no redirect
        answer.raise_for_status()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > ANSWER_BYTES_MAX:
                raise ValueError("the answer is too long")
    return body


def _kid(token: str) -> str:
    """The id of the key by which a token says to be signed: a name among keys that we have, and never a path or a URL."""
    head = token.partition(".")[0]
    found = msgspec.json.decode(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return str(found.get("kid", "")) if isinstance(found, dict) else ""


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= NAME_LENGTH_MAX and value.isprintable()
