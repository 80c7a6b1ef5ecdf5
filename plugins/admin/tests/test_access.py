"""Keys, grants, lists, content and streams of a server where everybody has to prove who they are."""

import asyncio
import hashlib
import json
import time
from pathlib import Path

import httpx
import msgspec
import pytest

from wingbeat.author.trigger import OnSuccess
from wingbeat.contracts.admin import ENTITY_LABEL, Registration
from wingbeat.spec.literal import Inline, Offloaded
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import launchplan
from wingbeat.trees import TreeFile, make_manifest, manifest_bytes
from wingbeat_admin.client.engine import HttpEngine
from wingbeat_admin.local import keys

OWN, FOREIGN = ("maps", "production"), ("eta", "production")


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


async def until(true, seconds=20):
    end = time.monotonic() + seconds
    while not (found := await true()):
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    return found


# -- keys


def test_a_key_is_recognised_by_all_of_it():
    key = keys.make()
    kept = keys.hash_of(key)
    assert keys.is_key(key, kept)
    assert key not in kept.hex() and key.rpartition("_")[2] not in kept.hex()
    assert keys.id_of(key) == key.split("_")[1]
    for other in (key[:-1], key + "0", key.upper(), keys.make(), ""):
        assert not keys.is_key(other, kept)
    assert keys.id_of("x") == keys.id_of(key + "\n") == ""


async def test_only_the_hash_of_a_key_is_kept(server):
    key = await server.key("ci", ("viewer", *OWN))
    secret = key.rpartition("_")[2].encode()
    for file in ("admin.sqlite", "admin.sqlite-wal"):
        assert secret not in await asyncio.to_thread(Path(server.home.path, file).read_bytes)
    assert key not in (await server.call(server.owner, "GET", "/apikeys")).text
    assert key not in (await server.call(server.owner, "GET", "/audit")).text


async def test_a_key_expires(server):
    body = {"name": "short", "expires_at": time.time() + 1.0, "grants": [{"principal": "", "role": "viewer"}]}
    key = (await server.call(server.owner, "POST", "/apikeys", body)).json()["secret"]
    assert (await server.call(key, "GET", "/me")).json()["principal"] == "apikey:short"

    async def refused():
        return (await server.call(key, "GET", "/me")).status_code == 401

    await until(refused)
    past = await server.call(server.owner, "POST", "/apikeys", {**body, "name": "past", "expires_at": 1.0})
    assert past.status_code == 422


async def test_what_is_taken_away_is_gone_at_once(server):
    key = await server.key("ci", ("developer", *OWN))
    path = f"/executions/{server.execution(OWN)}"
    assert (await server.call(key, "GET", path)).status_code == 200
    taken = {"principal": "apikey:ci", "project": OWN[0], "domain": OWN[1]}
    assert (await server.call(server.owner, "DELETE", "/grants", params=taken)).status_code == 204
    assert (await server.call(key, "GET", path)).status_code == 404
    await server.call(server.owner, "POST", "/grants", {**taken, "role": "viewer"})
    assert (await server.call(key, "GET", path)).status_code == 200
    assert (await server.call(server.owner, "DELETE", "/apikeys/ci")).status_code == 204
    assert (await server.call(key, "GET", path)).status_code == 401
    again = await server.key("ci")  # another key of that name has nothing of the first
    assert (await server.call(again, "GET", path)).status_code == 404


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 65, "-rf", "a\0b", "<svg>", "ключ", "a/b", "health "])
async def test_what_cannot_name_a_key_is_refused(server, name):
    answer = await server.call(server.owner, "POST", "/apikeys", {"name": name})
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    "given",
    [
        {"principal": "ci"},
        {"principal": "apikey:nobody"},
        {"principal": "user:"},
        {"principal": "root:x"},
        {"principal": "user:a\nb"},
        {"principal": "user:a", "role": "god"},
        {"principal": "user:a", "project": "../x"},
        {"principal": "user:a", "domain": "**"},
        {"principal": "user:a", "more": 1},
    ],
)
async def test_what_is_no_grant_is_refused(server, given):
    assert (await server.call(server.owner, "POST", "/grants", {"role": "viewer", **given})).status_code in (404, 422)
    assert (await server.call(server.owner, "GET", "/grants")).json() == []


