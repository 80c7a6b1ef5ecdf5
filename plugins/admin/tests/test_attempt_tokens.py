"""Tokens of attempts: who is taken for which attempt, how long, and what one may do. The whole of that is in `test_matrix`."""

import asyncio
import contextlib
import hashlib
import os
import signal
import stat
import threading
import time
from pathlib import Path

import httpx
import msgspec
import pytest

from wingbeat import Kernel, workflow
from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.engine import LaunchRequest
from wingbeat.contracts.secrets import SecretMissing, SecretUnavailable
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.engine import closure_of
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin import attempt as attempts
from wingbeat_admin import plugin
from wingbeat_admin.attempt import AttemptToken, attempt_of, key_of, made_key, make
from wingbeat_admin.kits import served
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.place import Served, announce, announced, server_of
from wingbeat_admin.server import attempts as looking
from wingbeat_admin.server.policy import Caller
from wingbeat_admin.server.reach import Reach

OWN, OTHER_DOMAIN, FOREIGN = ("maps", "production"), ("maps", "development"), ("eta", "production")


@workflow
def asking(path: str) -> int:
    """A node with a token, that waits for a file."""
    return flows.wait_for.override(secrets=["@token"])(path)


@pytest.fixture
async def server(server):
    """The same, of which nothing runs on."""
    yield server
    for name in ("asking", "second", "silent"):
        await server.call(server.owner, "POST", f"/executions/{name}/abort", {})


async def until(true, seconds=20):
    end = time.monotonic() + seconds
    while not (found := await true()):
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    return found


async def launched(server, name="asking", place=OWN, flow=asking, **inputs):
    """The id of an attempt that runs."""
    given = {"path": f"{server.home.path}/{name}.go", **inputs}
    labels = {"project": place[0], "domain": place[1]}
    request = LaunchRequest(closure_of(flow), {key: Inline(value) for key, value in given.items()}, name, labels=labels)
    assert (await server.call(server.owner, "POST", "/engine/launches", request)).status_code == 200
    await until(lambda: _runs(server, name))
    return f"{name}/n0/0"


async def _node(server, name):
    return (await server.call(server.owner, "GET", f"/executions/{name}")).json()["nodes"][0]


async def _runs(server, name, number=0):
    found = (await _node(server, name)).get("attempts", [])
    return len(found) > number and found[number]["phase"] == "RUNNING" and found[number]


async def token_of(server, attempt):
    """The one that its process has."""
    view = (await server.call(server.owner, "GET", f"/executions/{attempt.partition('/')[0]}")).json()
    return make(key_of(server.home.path), attempt, view["created_at"])


async def who(server, token):
    answer = await server.call(token, "GET", "/me")
    return answer.json()["principal"] if answer.status_code == 200 else answer.status_code


# -- what one is


def test_a_token_names_its_attempt_and_is_no_key_of_the_api():
    made = make(b"k" * 32, "e/n0.ü/0", 1.5)
    assert made.startswith("wba_") and not made.startswith("wb_")
    assert attempt_of(made) == "e/n0.ü/0"
    others = {make(b"K" * 32, "e/n0.ü/0", 1.5), make(b"k" * 32, "e/n0.ü/1", 1.5), make(b"k" * 32, "e/n0.ü/0", 1.25)}
    assert len({made.rpartition("_")[2], *(other.rpartition("_")[2] for other in others)}) == 4
    for wrong in ("", "wba_", made[:-1], made + "0", made + "\n", made.upper(), "wba_!_" + "0" * 64,
                  f"wba_{'A' * 12_000}_{'0' * 64}", "wba_gICA_" + "0" * 64, "wba_A_" + "0" * 64):  # fmt: skip
        assert attempt_of(wrong) == "", wrong


