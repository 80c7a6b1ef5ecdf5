"""Calls of the HTTP API: connections, retries, request ids, errors."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import httpx
import msgspec
from httpx_sse import ServerSentEvent, aconnect_sse
from msgspec import Struct
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_before_delay, wait_exponential_jitter

from wingbeat.base.errors import ConfigurationError, EngineStopped, WingbeatError
from wingbeat.base.ids import short_id
from wingbeat_admin.problems import Problem, error_of
from wingbeat_admin.urls import is_here, is_url

T = TypeVar("T")

RETRY_S_MAX = 30.0
"""For so long a call is tried again while nobody answers: a server that restarts is away for a moment. What the server wants asked
again later than that fails at once."""
TELL_S = 1.0
"""After so long it is told that nobody answers: somebody may be waiting in front of a wrong URL."""
TOO_MANY = 429
_AWAY = frozenset({502, 503, 504})
TRIED = "wingbeat-tried"
"""How often this very request was sent before: what it asks for may have been done already."""

_log = logging.getLogger("wingbeat.admin")


class _Away(Exception):
    """Nobody answers, or not now.

    Attributes:
        after_s: It is to be asked again after so many seconds; 0 where nobody has said that.

        said: What is raised if that is too long, where somebody did answer.
    """

    def __init__(self, message: str, after_s: float = 0.0, said: WingbeatError | None = None) -> None:
        super().__init__(message)
        self.after_s, self.said = after_s, said


class _Signed(httpx.Auth):
    """Adds what proves who asks. No redirect is followed, so it is sent to no other."""

    def __init__(self, key: Callable[[], Awaitable[str]] | None) -> None:
        self._key = key

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if self._key is not None and (key := await self._key()):
            request.headers["authorization"] = f"Bearer {key}"
        yield request


class Api:
    """The API of a server at `endpoint`. Every call may be repeated, so it is, while nobody answers.

    Args:
        key: Gives what proves who asks; empty sends nothing. Asked for each request.
    """

    def __init__(self, endpoint: str, timeout_s: float, key: Callable[[], Awaitable[str]] | None = None) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._timeout_s, self._key = timeout_s, key
        self._client: httpx.AsyncClient | None = None
        self._told = False

    def open(self) -> None:
        """Get ready. Raises ConfigurationError for an endpoint that is none."""
        if self._client is not None:
            return
        if not is_url(self.endpoint):
            raise ConfigurationError(
                f"{self.endpoint!r} is no endpoint of a server.",
                hint="Give its URL, as http://127.0.0.1:8765: by --endpoint, WINGBEAT_ENDPOINT, or admin.endpoint.",
            )
        self._client = httpx.AsyncClient(
            base_url=f"{self.endpoint}/api/v1",
            timeout=self._timeout_s,
            trust_env=not is_here(self.endpoint),
            auth=_Signed(self._key),
        )

    def signed(self, key: str) -> Api:
        """Another one, open, of the same server, for whoever has this key."""

        async def given() -> str:
            return key

        found = Api(self.endpoint, self._timeout_s, given)
        found.open()
        return found

    async def close(self) -> None:
        """Hang up."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: Any = None,
        timeout_s: float | None = None,
    ) -> bytes:
        """The answer's body, which may take `timeout_s`. Raises what the server says; WingbeatError if nobody answers for a
        while."""
        content = None if body is None else msgspec.json.encode(body)
        given = {name: value for name, value in (params or {}).items() if value not in (None, "")}
        headers = {"x-request-id": short_id(os.urandom(16))}
        if content is not None:
            headers["content-type"] = "application/json"
        try:
            async for attempt in self._tries():
                if (tried := attempt.retry_state.attempt_number - 1) > 0:
                    headers[TRIED] = str(tried)
                with attempt:
                    return await self._once(method, path, given, content, headers, timeout_s)
        except _Away as error:
            raise self._unanswered(error) from None
        raise AssertionError("it is tried at least once")

    async def send(self, method: str, path: str, content: bytes | Callable[[], AsyncIterator[bytes]]) -> None:
        """Send a body as it is, in one piece or several. Raises as `call`."""
        headers = {"x-request-id": short_id(os.urandom(16)), "content-type": "application/octet-stream"}
        try:
            async for attempt in self._tries():
                with attempt:
                    await self._once(method, path, {}, content if isinstance(content, bytes) else content(), headers)
        except _Away as error:
            raise self._unanswered(error) from None

    async def receive(self, path: str) -> AsyncIterator[bytes]:
        """The body of an answer, in pieces. Raises as `call`."""
        try:
            async with self._open.stream("GET", path) as answer:
                if answer.is_error:
                    raise self._said(answer, await answer.aread())
                async for part in answer.aiter_bytes():
                    yield part
        except httpx.TransportError as error:
            raise self._unanswered(error) from None

    def _unanswered(self, error: Exception) -> WingbeatError:
        if isinstance(error, _Away) and error.said is not None:
            return error.said
        why = str(error).removesuffix(".")
        return EngineStopped(f"Nobody answers at {self.endpoint}: {why}.", hint="Is 'wingbeat serve' running there?")

    async def _once(
        self,
        method: str,
        path: str,
        params: dict[str, Any],
        content: bytes | AsyncIterator[bytes] | None,
        headers: dict[str, str],
        timeout_s: float | None = None,
    ) -> bytes:
        timeout = httpx.Timeout(self._timeout_s, read=timeout_s or self._timeout_s)
        try:
            answer = await self._open.request(
                method, path, params=params, content=content, headers=headers, timeout=timeout
            )
        except httpx.TransportError as error:
            raise _Away(str(error) or type(error).__name__) from error
        after_s = _retry_after_s(answer)
        busy = answer.status_code == TOO_MANY and after_s > 0
        self._told = self._told and (busy or answer.status_code in _AWAY)
        if busy or answer.status_code in _AWAY:
            said = self._said(answer, answer.content)
            if (
                not busy
                and (problem := _problem(answer.content)) is not None
                and problem.code == EngineStopped.__name__
            ):
                said = EngineStopped(
                    said.message, hint=said.hint
                )  # it did answer: its engine is away, or it is stopping
            raise _Away(said.message, after_s, said if busy or isinstance(said, EngineStopped) else None)
        if answer.is_error:
            raise self._said(answer, answer.content)
        return answer.content

    async def stream(self, path: str, params: dict[str, Any]) -> AsyncIterator[ServerSentEvent]:
        """Events of the server, until it ends the stream. Raises what the server says, and EngineStopped when it is gone."""
        timeout = httpx.Timeout(self._timeout_s, read=None)
        try:
            async with aconnect_sse(self._open, "GET", path, params=params, timeout=timeout) as source:
                if source.response.status_code in _AWAY:
                    raise EngineStopped(f"The server at {self.endpoint} is stopping.")
                if source.response.is_error:
                    raise self._said(source.response, await source.response.aread())
                async for event in source.aiter_sse():
                    yield event
        except httpx.TransportError as error:
            raise EngineStopped(f"The server at {self.endpoint} is gone: {error}.") from error

    def read(self, kind: type[T], body: bytes) -> T:
        """The answer in a body. Raises WingbeatError for one that no server of ours gives."""
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as error:
            raise self.another(error) from error

    def another(self, why: object) -> WingbeatError:
        """The error for an answer that no server of ours gives."""
        return WingbeatError(
            f"What answers at {self.endpoint} is no Wingbeat server, or of another version: {why}.",
            hint="Give the URL that 'wingbeat serve' has printed.",
        )

    @property
    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            raise ConfigurationError("It is not open.")
        return self._client

    def _said(self, answer: httpx.Response, body: bytes) -> WingbeatError:
        if (problem := _problem(body)) is not None:
            return error_of(problem)
        return self.another(f"{answer.status_code} {answer.reason_phrase}".rstrip())

    def _tries(self) -> AsyncRetrying:
        began = time.monotonic()

        def tell(state: RetryCallState) -> None:
            away = _away(state)
            if not self._told and (away.after_s > TELL_S or time.monotonic() - began > TELL_S):
                self._told = True
                why = f"Nobody answers at {self.endpoint}" if away.said is None else away.said.message.rstrip(".")
                _log.warning("%s; it is tried for %g s.", why, RETRY_S_MAX)

        def wait_s(state: RetryCallState) -> float:
            return max(_away(state).after_s, backoff(state))

        backoff = wait_exponential_jitter(multiplier=0.05, max=2.0, jitter=0.1)
        return AsyncRetrying(
            retry=retry_if_exception_type(_Away),
            stop=stop_before_delay(RETRY_S_MAX),
            wait=wait_s,
            before_sleep=tell,
            reraise=True,
        )


def _problem(body: bytes) -> Problem | None:
    """What a server of ours says in a body; None if it is another's."""
    try:
        return msgspec.json.decode(body, type=Problem)
    except msgspec.DecodeError:
        return None


def asked(query: Struct) -> dict[str, Any]:
    """A query as the parameters of a list. Within which places it is, the server knows, as it knows who asks."""
    found: dict[str, Any] = msgspec.to_builtins(query)
    found.pop("within", None)
    return found


def _away(state: RetryCallState) -> _Away:
    error = None if state.outcome is None else state.outcome.exception()
    return error if isinstance(error, _Away) else _Away("")


def _retry_after_s(answer: httpx.Response) -> float:
    """What the header says, in seconds; 0 where it does not, or says a date."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() else 0.0
