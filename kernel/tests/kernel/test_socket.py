"""The home's socket: calls of one process answered by another."""

import asyncio
import socket

import pytest

from wingbeat.base.errors import InputError, JournalUnknown
from wingbeat.contracts.catalog import Evicted, Eviction
from wingbeat.kernel import serve
from wingbeat.kernel.remote import RemoteEngine
from wingbeat.kernel.serve import Server
from wingbeat.kernel.shared import SharedEngine
from wingbeat.kernel.wire import Call, frame


class Endless:
    """An engine whose executions do not end; counts who waits."""

    def __init__(self):
        self.waiting = 0

    async def wait(self, execution):
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting -= 1

    async def events(self, execution, cursor=-1):
        self.waiting += 1
        try:
            await asyncio.Event().wait()
            yield
        finally:
            self.waiting -= 1

    async def executions(self, *, after="", limit=100):
        return []


async def test_a_call_that_nobody_waits_for_any_more_is_ended_at_the_holder(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "CALLS_MAX", 2)
    engine = Endless()
    server = Server(engine, tmp_path)
    await server.start()
    remote = await RemoteEngine.connect(tmp_path)
    try:
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(remote.wait("x"), 0.02)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(remote.events("x")), 0.02)
        assert await remote.executions() == []
        assert engine.waiting == 0
    finally:
        await remote.close()
        await server.close()


async def test_who_was_accepted_just_before_the_end_is_not_answered_but_sent_on(tmp_path):
    class Closed(Endless):
        async def executions(self, *, after="", limit=100):
            raise JournalUnknown("The journal is closed.")

    server = Server(Closed(), tmp_path)
    await server.start()
    ours, theirs = socket.socketpair()
    streams = await asyncio.open_connection(sock=theirs)
    await server.close()
    ours.setblocking(False)
    ours.send(frame(Call(1, "executions", count=1)))
    await server._accept(*streams)
    with pytest.raises(ConnectionResetError):  # it ends with what was asked unread
        await asyncio.wait_for(asyncio.get_running_loop().sock_recv(ours, 100), 5)
    ours.close()


async def test_an_eviction_reaches_the_holder_whole_and_so_does_its_refusal(tmp_path):
    class Catalog(Endless):
        asked: list[Eviction] = []

        async def evict_cache(self, eviction):
            if eviction == Eviction():
                raise InputError("Nothing says which.", hint="Say it.")
            self.asked.append(eviction)
            return Evicted(3, 700)

    server = Server(Catalog(), tmp_path)
    await server.start()
    remote = await RemoteEngine.connect(tmp_path)
    try:
        asked = Eviction("sha256:1", "m.f", 1.5, 10, everything=True)
        assert await remote.evict_cache(asked) == Evicted(3, 700)
        assert Catalog.asked == [asked]
        with pytest.raises(InputError, match="Nothing says which.") as refused:
            await remote.evict_cache(Eviction())
        assert refused.value.hint == "Say it."
    finally:
        await remote.close()
        await server.close()


async def test_a_holder_that_cannot_answer_lets_go_of_the_home(tmp_path):
    class Engine:
        closed = False

        async def close(self):
            self.closed = True

    made = Engine()

    async def make():
        (tmp_path / "kernel.sock").mkdir()  # where the socket is to be
        return made

    with pytest.raises(OSError, match="directory"):
        await SharedEngine(tmp_path, make).open()
    assert made.closed
    (tmp_path / "kernel.sock").rmdir()

    async def again():
        return Engine()

    second = SharedEngine(tmp_path, again)
    await second.open()
    assert second.holds
    await second.close()