def test_the_key_of_a_home_is_made_once_for_its_owner_alone(tmp_path):
    assert key_of(str(tmp_path)) is None
    (tmp_path / "attempts.new").write_bytes(b"half of on")  # whoever began was killed
    made = made_key(str(tmp_path))
    assert made == made_key(str(tmp_path)) == key_of(str(tmp_path))
    assert stat.S_IMODE((tmp_path / "attempts.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["attempts.key"]
    (tmp_path / "attempts.key").write_bytes(b"short")
    with pytest.raises(ConfigurationError, match=r"attempts\.key is damaged: it has 5 bytes"):
        made_key(str(tmp_path))


# -- where an attempt has it from


def test_where_nobody_has_served_the_home_it_is_said_at_the_launch(tmp_path):
    with pytest.raises(ConfigurationError, match="nobody has served") as told:
        AttemptToken(str(tmp_path), "", 0.0)
    assert "wingbeat serve" in told.value.hint


def test_an_attempt_waits_for_a_server_that_is_started_again(tmp_path, monkeypatch):
    home = str(tmp_path)
    key, source = made_key(home), AttemptToken(home, "e/n0/0", 1.0)
    assert source.get("@token") == make(key, "e/n0/0", 1.0)

    def serve():
        with announced(home) as place:
            time.sleep(0.2)
            announce(place, Served("http://127.0.0.1:1", "k"))
            done.wait(20)
            announce(place, Served("http://127.0.0.1:1", "k", "https://wingbeat.example.org"))
            more.wait(20)

    done, more, thread = threading.Event(), threading.Event(), threading.Thread(target=serve)
    thread.start()
    assert source.get("@endpoint") == "http://127.0.0.1:1"
    done.set()
    while source.get("@endpoint") != "https://wingbeat.example.org":
        time.sleep(0.01)
    assert server_of(home).key == "k"
    more.set()
    thread.join()
    monkeypatch.setattr(attempts, "WAIT_S_MAX", 0.0)
    with pytest.raises(SecretUnavailable, match="nobody serves the home"):
        source.get("@endpoint")
    with pytest.raises(SecretMissing):
        source.get("db/password")
    assert source.patience_s > 30


async def test_a_launch_without_a_server_is_refused_and_says_what_to_do(tmp_path):
    async with Kernel(tmp_path / "home", discover=False, plugins=[plugin]) as kernel:
        with pytest.raises(
            ConfigurationError, match=r"wait_for has secrets\. '@token' is issued by the server"
        ) as told:
            await kernel.launch(asking, {"path": "x"})
        assert "wingbeat serve" in told.value.hint
        made_key(str(tmp_path / "home"))  # it was served once
        await (await kernel.launch(asking, {"path": str(tmp_path)})).abort("enough")


async def test_who_serves_can_issue_them_before_the_admin_begins(tmp_path, monkeypatch):
    """It may have something to launch at once."""
    home, start, ready, seen = tmp_path / "home", LocalAdmin.start, asyncio.Event(), []

    async def begun(admin):
        seen.append(key_of(str(home)))
        await start(admin)

    monkeypatch.setattr(LocalAdmin, "start", begun)
    async with Kernel(home, discover=False, plugins=[plugin]) as kernel:
        serving = asyncio.create_task(kernel.serve(ready=lambda url: ready.set()))
        async with asyncio.timeout(20):
            await ready.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert seen == [key_of(str(home))] != [None]


# -- who is taken for an attempt


async def test_it_is_taken_while_its_attempt_is_under_way(server):
    attempt = await launched(server)
    token = await token_of(server, attempt)
    assert await who(server, token) == f"attempt:{attempt}"
    me = (await server.call(token, "GET", "/me")).json()
    assert [(each["role"], each["project"], each["domain"]) for each in me["grants"]] == [("viewer", *OWN)]
    Path(server.home.path, "asking.go").touch()
    await server.call(server.owner, "GET", "/executions/asking/wait?seconds=20")
    assert await who(server, token) == 401


async def test_nothing_else_is_taken_for_it(server):
    attempt = await launched(server)
    other = await launched(server, "silent", flow=flows.endless)
    created = (await server.call(server.owner, "GET", "/executions/asking")).json()["created_at"]
    key, token = key_of(server.home.path), await token_of(server, attempt)
    head, _, signed = token.rpartition("_")
    wrong = {
        "the signature": f"{head}_{'0' * 64}",
        "one digit of it": f"{head}_{signed[:-1]}{'0' if signed[-1] != '0' else '1'}",
        "the id": f"{make(key, 'asking/n0/1', created).rpartition('_')[0]}_{signed}",
        "the id of another": f"{make(key, other, created).rpartition('_')[0]}_{signed}",
        "the key of another home": make(b"k" * 32, attempt, created),
        "an execution of its name before": make(key, attempt, created - 1.0),
        "the next attempt": make(key, "asking/n0/1", created),
        "another node": make(key, "asking/n1/0", created),
        "no such execution": make(key, "nowhere/n0/0", created),
        "one that has not asked for it": await token_of(server, other),
        "an id that is none": make(key, "../../x", created),
        "nothing": make(key, "", created),
        "two": f"{token} {token}",
        "a line more": f"{token}0",
    }
    for what, given in wrong.items():
        assert await who(server, given) == 401, what
    assert await who(server, token) == f"attempt:{attempt}"


async def test_it_dies_with_an_abort(server):
    token = await token_of(server, await launched(server))
    assert await who(server, token) == "attempt:asking/n0/0"
    assert (await server.call(server.owner, "POST", "/executions/asking/abort", {})).status_code < 300
    assert await who(server, token) == 401


async def test_of_one_that_is_tried_again_the_last_has_one_that_is_taken(server):
    attempt = await launched(server)
    first = await token_of(server, attempt)
    os.kill((await _runs(server, "asking"))["evidence"]["pid"], signal.SIGKILL)
    await until(lambda: _runs(server, "asking", 1))
    assert await who(server, first) == 401
    assert await who(server, await token_of(server, "asking/n0/1")) == "attempt:asking/n0/1"


async def test_it_is_taken_again_after_the_server_and_its_engine_were_started_again(tmp_path):
    home = TemporaryHome(tmp_path / "home", {"server": {"auth": "keys"}})

    @contextlib.asynccontextmanager
    async def opened():
        async with (
            Kernel(home.path, discover=False, plugins=[plugin]) as kernel,
            served(home, kernel.engine) as url,
            httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=30) as http,
        ):
            yield kernel, http

    async with opened() as (kernel, http):
        execution = await kernel.launch(asking, {"path": str(tmp_path / "go")}, "asking")
        created = (await kernel.engine.describe("asking")).created_at
        headers = {"authorization": f"Bearer {make(key_of(home.path), 'asking/n0/0', created)}"}

        async def taken():
            return (await http.get("/me", headers=headers)).status_code == 200

        await until(taken)
    async with opened() as (kernel, http):
        assert (await http.get("/me", headers=headers)).json()["principal"] == "attempt:asking/n0/0"
        seen = (await http.get("/executions", headers=headers)).json()["items"]
        assert [each["id"] for each in seen] == ["asking"], "where nothing says a place, it sees that"
        (tmp_path / "go").touch()
        await (await kernel.get("asking")).wait()
        assert (await http.get("/me", headers=headers)).status_code == 401
    assert execution.id == "asking"


async def test_where_nobody_has_to_prove_anything_a_token_is_not_looked_at(tmp_path):
    home = TemporaryHome(tmp_path / "home")
    async with (
        Kernel(home.path, discover=False, plugins=[plugin]) as kernel,
        served(home, kernel.engine) as url,
        httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=30) as http,
    ):
        given = make(key_of(home.path), "over/n0/0", 1.0)
        assert (await http.get("/me", headers={"authorization": f"Bearer {given}"})).json()["principal"] == ""


