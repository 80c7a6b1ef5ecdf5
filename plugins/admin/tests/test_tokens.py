"""Tokens that a server takes, and does not take. The provider here signs whatever a test wants; `tests/admin/test_login.py` works
with a real one."""

import asyncio
import base64
import contextlib
import hmac
import json
import socket
import time
from typing import Any

import httpx
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey

from wingbeat import Kernel
from wingbeat.base.errors import ConfigurationError, EngineStopped, Unauthenticated
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.kits import served
from wingbeat_admin.place import server_of
from wingbeat_admin.server import tokens
from wingbeat_admin.server.tokens import Tokens
from wingbeat_admin.settings import ServerSettings

KEY, OTHER = (RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}) for kid in ("one", "two"))


class Issuer:
    """A provider: its discovery document and its keys."""

    def __init__(self) -> None:
        self.url, self.keys, self.asked, self.status, self.said = "", [KEY], 0, 200, {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].endswith("openid-configuration"):
            body: Any = {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.said}
        else:
            self.asked += 1
            body = {"keys": [key.as_dict(private=False) for key in self.keys]}
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"location", b"/keys")]})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        known = {
            "iss": self.url,
            "aud": "wingbeat",
            "sub": "1",
            "iat": now,
            "exp": now + 600,
            "email": "ana@example.org",
        }
        told = {**known, "email_verified": True, "groups": ["maps"], **more}
        return {name: value for name, value in told.items() if value is not None}

    def token(self, key: Any = KEY, head: Any = None, **claims: Any) -> str:
        given = {"alg": "RS256", "kid": key.kid, **(head or {})}
        return jwt.encode(given, self.claims(**claims), key, algorithms=[given["alg"]])


@pytest.fixture
async def issuer():
    found = Issuer()
    listening = socket.create_server(("127.0.0.1", 0))
    found.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(found, log_config=None, lifespan="off"))
    server.capture_signals = contextlib.nullcontext
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield found
    finally:
        server.should_exit = True
        await serving
        listening.close()


def looking(issuer, **more):
    return Tokens(ServerSettings(auth="oidc", issuer=issuer.url, client="wingbeat", **more))


def part(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(head, claims):
    return f"{part(head)}.{part(claims)}."


def by_secret(head, claims, secret):
    """What the library would refuse to make."""
    signed = unsigned(head, claims).rstrip(".")
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), 'sha256'))}"


async def test_a_token_says_who_it_is_of(issuer):
    looks = looking(issuer)
    proved = await looks.look(issuer.token())
    assert (proved.user, proved.groups) == ("user:ana@example.org", ("group:maps",))
    assert proved.expires_at > time.time() + 500
    await asyncio.gather(*(looks.look(issuer.token()) for _ in range(20)))
    assert issuer.asked == 1, "keys are asked for once"
    assert (await looking(issuer, user_claim="sub").look(issuer.token(email=None))).user == "user:1"
    assert (await looks.look(issuer.token(aud=["wingbeat", "other"], azp="wingbeat"))).user == "user:ana@example.org"
    assert (await looks.look(issuer.token(groups=["a", 7, "", "x\n", "y" * 300, None]))).groups == ("group:a",)
    assert (await looks.look(issuer.token(groups="admins"))).groups == ()


