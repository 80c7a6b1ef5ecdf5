"""The client of the HTTP API where there is no server of ours."""

import socket

import httpx
import msgspec
import pytest

from wingbeat.base.errors import ConfigurationError, EngineStopped, NotFound
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.client import api
from wingbeat_admin.client.admin import HttpAdmin
from wingbeat_admin.client.api import Api
from wingbeat_admin.client.transfer import Transfer
from wingbeat_admin.problems import Problem, problem_of

BROKEN = ("", "nonsense", "ftp://127.0.0.1:1", "http://", "http://127.0.0.1:99999", "http://a b:1", "http://[::1")


@pytest.fixture
def closed_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        yield bound.getsockname()[1]


@pytest.mark.parametrize("endpoint", BROKEN)
def test_what_is_no_url_is_refused(endpoint):
    with pytest.raises(ConfigurationError, match="is no endpoint"):
        Api(endpoint, 1.0).open()


async def test_a_call_that_nobody_answers_may_be_made_again_later(closed_port, monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(api, "RETRY_S_MAX", 0.3)
    monkeypatch.setattr(api, "TELL_S", 0.0)
    client = Api(f"http://127.0.0.1:{closed_port}", 1.0)
    admin = HttpAdmin(client, Transfer(client, TemporaryHome(tmp_path).storage(), str(tmp_path)))
    await admin.start()
    try:
        with pytest.raises(EngineStopped, match="Nobody answers at"):
            await admin.entity("a/b/c@v1")
    finally:
        await admin.close()
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"Nobody answers at http://127.0.0.1:{closed_port}; it is tried for 0.3 s."
    ]


def answered(monkeypatch, status, content):
    """A client of a server that answers everything so."""
    monkeypatch.setattr(api, "RETRY_S_MAX", 0.2)
    found = Api("http://127.0.0.1:8782", 1.0)
    found._client = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(status, content=content)),
        base_url="http://127.0.0.1:8782/api/v1",
    )
    return found


async def test_a_server_whose_kernel_is_down_has_answered(monkeypatch):
    away = EngineStopped("Nobody answers at http://127.0.0.1:8781: refused.", hint="Is 'wingbeat serve' running there?")
    client = answered(monkeypatch, 503, msgspec.json.encode(problem_of(away)))
    with pytest.raises(EngineStopped) as told:
        await client.call("GET", "/executions")
    assert (told.value.message, told.value.hint) == (away.message, away.hint)


async def test_who_is_no_server_of_ours_and_says_that_it_is_away_has_not(monkeypatch):
    client = answered(monkeypatch, 502, b"<h1>Bad Gateway</h1>")
    with pytest.raises(EngineStopped, match=r"^Nobody answers at http://127.0.0.1:8782: .*502 Bad Gateway\."):
        await client.call("GET", "/executions")


async def test_an_endpoint_with_a_path_of_its_own_is_told(monkeypatch):
    problem = Problem(
        "This server has nothing at '/foo/api/v1/entities'.", 404, code="NotFound", hint="The API is at /api/v1."
    )
    client = answered(monkeypatch, 404, msgspec.json.encode(problem))
    with pytest.raises(NotFound, match="has nothing at") as told:
        await client.call("GET", "/entities")
    assert told.value.hint == "The API is at /api/v1."
