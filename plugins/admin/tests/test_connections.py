"""Connections: who sends nothing, and who reads nothing, does not keep his for long; and what is no HTTP is answered."""

import asyncio
import errno
import json
import resource
import socket

import pytest

from wingbeat import Kernel
from wingbeat.contracts.engine import LaunchRequest
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.engine import closure_of
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.kits import served
from wingbeat_admin.server import connections

SOON_S = 0.2


@pytest.fixture
async def server(tmp_path):
    home = TemporaryHome(tmp_path / "server")
    async with Kernel(home.path, discover=False) as kernel, served(home, kernel.engine) as url:
        yield kernel.engine, int(url.rpartition(":")[2])


async def said(port, *parts):
    """What the server says until it closes, to what is sent in parts."""
    incoming, outgoing = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        outgoing.write(part)
        await asyncio.sleep(SOON_S / 4)
    answer = await incoming.read()
    outgoing.close()
    return answer


def problem(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    found = json.loads(body)
    assert found["title"] and str(found["status"]).encode() in head.split(b"\r\n")[0]
    return found["status"]


HEAD = (
    b"POST /api/v1/executions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\ncontent-length: 9\r\n"
)


async def test_a_request_that_does_not_come_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_S_MAX", SOON_S)
    monkeypatch.setattr(connections, "BODY_S_MAX", SOON_S)
    _, port = server
    assert await said(port) == b"", "who says nothing is told nothing"
    assert problem(await said(port, b"GET /api")) == 408
    assert problem(await said(port, b"G", *[b"E"] * 3, b"x" * 9)) == 408, "a trickle makes it no later"
    assert problem(await said(port, HEAD % port + b"\r\n", b"{")) == 408


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", 400), (b"GET / HTTP/1.1\r\nhost\r\n\r\n", 400),
        (b"\r\n" * 9 + b"\0" * 9 + b"\r\n\r\n", 400),
        (b"GET /" + b"a" * 2**20, 431), (b"GET / HTTP/1.1\r\nx: " + b"a" * 2**20, 431),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 501),
    ],
)  # fmt: skip
async def test_what_is_no_http_is_answered(server, sent, status):
    assert problem(await said(server[1], sent)) == status


async def test_a_body_that_breaks_off_its_form_harms_nobody(server):
    _, port = server
    head = HEAD.replace(b"content-length: 9", b"transfer-encoding: chunked") % port + b"\r\n"
    assert problem(await said(port, head, b"zz\r\n")) == 400


async def test_no_more_connections_are_open_than_may_be(server, monkeypatch):
    _, port = server
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 3)
    open_ = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    await asyncio.sleep(SOON_S)
    assert problem(await said(port)) == 503
    for _, outgoing in open_:
        outgoing.close()
    await asyncio.sleep(SOON_S)
    incoming, outgoing = await asyncio.open_connection("127.0.0.1", port)
    outgoing.write(b"GET /api/v1/health HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n\r\n" % port)
    assert b" 200 " in await incoming.readline()
    outgoing.close()


def test_the_journal_keeps_files_to_open(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    assert connections.connections_max() == 128
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert connections.connections_max() == connections.CONNECTIONS_MAX


async def test_who_does_not_read_is_cut(server, monkeypatch):
    monkeypatch.setattr(connections, "STALLED_S_MAX", SOON_S)
    engine, port = server
    label = {f"l{number}": "x" * 60_000 for number in range(100)}  # one answer is larger than what is kept on the way
    launched = await engine.launch(LaunchRequest(closure_of(flows.gated), {"n": Inline(1)}, labels=label))
    loop = asyncio.get_running_loop()
    asked = b"GET /api/v1/engine/changes HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n\r\n" % port
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.setblocking(False)
        await loop.sock_connect(stuck, ("127.0.0.1", port))
        await loop.sock_sendall(stuck, asked)
        async with asyncio.timeout(30):
            while stuck.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != errno.ECONNRESET:  # it is not read meanwhile
                await asyncio.sleep(SOON_S)
    assert (await engine.describe(launched.id)).labels == label