async def test_an_admin_gives_nothing_beyond_its_own_place(server):
    key = await server.key("boss", ("admin", *OWN))
    for project, domain, status in (
        (*OWN, 200),
        ("maps", "*", 403),
        ("*", "*", 403),
        ("*", "production", 403),
        (*FOREIGN, 404),
    ):
        answer = await server.call(
            key, "POST", "/grants", {"principal": "user:x", "role": "admin", "project": project, "domain": domain}
        )
        assert answer.status_code == status, (project, domain, answer.text)
    await server.key("other", ("viewer", *OWN), ("viewer", *FOREIGN))
    assert (await server.call(key, "DELETE", "/apikeys/other")).status_code == 404  # half of it is not its own
    seen = (await server.call(key, "GET", "/apikeys")).json()
    assert {each["name"]: [grant["project"] for grant in each["grants"]] for each in seen} == {
        "boss": ["maps"],
        "other": ["maps"],
    }
    assert {grant["project"] for grant in (await server.call(key, "GET", "/grants")).json()} == {"maps"}


# -- lists


async def test_lists_know_nothing_of_elsewhere(server):
    key = await server.key("ro", ("viewer", *OWN))

    async def history():
        return len((await server.call(server.owner, "GET", "/executions")).json()["items"]) == 3

    await until(history)
    for path in ("/entities?limit=3", "/executions?limit=3", "/engine/executions?limit=3", "/projects?limit=3"):
        found = (await server.call(key, "GET", path)).json()
        items = found if isinstance(found, list) else found["items"]
        assert items, path
        assert "eta" not in json.dumps(items) and "development" not in json.dumps(items), path
    (mine,) = (await server.call(key, "GET", "/engine/executions")).json()
    assert mine["labels"] == {"project": "maps", "domain": "production", ENTITY_LABEL: "maps/production/flows.gated@v1"}
    entities = (await server.call(key, "GET", "/entities?limit=3")).json()
    rest = (await server.call(key, "GET", f"/entities?limit=3&after={entities['following']}")).json()
    assert len(entities["items"]) + len(rest["items"]) == 4, "a page is filled from its own, not cut after"
    assert [each["id"] for each in (await server.call(key, "GET", "/projects")).json()["items"]] == ["/".join(OWN)]
    for sort in ("name", "-phase", "duration", "inputs.n"):
        found = (await server.call(key, "GET", f"/executions?sort={sort}")).json()["items"]
        assert {each["project"] for each in found} <= {OWN[0]}
        foreign = await server.call(key, "GET", f"/executions?sort={sort}&after={server.execution(FOREIGN)}")
        assert foreign.status_code == 404
    for query in (
        "project=eta",
        "project=eta&domain=production",
        "domain=development",
        "entity=eta/production/flows.gated",
    ):
        assert (await server.call(key, "GET", f"/executions?{query}")).json()["items"] == []
    foreign = await server.call(key, "GET", f"/executions?after={server.execution(FOREIGN)}")
    unknown = await server.call(key, "GET", "/executions?after=gated-nowhere-production")
    assert (foreign.status_code, foreign.text.replace("eta", "nowhere")) == (404, unknown.text)
    assert (await server.call(key, "GET", "/entities?after=eta/production/often@v1")).status_code == 404


async def test_changes_are_told_of_the_own_place_only(server):
    key = await server.key("dev", ("developer", *OWN))
    assert (
        await server.call(server.owner, "POST", "/executions", server.launch(FOREIGN, name="theirs"))
    ).status_code == 201
    assert (await server.call(key, "POST", "/executions", server.launch(OWN, name="ours"))).status_code == 201
    engine = HttpEngine(*server.over(key))
    await engine.open()
    seen = set()
    async with asyncio.timeout(20):
        async for found in engine.changes():
            seen |= {change.execution.id for change in found}
            if "ours" in seen:
                break
    await engine.close()
    assert seen == {"ours", server.execution(OWN)}


# -- what requests name inside