WRONG = {
    "expired": {"exp": 1},
    "without an end": {"exp": None},
    "an end in words": {"exp": "tomorrow"},
    "not yet": {"nbf": 4e9},
    "of another issuer": {"iss": "https://evil.example"},
    "without an issuer": {"iss": None},
    "for another": {"aud": "other"},
    "for nobody": {"aud": None},
    "for others too": {"aud": ["wingbeat", "x"]},
    "issued to another": {"aud": ["wingbeat", "x"], "azp": "x"},
    "of nobody": {"sub": None},
    "without a name": {"email": None},
    "not verified": {"email_verified": False},
    "not said to be verified": {"email_verified": None},
    "a list": {"email": ["ana"]},
    "a name with a line": {"email": "a\nb"},
    "a long name": {"email": "a" * 300},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
async def test_claims_that_are_wrong_are_refused(issuer, claims):
    with pytest.raises(Unauthenticated):
        await looking(issuer).look(issuer.token(**claims))


async def test_a_signature_that_is_wrong_is_refused(issuer):
    looks, good, claims = looking(issuer), issuer.token(), issuer.claims()
    head, body, signature = good.split(".")
    wrong = {
        "of another key": issuer.token(OTHER),
        "of another key by this name": issuer.token(RSAKey.generate_key(2048, {"kid": "one"})),
        "none": unsigned({"alg": "none"}, claims),
        "None": unsigned({"alg": "None", "kid": "one"}, claims),
        "by a shared secret": by_secret({"alg": "HS256", "kid": "one"}, claims, KEY.as_pem(private=False)),
        "its own key": issuer.token(OTHER, {"jwk": OTHER.as_dict(private=False), "kid": "one"}),
        "a URL of keys": issuer.token(OTHER, {"jku": "http://127.0.0.1:1/keys", "kid": "one"}),
        "a path": issuer.token(OTHER, {"kid": "../../dev/null"}),
        "changed": f"{head}.{part({**claims, 'email': 'boss@example.org'})}.{signature}",
        "without a signature": f"{head}.{body}.",
        "cut": good[:-5],
        "empty": "",
        "dots": "..",
        "garbage": "x" * 100,
        "huge": good + "A" * tokens.TOKEN_LENGTH_MAX,
        "bytes": "\udcff.a.b",
        "deep": part(b"[" * 10_000) + ".a.b",
    }
    for name, token in wrong.items():
        with pytest.raises(Unauthenticated):
            await looks.look(token)
            pytest.fail(name)
    assert issuer.asked <= 2, "whoever makes up keys does not have us ask for them again and again"


async def test_a_new_key_is_found(issuer, monkeypatch):
    looks = looking(issuer)
    await looks.look(issuer.token())
    issuer.keys = [KEY, OTHER]
    with pytest.raises(Unauthenticated):
        await looks.look(issuer.token(OTHER))
    monkeypatch.setattr(tokens, "KEYS_S_MIN", 0.0)
    assert (await looks.look(issuer.token(OTHER))).user == "user:ana@example.org"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (500, {}),
        (302, {}),
        (200, {"issuer": "https://evil.example"}),
        (200, {"jwks_uri": "http://192.0.2.1/keys"}),
        (200, {"jwks_uri": 7}),
    ],
)
async def test_a_provider_that_is_not_right_lets_nobody_in(issuer, status, said):
    looks, (issuer.status, issuer.said) = looking(issuer), (status, said)
    for _ in range(2):
        with pytest.raises(EngineStopped):
            await looks.look(issuer.token())


@pytest.mark.parametrize(
    "issuer_url", ["", "http://example.org", "ftp://127.0.0.1", "https://", "http://127.0.0.1.evil.example"]
)
def test_a_provider_is_at_a_safe_place(issuer_url):
    with pytest.raises(ConfigurationError):
        Tokens(ServerSettings(auth="oidc", issuer=issuer_url, client="wingbeat"))


async def test_users_and_groups_have_roles(issuer, tmp_path):
    home = TemporaryHome(tmp_path, {"server": {"auth": "oidc", "issuer": issuer.url, "client": "wingbeat"}})
    async with (
        Kernel(home.path, discover=False) as kernel,
        served(home, kernel.engine) as url,
        httpx.AsyncClient(base_url=f"{url}/api/v1", headers={"content-type": "application/json"}) as http,
    ):
        owner = {"authorization": f"Bearer {server_of(home.path).key}"}
        for principal, project in (("group:maps", "maps"), ("user:ana@example.org", "eta"), ("user:maps", "none")):
            grant = {"principal": principal, "role": "viewer", "project": project}
            assert (await http.post("/grants", json=grant, headers=owner)).status_code == 200
        me = (await http.get("/me", headers={"authorization": f"Bearer {issuer.token()}"})).json()
        assert (me["principal"], {grant["project"] for grant in me["grants"]}) == (
            "user:ana@example.org",
            {"maps", "eta"},
        )
        denied = await http.get("/me", headers={"authorization": f"Bearer {issuer.token(aud='other')}"})
        assert denied.status_code == 401
        assert (await http.get("/login")).json()["client"] == "wingbeat"
        made = await http.post("/apikeys", json={"name": "ci"}, headers=owner)
        key = {"authorization": f"Bearer {made.json()['secret']}"}
        assert (await http.get("/me", headers=key)).json()["principal"] == "apikey:ci"