# -- what it may do


async def test_it_puts_content_and_gets_what_it_has_put_or_was_shown(server):
    token = await token_of(server, await launched(server))
    other = await token_of(server, await launched(server, "second"))
    data = b"a model"
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert (await server.call(token, "GET", f"/content/files/{digest}")).status_code == 404
    assert (await server.call(token, "PUT", f"/content/files/{digest}", data)).status_code < 300
    assert (await server.call(token, "GET", f"/content/files/{digest}")).content == data
    assert (await server.call(other, "GET", f"/content/files/{digest}")).status_code == 404


async def test_what_is_denied_is_noted_behind_its_name_for_the_admins_of_its_place(server):
    token = await token_of(server, await launched(server))
    answer = await server.call(token, "POST", f"/executions/{server.execution(OWN)}/abort", {})
    assert answer.status_code == 403
    assert answer.json()["title"] == (
        "attempt:asking/n0/0 may not do this: its token is for reading, and for putting content."
    )
    assert (await server.call(token, "GET", f"/executions/{server.execution(FOREIGN)}")).status_code == 404
    boss = await server.key("boss", ("admin", *OWN))
    (noted,) = (await server.call(boss, "GET", "/audit?principal=attempt:asking/n0/0")).json()["items"]
    assert (noted["action"], noted["outcome"], noted["project"]) == ("abort", "denied", "maps")
    everything = (await server.call(server.owner, "GET", "/audit?limit=1000")).text
    assert token not in everything and token.rpartition("_")[2] not in everything