async def test_a_trigger_on_what_one_may_not_read_is_refused(server):
    key = await server.key("dev", ("developer", *OWN))
    for watched in ("eta/production/flows.twice", "nowhere/production/flows.twice", "maps/production/flows.twice"):
        name = watched.partition("/")[0]
        plan = launchplan(flows.twice, f"on-{name}", trigger=OnSuccess(watched, inputs={"n": "o0"}))
        given = Registration(*OWN, (plan,), "v1")
        assert (await server.call(key, "POST", "/registrations", given)).status_code == 201
        answer = await server.call(key, "POST", f"/entities/maps/production/on-{name}/v1/activate", {})
        assert answer.status_code == (200 if name == "maps" else 404), answer.text
    reader = {"principal": "apikey:dev", "role": "viewer", "project": "eta", "domain": "production"}
    await server.call(server.owner, "POST", "/grants", reader)
    assert (await server.call(key, "POST", "/entities/maps/production/on-eta/v1/activate", {})).status_code == 200


async def test_a_recovery_of_what_one_may_not_read_is_refused(server):
    key = await server.key("dev", ("developer", *OWN))
    for path in ("/engine/launches", "/engine/recovery-plans"):
        for other in (server.execution(FOREIGN), "nowhere"):
            answer = await server.call(key, "POST", path, server.code(OWN, recover=other))
            assert (answer.status_code, answer.json()["title"]) == (404, f"There is no execution {other!r}.")


async def test_labels_of_ours_cannot_be_said(server):
    dev, run = await server.key("dev", ("developer", *OWN)), await server.key("run", ("runner", *OWN))
    entity = "maps/production/flows.twice@v1"
    refused = {
        "wingbeat/cause": "tick",
        "wingbeat/by": "user:boss",
        "wingbeat/parent": "x/n0",
        "": "x",
    }
    others = ("eta/production/flows.twice@v1", "maps/production/flows.gated@v1", "maps/production/none@v1")
    for labels, status in (
        *(({name: value}, 422) for name, value in refused.items()),
        *(({ENTITY_LABEL: other}, 422) for other in others),
        ({"project": "*"}, 422),
        ({"domain": "../x"}, 422),
        ({ENTITY_LABEL: entity}, 200),
    ):
        answer = await server.call(dev, "POST", "/engine/launches", server.code(OWN, labels=labels))
        assert answer.status_code == status, (labels, answer.text)
    # Who may run what is registered may run it again; not other code, and not what is fixed in another way.
    assert (await server.call(run, "POST", "/engine/launches", server.code(OWN))).status_code == 403
    again = await server.call(run, "POST", "/engine/launches", server.code(OWN, labels={ENTITY_LABEL: entity}))
    assert again.status_code == 200, again.text
    fixed = {ENTITY_LABEL: "maps/production/fixed@v1"}
    plan = msgspec.json.decode((await server.call(run, "GET", "/entities/maps/production/fixed/v1/definition")).content)
    asked = {"closure": plan["closure"], "labels": {"project": "maps", "domain": "production", **fixed}}
    for n, status in ((1, 200), (2, 422)):
        answer = await server.call(run, "POST", "/engine/launches", {**asked, "inputs": {"n": ["v", n]}})
        assert answer.status_code == status, answer.text
    view = (await server.call(run, "GET", f"/executions/{again.json()['id']}")).json()
    assert view["labels"]["wingbeat/by"] == "apikey:run"

    async def launched_by(name):
        answer = await server.call(run, "GET", "/executions", params={"labels": f"wingbeat/by=apikey:{name}"})
        return [each["id"] for each in answer.json()["items"]]

    async with asyncio.timeout(20):
        while again.json()["id"] not in await launched_by("run"):
            await asyncio.sleep(0.02)
    assert await launched_by("other") == []


async def test_an_id_that_is_taken_elsewhere_says_nothing(server):
    key = await server.key("dev", ("developer", *OWN))
    id = server.execution(FOREIGN)
    for path, body in (("/executions", server.launch(OWN, name=id)), ("/engine/launches", server.code(OWN, name=id))):
        answer = await server.call(key, "POST", path, body)
        assert (answer.status_code, answer.json()["title"]) == (409, f"The id {id!r} is taken.")


