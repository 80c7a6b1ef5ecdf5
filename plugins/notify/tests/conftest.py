"""Names that resolve as a test says."""

import asyncio
import socket

import pytest


@pytest.fixture
def resolving(monkeypatch):
    """Have names resolve to these addresses; says which were asked for."""

    def resolve(names):
        asked = []

        async def getaddrinfo(host, port, *, type=0, **_):
            asked.append(host)
            return [(socket.AF_INET, type, 6, "", (address, port)) for address in names.get(host, [host])]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        return asked

    return resolve