async def test_it_cannot_be_granted_more(server):
    grant = {"principal": "attempt:asking/n0/0", "role": "admin", "project": "maps", "domain": "production"}
    assert (await server.call(server.owner, "POST", "/grants", grant)).status_code == 422


async def test_a_stream_ends_with_its_attempt(server, monkeypatch):
    monkeypatch.setattr(looking, "AGAIN_S", 0.2)
    token = await token_of(server, await launched(server))
    url, headers = f"/api/v1/executions/{server.execution(OWN)}/events", {"authorization": f"Bearer {token}"}
    async with asyncio.timeout(20), server.http.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        read = answer.aiter_lines()
        lines = [await anext(read)]
        await asyncio.sleep(0.5)
        assert await who(server, token) == "attempt:asking/n0/0"
        Path(server.home.path, "asking.go").touch()
        lines += [line async for line in read]
    assert not any(line.startswith("event: end") for line in lines), "it is not the execution that has ended"


async def test_no_file_of_the_home_has_it(server):
    """Its attempt has it in memory."""
    attempt = await launched(server)
    signed = (await token_of(server, attempt)).rpartition("_")[2].encode()
    log = Path(server.home.path, "attempts", "asking")
    assert log.is_dir()
    for path in Path(server.home.path).rglob("*"):
        if path.is_file():
            assert signed not in await asyncio.to_thread(path.read_bytes), path
    assert signed.decode() not in msgspec.json.encode(await _node(server, "asking")).decode()


# -- by which URL


@pytest.mark.parametrize(
    ("host", "settings", "says"),
    [
        ("127.0.0.1", {}, ""),
        ("0.0.0.0", {}, "http://127.0.0.1:"),
        ("0.0.0.0", {"url": "http://tasks.example.org:8765"}, "http://tasks.example.org:8765"),
    ],
)
async def test_attempts_are_told_a_url_by_which_they_reach_it(tmp_path, host, settings, says):
    from wingbeat_admin.local.admin import LocalAdmin
    from wingbeat_admin.server.serving import serve

    home = TemporaryHome(tmp_path, {"server": {"auth": "keys", **settings}})
    admin, ready = LocalAdmin(tmp_path / "admin.sqlite", object(), home.storage()), asyncio.Event()
    serving = asyncio.create_task(serve(home, object(), admin, host=host, port=0, ready=lambda _: ready.set()))
    try:
        async with asyncio.timeout(20):
            await ready.wait()
        found = server_of(home.path)
        assert found.for_attempts.startswith(says) and bool(found.for_attempts) is bool(says)
        if says:
            port, name = found.url.rpartition(":")[2], found.for_attempts.removeprefix("http://")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1") as http:
                assert (await http.get("/health", headers={"host": name})).status_code == 200
                assert (await http.get("/health", headers={"host": "other.example.org"})).status_code == 421
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_a_url_that_is_none_is_refused(tmp_path):
    from wingbeat_admin.server.serving import serve

    home = TemporaryHome(tmp_path, {"server": {"url": "tasks.example.org"}})
    with pytest.raises(ConfigurationError, match=r"server\.url = 'tasks\.example\.org' is no URL"):
        await serve(home, object(), object(), host="127.0.0.1", port=0, ready=print)


def test_what_many_attempts_are_shown_pushes_out_nobody_else(monkeypatch):
    monkeypatch.setattr("wingbeat_admin.server.reach.CALLERS_MAX", 3)
    reach, person = Reach(), Caller("apikey:ci")
    reach.add(person, ["store:1"])
    attempts = [Caller(f"attempt:e/n{n}/0", is_attempt=True) for n in range(5)]
    for each in attempts:
        reach.add(each, ["store:2"])
    assert reach.has(person, "store:1")
    assert [reach.has(each, "store:2") for each in attempts] == [False, False, True, True, True]
    assert not reach.has(Caller(attempts[-1].name), "store:2")