async def test_what_is_resumed_is_of_the_same_place(server):
    ours, theirs = await server.key("ours", ("developer", *OWN)), await server.key("theirs", ("developer", *FOREIGN))
    body = server.code(OWN, resume=True)
    first = (await server.call(ours, "POST", "/engine/launches", body)).json()
    other = (await server.call(theirs, "POST", "/engine/launches", server.code(FOREIGN, resume=True))).json()
    assert first["id"] != other["id"]
    stolen = msgspec.structs.replace(server.code(FOREIGN, resume=True), launch_key="sha256:x")
    assert (await server.call(theirs, "POST", "/engine/launches", stolen)).json()["id"] not in (
        first["id"],
        server.execution(OWN),
    )


async def test_code_is_run_where_one_is_a_developer(server):
    key = await server.key("dev", ("developer", *OWN))
    for labels, status in (
        ({}, 404),
        ({"project": "maps", "domain": "development"}, 403),
        ({"project": "maps", "domain": "production"}, 200),
    ):
        body = msgspec.structs.replace(server.code(OWN), labels=labels)
        assert (await server.call(key, "POST", "/engine/launches", body)).status_code == status, labels


# -- what nobody sends by mistake


ODD = (
    "%2e",
    "%2e%2e",
    "%2e%2e%2fhealth",
    "health",
    "%00",
    "a%0ab",
    "%ff",
    "%e2%80%ae",
    "-rf",
    "'; drop table grants",
    "<svg>",
)


@pytest.mark.parametrize("id", [*ODD, "x" * 3000])
async def test_odd_ids_lead_nowhere(server, id):
    key = await server.key("dev", ("developer", *OWN))
    before = (await server.call(server.owner, "GET", "/grants")).json()
    for method, path in (
        ("GET", "/executions/{}"),
        ("GET", "/executions/{}/events"),
        ("POST", "/executions/{}/abort"),
        ("DELETE", "/apikeys/{}"),
    ):
        answer = await server.call(key, method, path.format(id), {} if method == "POST" else None)
        assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text[:200])
        assert answer.status_code != 401
    for part in range(4):
        parts = ["maps", "production", "flows.twice", "v1"]
        parts[part] = id
        answer = await server.call(key, "GET", f"/entities/{'/'.join(parts)}")
        assert 400 <= answer.status_code < 500, (parts, answer.status_code, answer.text[:200])
    assert (await server.call(server.owner, "GET", "/grants")).json() == before
    noted = (await server.call(server.owner, "GET", "/audit?limit=1000")).text
    assert "\\u202e" not in noted and "\u202e" not in noted


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"name": 7}', b"\xff\xfe", b'{"name": "a", "name": "b"}x']
)
@pytest.mark.parametrize("path", ["/apikeys", "/grants"])
async def test_bodies_that_are_wrong_are_refused(server, path, body):
    key = await server.key("boss", ("admin", *OWN))
    answer = await server.call(key, "POST", path, body)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["title"]
    assert [each["name"] for each in (await server.call(server.owner, "GET", "/apikeys")).json()] == ["boss"]


async def test_nothing_is_read_of_whoever_is_not_known(server):
    async def endless():
        for _ in range(10_000):
            yield b"x" * 2**16

    url = f"/api/v1/content/files/{digest(b'x')}"
    try:
        answer = await server.http.put(url, content=endless())
    except httpx.TransportError:
        pass  # it has hung up while we were talking
    else:
        assert answer.status_code == 401
    assert not await asyncio.to_thread(lambda: [*Path(server.home.path).glob("uploads/*")])
    assert (await server.call(server.owner, "GET", "/health")).status_code == 200
    huge = await server.http.get("/api/v1/me", headers={"authorization": "Bearer " + "x" * 2**20})
    assert 400 <= huge.status_code < 500


# -- content


