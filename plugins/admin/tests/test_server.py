"""What the server does with what it is sent, good and bad."""

import contextlib
import hashlib
import os
from pathlib import Path

import httpx
import pytest

from wingbeat import Kernel
from wingbeat.base.errors import InputError
from wingbeat.spec.entities import Closure
from wingbeat.testing.home import TemporaryHome
from wingbeat.trees import TreeFile, make_manifest, manifest_bytes
from wingbeat_admin.kits import client, served


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@contextlib.asynccontextmanager
async def server(tmp_path):
    """A client of a server, and the server's home."""
    home = TemporaryHome(tmp_path / "server")
    async with (
        Kernel(home.path, discover=False) as kernel,
        served(home, kernel.engine) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        yield http, home


# -- content


async def test_what_a_client_has_is_put_together_at_the_server(tmp_path):
    here, tree = TemporaryHome(tmp_path / "client"), tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    for name, content in (("a.py", b"a"), ("sub/b.sh", b"#!/bin/sh"), ("sub/large.bin", os.urandom(3 * 2**20))):
        (tree / name).write_bytes(content)
    (tree / "sub/b.sh").chmod(0o755)
    bundle, lock = here.storage().put_directory(str(tree)), here.storage().put_bytes(b"lock")
    closure = Closure("sha256:x", {}, bundle.digest, lock.digest)
    async with server(tmp_path) as (http, home):
        api, transfer = client(str(http.base_url), here)
        api.open()
        await transfer.closures([closure])
        there = home.storage()
        root = there.fetch(bundle)
        assert Path(root, "sub/large.bin").read_bytes() == (tree / "sub/large.bin").read_bytes()
        assert os.access(f"{root}/sub/b.sh", os.X_OK)
        assert there.read_bytes(lock) == b"lock"
        assert os.listdir(f"{home.path}/uploads") == []
        await transfer.closures([closure])

        other = TemporaryHome(tmp_path / "other")  # and back
        api2, back = client(str(http.base_url), other)
        api2.open()
        await back.outputs(
            {"o0": [{"uri": b.uri, "digest": b.digest, "size": b.size, "layout": b.layout} for b in (bundle, lock)]}
        )
        assert other.storage().read_bytes(lock) == b"lock"
        assert other.storage().put_directory(other.storage().fetch(bundle)).digest == bundle.digest
        await api.close()
        await api2.close()


async def test_what_is_nowhere_is_told(tmp_path):
    here = TemporaryHome(tmp_path / "client")
    async with server(tmp_path) as (http, _):
        api, transfer = client(str(http.base_url), here)
        api.open()
        with pytest.raises(InputError, match="neither at the server nor here"):
            await transfer.closures([Closure("sha256:x", {}, digest(b"code"), "")])
        await api.close()


@pytest.mark.parametrize("given", ["x", "sha256:..%2f..%2fetc", "sha256:" + "0" * 63, "md5:" + "0" * 64, "%00", "."])
async def test_what_is_no_digest_is_refused(tmp_path, given):
    async with server(tmp_path) as (http, home):
        for method, path in (("PUT", "files"), ("PUT", "trees"), ("GET", "files"), ("GET", "trees")):
            answer = await http.request(
                method, f"/api/v1/content/{path}/{given}", content=b"x" if method == "PUT" else None
            )
            assert 400 <= answer.status_code < 500, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
        assert not os.path.exists(f"{home.path}/uploads") or os.listdir(f"{home.path}/uploads") == []


async def test_content_that_is_another_is_refused(tmp_path):
    async with server(tmp_path) as (http, home):
        answer = await http.put(f"/api/v1/content/files/{digest(b'one')}", content=b"two")
        assert (answer.status_code, answer.json()["title"]) == (422, "The body has another digest than is said.")
        assert os.listdir(f"{home.path}/uploads") == []
        missing = await http.get(f"/api/v1/content/files/{digest(b'one')}")
        assert missing.status_code == 404


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../out", "a\0b", "", "a//b", "./a"])
async def test_a_tree_has_no_path_that_leads_out(tmp_path, path):
    async with server(tmp_path) as (http, _):
        assert (await http.put(f"/api/v1/content/files/{digest(b'x')}", content=b"x")).status_code == 204
        body = manifest_bytes(make_manifest([TreeFile(path, 1, digest(b"x"), False)]))
        answer = await http.put(f"/api/v1/content/trees/{digest(body)}", content=body)
        assert answer.status_code == 422, answer.text
        assert not (tmp_path / "out").exists()


# -- what browsers send


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421), ({"host": ""}, 421), ({"origin": "http://evil.example"}, 403),
        ({"content-type": "text/plain"}, 415), ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json"}, 404),
    ],
)  # fmt: skip
async def test_a_page_of_somebody_else_can_do_nothing(tmp_path, headers, status):
    async with server(tmp_path) as (http, _):
        given = {"content-type": "application/json", **headers}
        answer = await http.post("/api/v1/executions", content=b'{"entity": "a/b/c@v1"}', headers=given)
        assert answer.status_code == status, answer.text
        assert answer.json()["title"]


# -- bodies


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"entity": 7}',
        b"[" * 100_000,
        b'{"entity": "' + b"x" * 100_000 + b'"}',
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize(
    "path",
    ["executions", "registrations", "engine/launches", "engine/evictions", "engine/collections", "content/missing"],
)
async def test_a_body_that_is_wrong_is_refused_with_a_reason(tmp_path, path, body):
    async with server(tmp_path) as (http, _):
        answer = await http.post(f"/api/v1/{path}", content=body, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:300])
        assert answer.json()["title"]
        assert (await http.get("/api/v1/health")).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "kind=nothing",
        "after=nothing",
        "after=a/b/c@v1",
        "limit=99999999999999999999",
    ],
)
async def test_a_query_that_is_wrong_is_refused_with_a_reason(tmp_path, query):
    async with server(tmp_path) as (http, _):
        answer = await http.get(f"/api/v1/entities?{query}")
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["title"]


async def test_the_document_of_the_api_names_every_route(tmp_path):
    async with server(tmp_path) as (http, _):
        document = (await http.get("/api/openapi/openapi.json")).json()
        assert (await http.get("/api/openapi")).json() == document
        assert {
            "/api/v1/executions",
            "/api/v1/entities",
            "/api/v1/content/missing",
            "/api/v1/engine/changes",
        } <= document["paths"].keys()
