"""The twelve groups of hostile input, at the door where each arrives. What is sent to the server is answered with 4xx and a reason;
the process lives, answers the next request, has not grown by more than a bound, and nothing outside of its home was touched.

`test_hostile_elsewhere.py` says where the doors that are not HTTP are tested.
"""

import asyncio
import gzip
import http.client
import json
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from msgspec.structs import replace

from wingbeat.spec.codec import spec_digest
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.engine import closure_of
from wingbeat.trees import TreeFile, make_manifest, manifest_bytes

sys.path.insert(0, str(Path(__file__).parent))
from served import Server, serving, wingbeat

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
API = "/api/v1"
GROWN_MB_MAX = 300
"""After everything, the largest body with 64 MiB: what it has needed is given back late."""
IDS = [
    "..", ".", "a/../b", "%2e%2e%2f", "%252e%252e", "..\\", "/etc/passwd", "a\0b", "a\nb", "\u202eevil", "\ufffd", "x" * 10_000,
    "-rf", "$(id)", "{{7*7}}", "'; drop table executions; --", "<svg onload=1>", "../../health", "..;/health", "health/",
]  # fmt: skip


class Door:
    """Calls to a server that refuse to be put right on their way, as clients would."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def send(
        self, method: str, target: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body. `target` goes as it is, but for what HTTP itself cannot say."""
        given = {"authorization": f"Bearer {self.server.key}", "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request(method, target, body, {name: value for name, value in given.items() if value})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def json(self, method: str, target: str, body: Any = None) -> Any:
        """What is answered to what is right."""
        status, _, answer = self.send(method, f"{API}{target}", None if body is None else msgspec.json.encode(body))
        assert status < 300, (status, answer)
        return json.loads(answer) if answer else None

    def refused(self, method: str, target: str, body: Any = None, *, least: int = 400, **headers: str) -> int:
        """That it is answered with 4xx and a reason; the status."""
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        status, got, answer = self.send(method, f"{API}{target}", data, **headers)
        assert least <= status < 500, (method, target[:200], str(body)[:200], status, answer[:300])
        assert got["content-type"] == "application/problem+json", (target[:200], got)
        assert json.loads(answer)["title"], answer
        return status


def outside(root: Path) -> dict[str, tuple[int, bytes]]:
    """Everything beside the home: when it was changed, and what is in it."""
    found = {}
    for path in sorted(root.rglob("*")):
        if "home" not in path.relative_to(root).parts[:1]:
            found[str(path)] = (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
    return found


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    root = tmp_path_factory.mktemp("hostile")
    (root / "flows.py").write_text((Path(__file__).parent / "openapi/flows.py").read_text())
    wingbeat(root, "register", "flows.py", "--project", "maps", "--domain", "production", "--version", "v1")
    with serving(root) as server:
        (root / "beside").mkdir()
        (root / "beside" / "canary").write_text("what nobody touches")
        before, small = outside(root), server.memory_mb
        found = Door(server)
        found.json(
            "POST", "/executions", {"entity": "maps/production/flows.asks@v1", "inputs": {"n": 1}, "name": "there"}
        )
        yield found
        assert outside(root) == before, "nothing outside of the home was touched"
        assert server.memory_mb - small < GROWN_MB_MAX
        assert found.json("GET", "/executions/there")["id"] == "there"


@pytest.fixture(autouse=True)
def alive(door: Door) -> Iterator[None]:
    """After each group: the process is there, and answers."""
    yield
    assert door.server.process.poll() is None
    assert door.json("GET", "/health") == {"status": "ok"}


# -- 1: ids and names


@pytest.mark.parametrize("id", IDS, ids=lambda given: repr(given[:20]))
def test_ids_and_names(door: Door, id: str) -> None:
    for written in {quote(id, safe=""), quote(id, safe="/.%\\;")}:
        for path in (
            f"/executions/{written}", f"/executions/{written}/closure", f"/entities/maps/production/{written}/v1",
            f"/entities/maps/{written}/flows.asks/v1", f"/entities/{written}/production/flows.asks/v1/definition",
            f"/entities/maps/production/flows.asks/{written}", f"/content/files/{written}", f"/content/trees/{written}",
            f"/artifacts/maps/production/{written}/v1",
        ):  # fmt: skip
            if path.endswith(("/.", "/./v1")) or written in ("a/../b", "health/"):
                continue  # other paths, as any client would say
            door.refused("GET", path)
        door.refused("DELETE", f"/apikeys/{written}")
        door.refused("POST", f"/notifications/{written}/resend", {})
    launch = {"entity": "maps/production/flows.asks@v1", "inputs": {"n": 1}}
    door.refused("POST", "/executions", {**launch, "name": id})
    door.refused("POST", "/executions", {**launch, "entity": f"maps/production/{id}@v1"})
    door.refused("POST", "/executions", {**launch, "entity": f"{id}/production/flows.asks@v1"})
    door.refused("POST", "/registrations", {"project": id, "domain": "production", "definitions": [], "version": "v1"})
    door.refused("POST", "/apikeys", {"name": id})
    door.refused("POST", "/grants", {"principal": id, "role": "viewer"})
    door.refused("POST", "/content/missing", {"files": [id]})


def test_what_is_no_text(door: Door) -> None:
    for body in (b'{"entity": "\xff\xfe"}', b'{"entity": "\\ud800"}', b'{"entity": "\xed\xa0\x80"}', b"\xff\xfe{\0}\0"):
        door.refused("POST", "/executions", body)
    for path in ("%ff%fe", "%ed%a0%80", "%c0%ae%c0%ae"):
        door.refused("GET", f"/executions/{path}")
    assert door.refused("GET", "/executions/" + "x" * 10_000) == 404


# -- 2: filters, orders, page tokens


@pytest.mark.parametrize(
    "query",
    [
        "order=name", "sort=team", "sort=-created_at,(select+1)", "sort=created_at;drop+table", "sort=inputs.a';--", "sort=labels.",
        "sort=name%0a", "sort=inputs." + "x" * 300, "sort=name&after=~", "sort=name&after=~" + "A" * 9000, "sort=phase&after=~W10",
        "limit=-1", "limit=0", "limit=1000000000",
        "limit=1e9", "after=nothing", "after=%00", "after=there'--", "phase=running", "phase=RUNNING'", "since=x",
        "values=inputs.n", "values=inputs.n;select=1", "values=(a%2B)%2B%24" + "a" * 300, "values=" + "%25_" * 200,
        "values=nodes.n=1", "labels==x", "&".join(["labels=a=b"] * 10_000)[:15_000], "&".join(["values=inputs.n=1"] * 500),
    ],
    ids=lambda query: query[:40],
)  # fmt: skip
def test_filters_orders_and_page_tokens(door: Door, query: str) -> None:
    door.refused("GET", f"/executions?{query}")


@pytest.mark.parametrize("after", ["-2", "1e300", "x", "", "9" * 30, "1.5", "0'--", "%00", "\u0661"])
def test_where_the_changes_begin(door: Door, after: str) -> None:
    door.refused("GET", f"/engine/changes?after={quote(after, safe='%')}")
    door.refused("GET", "/engine/changes", last_event_id=after.encode("ascii", "replace").decode() or "-")


def test_texts_in_filters_are_texts(door: Door) -> None:
    for text in ("%", "_", "' or 1=1 --", "%_%_%_%_%" * 20, "\u0130", "a\0b", "*", "[a-z]*"):
        for name in ("project", "domain", "entity", "workflow"):
            answer = door.send("GET", f"{API}/executions?{name}={quote(text)}")
            assert answer[0] in (200, 422), answer
            assert answer[0] == 422 or json.loads(answer[2])["items"] == []
        status, _, body = door.send("GET", f"{API}/executions?values=inputs.n={quote(text)}")
        assert (status, json.loads(body)["items"]) == (200, [])


# -- 3: JSON


def nested(levels: int) -> bytes:
    return b'{"entity": "maps/production/flows.asks@v1", "inputs": {"n": %b}}' % (b"[" * levels + b"]" * levels)


HEAD = b'{"entity": "maps/production/flows.asks@v1", "inputs": {"n": '
JSONS = {
    "65 levels": nested(65), "1,000 levels": nested(1000), "100,000 levels": nested(100_000), "only openings": b"[" * 100_000,
    "a million keys": HEAD + b"{" + b",".join(b'"%d":1' % n for n in range(10**6)) + b"}}}",
    "NaN": HEAD + b"NaN}}", "Infinity": HEAD + b"Infinity}}", "1e400": HEAD + b"1e400}}", "2^63": HEAD + b"%d}}" % 2**64,
    "10 MB of digits": HEAD + b"9" * 10**7 + b"}}", "a mark of the order": b"\xef\xbb\xbf{}", "UTF-16": "{}".encode("utf-16"),
    "broken off": HEAD, "more behind it": HEAD + b"1}} {}", "another form": b"entity=x", "of another type": b'{"entity": 7}',
    "a field too many": HEAD + b'1}, "admin": true}', "null": b"null", "nothing": b"", "compressed": gzip.compress(b"{}" * 10**6),
}  # fmt: skip


@pytest.mark.parametrize("body", JSONS.values(), ids=JSONS)
def test_json(door: Door, body: bytes) -> None:
    for path in (
        "/executions",
        "/registrations",
        "/engine/launches",
        "/engine/evictions",
        "/apikeys",
        "/content/missing",
    ):
        if body == b"" and path == "/engine/evictions":
            continue
        door.refused("POST", path, body)


def test_what_is_compressed_is_not_unpacked(door: Door) -> None:
    bomb = gzip.compress(b'{"entity": "' + b"x" * 50_000_000 + b'"}')
    door.refused("POST", "/executions", bomb, content_encoding="gzip")


def test_lengths_that_lie(door: Door) -> None:
    head = f"POST {API}/executions HTTP/1.1\r\nhost: 127.0.0.1:{door.server.port}\r\nauthorization: Bearer {door.server.key}\r\n"
    head += "content-type: application/json\r\n"

    def said(rest: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", door.server.port), timeout=30) as made:
            made.sendall(head.encode() + rest)
            return made.recv(2**16)

    assert b" 413 " in said(b"content-length: 99999999999\r\n\r\n{}")[:20]
    assert b" 400 " in said(b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}")[:20]
    assert b" 400 " in said(b"transfer-encoding: chunked\r\n\r\nfffffffffffffffffffffff\r\n")[:20]


def test_a_body_without_an_end_is_not_kept(door: Door) -> None:
    held = door.server.memory_mb
    with socket.create_connection(("127.0.0.1", door.server.port), timeout=30) as made:
        made.sendall(
            f"POST {API}/executions HTTP/1.1\r\nhost: 127.0.0.1:{door.server.port}\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {door.server.key}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )
        sent, chunk = 0, b"100000\r\n" + b"x" * 2**20 + b"\r\n"
        try:
            while sent < 100:
                made.sendall(chunk)
                sent += 1
            assert b" 413 " in made.recv(2**16)[:20]
        except OSError:
            assert sent > 64
    assert door.server.memory_mb - held < GROWN_MB_MAX


# -- 4: types and graphs


def test_graphs(door: Door) -> None:
    good = closure_of(flows.twice)
    root = good.workflow
    node = root.nodes[0]

    def launched(made: Any, **entities: Any) -> dict[str, Any]:
        digest = spec_digest(made)
        closure = replace(good, root=digest, entities={**good.entities, **entities, digest: made})
        return {"closure": closure, "inputs": {"n": ["v", 1]}}

    itself = replace(root, calls=(*root.calls, good.root))
    wrong = {
        "a node twice": replace(root, nodes=(node, node)),
        "a circle": replace(root, nodes=tuple(replace(each, after=(root.nodes[-1].id,)) for each in root.nodes)),
        "an input that is missing": replace(root, nodes=(replace(node, inputs={}),)),
        "calls nothing": replace(root, nodes=(replace(node, call=99),)),
        "calls what is not there": replace(root, calls=("sha256:" + "0" * 64,)),
    }
    for name, made in wrong.items():
        assert door.refused("POST", "/engine/launches", launched(made)) in (400, 422), name
    door.refused("POST", "/engine/launches", {**launched(itself), "closure": replace(good, root="sha256:" + "1" * 64)})
    definition = {"kind": "workflow", "name": "x", "closure": replace(good, root="sha256:" + "1" * 64)}
    door.refused("POST", "/registrations", {"project": "maps", "domain": "production", "definitions": [definition]})
    recovered = {"closure": definition["closure"], "inputs": {}, "recover": "there"}
    door.refused("POST", "/engine/recovery-plans", recovered)
    tampered = replace(good, entities={name: replace(each, doc="other") for name, each in good.entities.items()})
    door.refused("POST", "/engine/launches", {"closure": tampered, "inputs": {"n": ["v", 1]}})
    document = msgspec.json.decode(msgspec.json.encode(good))
    for entity in document["entities"].values():
        entity["interface"]["inputs"] = [
            {"name": "n", "type": {"kind": "union", "members": [{"kind": "simple"}] * 10_000}}
        ]
    for inputs in ({}, {"n": ["v", 2**64]}, {"n": ["v", "x"]}, {"n": ["v", 1], "m": ["v", 1]}):
        door.refused("POST", "/engine/launches", {"closure": good, "inputs": inputs})
    door.refused("POST", "/engine/launches", {"closure": document, "inputs": {}})
    door.refused("POST", "/engine/launches", {"closure": {**document, "pod_template": {}}, "inputs": {}})


# -- 5: archives: here a tree is a list of files that are there


TREES = {
    "above": ["../x"], "absolute": ["/etc/x"], "a file and a file below it": ["a", "a/b"], "twice": ["a", "a"], "nothing": [""],
    "a dot": ["./a"], "no name": ["a//b"], "NUL": ["a\0b"], "as long as a path may be": ["/".join(["d" * 200] * 40)],
}  # fmt: skip


@pytest.mark.parametrize("paths", TREES.values(), ids=TREES)
def test_archives(door: Door, paths: list[str]) -> None:
    import hashlib

    def digest(data: bytes) -> str:
        return "sha256:" + hashlib.sha256(data).hexdigest()

    assert door.send("PUT", f"{API}/content/files/{digest(b'x')}", b"x", content_type="")[0] == 204
    body = manifest_bytes(make_manifest([TreeFile(path, 1, digest(b"x"), False) for path in paths]))
    door.refused("PUT", f"/content/trees/{digest(body)}", body)
    assert list((door.server.home / "uploads").iterdir()) == []


# -- 6: URIs


URIS = [
    "file:///etc/passwd",
    "s3://other/x",
    "http://169.254.169.254/",
    "http://[::ffff:127.0.0.1]/",
    "gopher://x",
    "../x",
    "/x",
]


@pytest.mark.parametrize("uri", URIS)
def test_uris(door: Door, uri: str) -> None:
    there = {"uri": uri, "digest": "sha256:" + "0" * 64, "size": 1}
    door.refused("POST", "/executions", {"entity": "maps/production/flows.asks@v1", "inputs": {"n": there}})
    door.refused("POST", "/content/missing", {"files": [uri]})
    good = closure_of(flows.twice)
    launch = {"closure": replace(good, bundle=uri), "inputs": {"n": ["v", 1]}}
    status, _, answer = door.send("POST", f"{API}/engine/launches", msgspec.json.encode(launch))
    if status < 400:  # it is looked for where bundles are, in vain
        phase = door.json("GET", f"/executions/{json.loads(answer)['id']}/wait?seconds=30")
        assert phase == "FAILED", phase


# -- 7: deserialisation


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-python-pickle",
        "application/msgpack",
        "application/yaml",
        "text/plain",
        "multipart/form-data",
        "x",
    ],
)
def test_other_formats(door: Door, kind: str) -> None:
    body = b"cos\nsystem\n(S'touch ../beside/owned'\ntR."
    for path in ("/executions", "/registrations", "/engine/launches"):
        assert door.refused("POST", path, body, content_type=kind) == 415


# -- 8: tokens


@pytest.mark.parametrize(
    "key", ["", "garbage", "wb_" + "0" * 16 + "_" + "0" * 64, "x" * 10_000, "eyJhbGciOiJub25lIn0.e30."]
)
def test_tokens(door: Door, key: str) -> None:
    document = json.loads(door.send("GET", "/api/openapi/openapi.json")[2])
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation.get("security") == []:
                continue
            target = re.sub(r"\{\w+\}", "x", path).removeprefix(API)
            bearer = f"Bearer {key}" if key else ""
            assert door.refused(method.upper(), target, b"{" if method == "post" else None, authorization=bearer) == 401


# -- 9: browsers


def test_browsers(door: Door) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"}):
            path = {"PUT": "/content/files/x", "DELETE": "/apikeys/x"}.get(method, "/executions")
            assert door.refused(method, path, b"{}" if method in ("POST", "PUT") else None, **headers) in (403, 421)
    for path in ("/executions/there", "/executions/%3Csvg%20onload=1%3E", "/health"):
        _, headers, _ = door.send("GET", f"{API}{path}")
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "json" in headers["content-type"]
        assert not any(name.startswith("access-control-") for name in headers)
    for method in ("OPTIONS", "TRACE", "PATCH", "HEAD", "CONNECTX"):
        status, headers, _ = door.send(method, f"{API}/executions")
        assert (status, sorted(headers["allow"].split(", "))) == (405, ["GET", "POST"])


# -- 10: pods


def test_no_specification_says_what_a_pod_is(door: Door) -> None:
    document = msgspec.json.decode(msgspec.json.encode(closure_of(flows.twice)))
    for field in (
        "pod_template",
        "privileged",
        "hostPath",
        "hostNetwork",
        "serviceAccountName",
        "securityContext",
        "nodeName",
    ):
        changed = json.loads(json.dumps(document))
        for entity in changed["entities"].values():
            entity[field] = True
        door.refused("POST", "/engine/launches", {"closure": changed, "inputs": {"n": ["v", 1]}})


# -- 11: exhaustion


def test_headers_and_labels_that_are_too_much(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.server.port), timeout=30) as made:
        made.sendall(b"GET / HTTP/1.1\r\nx: " + b"a" * 2**20)
        assert b" 431 " in made.recv(2**16)[:20]
    for path in ("/executions?values=" + "a" * 60_000, "/executions/" + "a" * 60_000):
        door.refused("GET", path)
    labels = {f"label{number}": "x" * 100 for number in range(100_000)}
    door.refused(
        "POST", "/executions", {"entity": "maps/production/flows.asks@v1", "inputs": {"n": 1}, "labels": labels}
    )


def test_more_connections_than_files(tmp_path: Path) -> None:
    """Nobody keeps the journal from its files: half of them are for others."""

    async def crowd(port: int) -> None:
        made = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(400)))
        refused = 0
        while refused < 400 - 128:
            await asyncio.sleep(0.1)
            refused = sum(reader.exception() is not None or b" 503 " in bytes(reader._buffer) for reader, _ in made)  # type: ignore[attr-defined]
        for _, writer in made:
            writer.close()

    (tmp_path / "flows.py").write_text((Path(__file__).parent / "openapi/flows.py").read_text())
    wingbeat(tmp_path, "register", "flows.py", "--project", "maps", "--domain", "production", "--version", "v1")
    with serving(tmp_path, files_max=256) as server:
        asyncio.run(crowd(server.port))
        door = Door(server)
        for _ in range(100):  # as those who were first leave
            try:
                launched = door.json(
                    "POST", "/executions", {"entity": "maps/production/flows.asks@v1", "inputs": {"n": 1}}
                )
                break
            except (OSError, AssertionError):
                pass
        assert door.json("GET", f"/executions/{launched['id']}")["id"] == launched["id"]