async def test_a_digest_alone_opens_nothing(server):
    ours, theirs = await server.key("ours", ("developer", *OWN)), await server.key("theirs", ("developer", *FOREIGN))
    secret = digest(b"secret")
    assert (await server.call(ours, "PUT", f"/content/files/{secret}", b"secret")).status_code == 204
    for key, status in ((ours, 200), (theirs, 404), (server.owner, 200)):
        assert (await server.call(key, "GET", f"/content/files/{secret}")).status_code == status
    asked = {"files": [secret, digest(b"none")]}
    assert (await server.call(ours, "POST", "/content/missing", asked)).json()["files"] == [digest(b"none")]
    assert (await server.call(theirs, "POST", "/content/missing", asked)).json() == {**asked, "trees": []}
    missing = await server.call(theirs, "GET", f"/content/files/{digest(b'none')}")
    foreign = await server.call(theirs, "GET", f"/content/files/{secret}")
    assert foreign.text.replace(secret, "") == missing.text.replace(digest(b"none"), "")
    # nor can it be named in what is registered or launched, or put into a tree
    closure = msgspec.structs.replace(server.code(FOREIGN).closure, environment=secret)
    body = msgspec.structs.replace(server.code(FOREIGN), closure=closure)
    assert (await server.call(theirs, "POST", "/engine/launches", body)).status_code == 422
    blob = {"uri": f"store:{secret}", "digest": secret, "size": 6, "name": "", "layout": "file"}
    body = msgspec.structs.replace(server.code(FOREIGN), inputs={"n": Inline(blob)})
    assert "is not here" in (await server.call(theirs, "POST", "/engine/launches", body)).text
    body = msgspec.structs.replace(server.code(FOREIGN), inputs={"n": Offloaded(f"store:{secret}", 6, secret)})
    assert "is not here" in (await server.call(theirs, "POST", "/engine/launches", body)).text
    launch = server.launch(FOREIGN, inputs={"n": {**blob, "uri": "file:///etc/passwd"}})
    assert "is not here" in (await server.call(theirs, "POST", "/executions", launch)).text
    tree = manifest_bytes(make_manifest([TreeFile("a", 6, secret, False)]))
    assert "is not here" in (await server.call(theirs, "PUT", f"/content/trees/{digest(tree)}", tree)).text
    assert (await server.call(ours, "PUT", f"/content/trees/{digest(tree)}", tree)).status_code == 204


async def test_what_an_answer_shows_may_be_asked_for(server):
    ours, other = await server.key("ours", ("developer", *OWN)), await server.key("other", ("viewer", *OWN))
    lock = digest(b"lock")
    await server.call(ours, "PUT", f"/content/files/{lock}", b"lock")
    twice = server.definitions()[0]
    closure = msgspec.structs.replace(twice.closure, environment=lock)
    given = Registration(*OWN, (msgspec.structs.replace(twice, closure=closure),), "v9")
    assert (await server.call(ours, "POST", "/registrations", given)).status_code == 201
    assert (await server.call(other, "GET", f"/content/files/{lock}")).status_code == 404
    assert (await server.call(other, "GET", "/entities/maps/production/flows.twice/v9/definition")).status_code == 200
    assert (await server.call(other, "GET", f"/content/files/{lock}")).content == b"lock"


# -- streams


@pytest.mark.parametrize(
    ("path", "how"), [("/executions/{}/events", "key"), ("/executions/{}/events", "grant"), ("/engine/changes", "key")]
)
async def test_a_stream_ends_with_the_right_to_it(server, path, how):
    key = await server.key("ro", ("viewer", *OWN))
    url = f"/api/v1{path.format(server.execution(OWN))}"
    lines = []
    async with (
        asyncio.timeout(20),
        server.http.stream("GET", url, headers={"authorization": f"Bearer {key}"}) as answer,
    ):
        assert answer.status_code == 200
        read = answer.aiter_lines()
        lines.append(await anext(read))
        if how == "key":
            await server.call(server.owner, "DELETE", "/apikeys/ro")
        else:
            taken = {"principal": "apikey:ro", "project": OWN[0], "domain": OWN[1]}
            await server.call(server.owner, "DELETE", "/grants", params=taken)
        lines += [line async for line in read]
    assert not any(line.startswith("event: end") for line in lines), "it is not the execution that has ended"


async def test_a_stream_ends_when_the_key_expires(server):
    grants = [{"principal": "", "role": "viewer", "project": "maps", "domain": "production"}]
    body = {"name": "short", "expires_at": time.time() + 1.5, "grants": grants}
    key = (await server.call(server.owner, "POST", "/apikeys", body)).json()["secret"]
    url, headers = f"/api/v1/executions/{server.execution(OWN)}/events", {"authorization": f"Bearer {key}"}
    async with asyncio.timeout(20), server.http.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        assert [line async for line in answer.aiter_lines()]
