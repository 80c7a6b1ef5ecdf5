"""How often a key may ask, and what clients do when they are to wait."""

import asyncio
import time

import httpx
import pytest

from wingbeat.base.errors import InputError, LimitReached
from wingbeat.contracts.access import Grant, KeyLimits, Role
from wingbeat_admin.client import api as client
from wingbeat_admin.client.api import Api
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.problems import error_of, problem_of
from wingbeat_admin.server import rates
from wingbeat_admin.server.rates import Rates

OWN = ("maps", "production")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_bucket_is_full_at_first_and_fills_evenly():
    clock = Clock()
    bucket = Rates(clock)
    for _ in range(60):
        bucket.take("ci", "requests", 60)
    with pytest.raises(LimitReached, match="60 requests a minute") as error:
        bucket.take("ci", "requests", 60)
    assert error.value.retry_after_s == pytest.approx(1.0)
    bucket.take("ci", "launches", 60)
    bucket.take("other", "requests", 60)
    bucket.take("ci", "requests", None)
    clock.now = 1.0
    bucket.take("ci", "requests", 60)
    with pytest.raises(LimitReached):
        bucket.take("ci", "requests", 60)
    clock.now = 1000.0
    for _ in range(60):
        bucket.take("ci", "requests", 60)
    with pytest.raises(LimitReached):
        bucket.take("ci", "requests", 60)


def test_buckets_that_are_full_again_are_let_go_of(monkeypatch):
    monkeypatch.setattr(rates, "BUCKETS_MAX", 10)
    clock = Clock()
    bucket = Rates(clock)
    for number in range(100):
        clock.now += 10.0
        bucket.take(f"key{number}", "requests", 1)
    assert len(bucket._left) <= 11


def test_when_there_is_room_goes_over_http():
    found = error_of(problem_of(LimitReached("Too many.", hint="Wait.", retry_after_s=2.5)))
    assert isinstance(found, LimitReached)
    assert (found.message, found.hint, found.retry_after_s) == ("Too many.", "Wait.", 2.5)
    assert error_of(problem_of(LimitReached("Too many."))).retry_after_s == 0


async def test_a_key_is_held_by_its_own_limits(server):
    given = {"name": "ci", "grants": [{"principal": "", "role": "runner", "project": OWN[0], "domain": OWN[1]}]}
    limits = {"requests_per_minute": 20, "launches_per_minute": 2}
    made = await server.call(server.owner, "POST", "/apikeys", {**given, "limits": limits})
    key, other = made.json()["secret"], await server.key("other", ("viewer", *OWN))
    found = [(await server.call(key, "POST", "/executions", server.launch(OWN))) for _ in range(3)]
    assert [each.status_code for each in found] == [201, 201, 429]
    assert 20 <= int(found[2].headers["retry-after"]) <= 30
    assert found[2].headers["content-type"] == "application/problem+json"
    assert "2 launches a minute" in found[2].json()["title"]
    statuses = [(await server.call(key, "GET", "/me")).status_code for _ in range(20)]
    assert statuses.count(200) == 17
    assert set(statuses[17:]) == {429}
    assert (await server.call(other, "GET", "/me")).status_code == 200
    (listed,) = [each for each in (await server.call(server.owner, "GET", "/apikeys")).json() if each["name"] == "ci"]
    assert listed["limits"] == limits


async def test_limits_of_a_key_are_kept_and_checked(tmp_path):
    from wingbeat.testing.home import TemporaryHome

    class Nothing:
        async def changes(self, _):
            yield []
            await asyncio.Event().wait()

    async def opened():
        admin = LocalAdmin(tmp_path / "admin.sqlite", Nothing(), TemporaryHome(tmp_path).storage())
        await admin.start()
        return admin

    admin = await opened()
    await admin.access.create_key("ci", [Grant("", Role.VIEWER)], limits=KeyLimits(10))
    with pytest.raises(InputError):
        await admin.access.create_key("bad", [], limits=KeyLimits(0))
    await admin.close()
    admin = await opened()
    assert [(key.name, key.limits) for key in await admin.access.keys()] == [("ci", KeyLimits(10))]
    await admin.close()


class Answers(httpx.AsyncBaseTransport):
    def __init__(self, *answers):
        self.answers, self.tried = list(answers), []

    async def handle_async_request(self, request):
        self.tried.append(request.headers.get("wingbeat-tried"))
        status, headers = self.answers.pop(0)
        problem = {"title": "Too many.", "status": status, "code": "LimitReached"}
        return httpx.Response(status, headers=headers, json=problem if status == 429 else {})


@pytest.fixture
def asked(monkeypatch):
    """An API with answers, and how long it waited."""
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    def made(*answers):
        api = Api("http://127.0.0.1:1", 1.0)
        api._client = httpx.AsyncClient(transport=Answers(*answers), base_url="http://127.0.0.1:1/api/v1")
        monkeypatch.setattr(asyncio, "sleep", sleep)
        return api, waited

    return made


async def test_clients_wait_for_as_long_as_they_are_told(asked, caplog):
    api, waited = asked((429, {"retry-after": "3"}), (503, {"retry-after": "2"}), (200, {}))
    assert await api.call("GET", "/me") == b"{}"
    assert api._client._transport.tried == [None, "1", "2"], "it says that the very same was asked for before"
    assert 3 <= waited[0] < 3.5
    assert 2 <= waited[1] < 2.5
    assert "Too many; it is tried for 30 s." in caplog.text


@pytest.mark.parametrize("after", ["60", "1e9", "Fri, 31 Dec 1999 23:59:59 GMT", "-1", "", "9" * 400])
async def test_clients_do_not_wait_for_what_takes_too_long(asked, after):
    api, waited = asked((429, {"retry-after": after}))
    began = time.monotonic()
    with pytest.raises(LimitReached, match="Too many"):
        await api.call("GET", "/me")
    assert waited == []
    assert time.monotonic() - began < client.RETRY_S_MAX
