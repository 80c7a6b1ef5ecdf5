"""Connections: how many there may be, and for how long one may keep us waiting. Who sends nothing, or reads nothing, is cut."""

from __future__ import annotations

import asyncio
import resource
import socket
import struct
import sys

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from wingbeat_admin.problems import MEDIA_TYPE, Problem

CONNECTIONS_MAX = 10_000
"""At most so many at once, and at most half of the files that the process may have open: the journal needs some too."""
HEAD_S_MAX = 10.0
"""Within so many seconds a request has to have come up to its body, from the moment that its connection is there."""
BODY_S_MAX = 30.0
"""A body of which nothing has come for so many seconds does not come."""
STALLED_S_MAX = 60.0
"""Whoever has not read what was written for so many seconds is cut; streams are gone on with behind the last event."""
LINGER_S = 1.0
"""So long what still comes is read away after an answer that ends the connection: else it would cancel the answer on its way."""


class Connection(H11Protocol):
    """A connection with these limits."""

    _waiting: asyncio.TimerHandle | None = None
    """Until when something of the request that has begun has to come."""
    _stalled: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        if len(self.connections) > connections_max():
            self._refuse(Problem("As many connections are open as may be at once.", 503, hint="Try again in a moment."))
            self.transport.close()
            return
        self._waiting = self.loop.call_later(HEAD_S_MAX, self._keeps_waiting)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._forget()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._refused:
            return
        super().data_received(data)
        if self.conn.their_state is h11.SEND_BODY and self.conn.our_state is not h11.DONE:
            self._forget()
            self._waiting = self.loop.call_later(BODY_S_MAX, self._keeps_waiting)
        elif self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._forget()  # all of it is here
        elif self._waiting is None:  # the next one has begun: what trickles does not make it later
            self._waiting = self.loop.call_later(HEAD_S_MAX, self._keeps_waiting)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_S_MAX, self._cut)

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered like everything else that is wrong."""
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(Problem(f"The request is no HTTP that is taken here: {error or msg}.", status))

    def _keeps_waiting(self) -> None:
        self._waiting = None
        if self.flow.read_paused:  # it is we who do not read on
            self._waiting = self.loop.call_later(BODY_S_MAX, self._keeps_waiting)
        elif self.conn.their_state is h11.IDLE and self.conn.trailing_data == (b"", False):
            self.transport.close()  # nothing was asked
        else:
            self._refuse(Problem("The rest of the request does not come.", 408))

    def _cut(self) -> None:
        """With all that the system keeps for it."""
        made = self.transport.get_extra_info("socket")
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _refuse(self, problem: Problem) -> None:
        """Answer, if nothing was answered yet, and leave."""
        self._refused = True
        self._forget()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = msgspec.json.encode(problem)
            headers = [("content-type", MEDIA_TYPE), ("content-length", str(len(body))), ("connection", "close")]
            head = h11.Response(status_code=problem.status, headers=headers)
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event))
            self.transport.write_eof()
            self._waiting = self.loop.call_later(LINGER_S, self.transport.close)
        else:
            self.transport.close()

    def _forget(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def connections_max() -> int:
    """How many connections there may be at once."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_MAX if files == resource.RLIM_INFINITY else min(CONNECTIONS_MAX, files // 2)
