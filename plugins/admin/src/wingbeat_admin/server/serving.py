"""Serving: the application, and the process's part of it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import math
import secrets
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from wingbeat.base.errors import ConfigurationError, WingbeatError
from wingbeat.contracts.access import Guarded
from wingbeat.contracts.admin import Admin
from wingbeat.contracts.engine import Engine
from wingbeat.contracts.home import Home
from wingbeat_admin.attempt import made_key
from wingbeat_admin.client.access import Login
from wingbeat_admin.local.access import LocalAccess
from wingbeat_admin.place import Served, announce, announced
from wingbeat_admin.problems import MEDIA_TYPE, Problem, problem_of
from wingbeat_admin.server.access import ACCESS
from wingbeat_admin.server.again import AGAIN
from wingbeat_admin.server.attemptfiles import ATTEMPT_FILES
from wingbeat_admin.server.attempts import Attempts
from wingbeat_admin.server.bodies import BODY_BYTES_MAX
from wingbeat_admin.server.connections import Connection
from wingbeat_admin.server.content import CONTENT
from wingbeat_admin.server.dependencies import TheAdmin
from wingbeat_admin.server.document import Document
from wingbeat_admin.server.gate import Gate
from wingbeat_admin.server.parameters import allowed, only_known, refusal
from wingbeat_admin.server.places import PLACES
from wingbeat_admin.server.policy import Caller
from wingbeat_admin.server.routes import ROUTES
from wingbeat_admin.server.streams import Pace
from wingbeat_admin.settings import ServerSettings
from wingbeat_admin.urls import is_url

ACCEPTED_AT_ONCE = 64
"""So many connections are taken in one turn of the loop, before it is counted how many there are: each is an open file."""
BACKLOG = 2048
"""So many more wait for that, in the system."""
CLOSE_S_MAX = 1
"""For so long requests that are under way may go on when it stops; streams end then."""

_HARMLESS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)

_log = logging.getLogger("wingbeat.admin")


def application(
    home: Home, engine: Engine, admin: Admin, hosts: frozenset[str], end: asyncio.Event, owner_key: str = ""
) -> Litestar:
    """The ASGI application.

    Args:
        hosts: What a request may call us in its header ``Host``: a page of somebody else's that has its own name lead here
            (DNS rebinding) is refused.

        end: Set when the server stops: requests that wait are answered then, and streams end.

        owner_key: What the owner of the home brings as a key. Empty: nobody has to prove who they are.

    Raises:
        ConfigurationError: Somebody has to, and the admin has no keys to decide by.
    """
    settings = home.settings("server", ServerSettings)
    gate = _gate(home, engine, admin, settings, end, owner_key)
    pace = Pace()

    def caller(request: Request[Any, Any, Any], admin: TheAdmin) -> Caller:
        """Asks for the admin first, as nearly every route does: litestar finds in a task group what does not wait for each other,
        which costs a tenth of a launch."""
        return gate.caller(request)

    how = Login(settings.issuer, settings.client, settings.scopes) if settings.auth == "oidc" else Login()
    return Litestar(
        route_handlers=[ROUTES, CONTENT, ATTEMPT_FILES, ACCESS, PLACES, AGAIN],
        guards=[gate, only_known],
        before_send=[gate.answered, _harmless],
        dependencies={
            "home": Provide(lambda: home, sync_to_thread=False),
            "engine": Provide(lambda: engine, sync_to_thread=False),
            "admin": Provide(lambda: admin, sync_to_thread=False),
            "reach": Provide(lambda: gate.reach, sync_to_thread=False),
            "end": Provide(gate.permit, sync_to_thread=False),
            "caller": Provide(caller, sync_to_thread=False),
            "shown": Provide(gate.shown, sync_to_thread=False),
            "pace": Provide(lambda: pace, sync_to_thread=False),
            "login": Provide(lambda: how, sync_to_thread=False),
        },
        middleware=[lambda app: _Guard(app, hosts)],
        exception_handlers={
            WingbeatError: _told,
            HTTPException: _refused,
            RecursionError: _too_deep,
            Exception: _failed,
        },
        openapi_config=OpenAPIConfig(
            title="Wingbeat",
            version="1",
            path="/api/openapi",
            use_handler_docstrings=True,
            components=Components(security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer")}),
            security=[{"bearer": []}],
            render_plugins=[Document(path=["/", "/openapi.json"])],  # pages for it come from elsewhere
        ),
        logging_config=None,
        request_max_body_size=BODY_BYTES_MAX,
    )


async def serve(
    home: Home, engine: Engine, admin: Admin, *, host: str, port: int, ready: Callable[[str], None]
) -> None:
    """See `wingbeat.contracts.server.Serve`."""
    settings = home.settings("server", ServerSettings)
    owner_key = secrets.token_hex(32) if settings.auth != "off" else ""
    if not owner_key and not _is_loopback(host):
        raise ConfigurationError(
            f"Nobody has to prove who they are, so the server listens at the loopback only, not at {host!r}.",
            hint="Set server.auth = 'keys', and give keys to those who are to use it: 'wingbeat create apikey'.",
        )
    listening = _listen(host, port)
    name = f"[{host}]" if ":" in host else host
    port = listening.getsockname()[1]
    hosts = frozenset(f"{each}:{port}" for each in (name, "localhost", "127.0.0.1", "[::1]"))
    hosts |= {each.lower() for each in settings.hosts}
    end = asyncio.Event()
    with listening, announced(home.path) as place:
        inside = _for_attempts(settings, host, port)
        hosts |= {urlsplit(inside).netloc.lower()} - {""}
        config = uvicorn.Config(
            application(home, engine, admin, hosts, end, owner_key), log_config=None, access_log=False, lifespan="off",
            server_header=False, timeout_graceful_shutdown=CLOSE_S_MAX, http=Connection, ws="none",
            backlog=ACCEPTED_AT_ONCE,
        )  # fmt: skip

        def answers() -> None:
            listening.listen(BACKLOG)
            announce(place, Served(f"http://{name}:{port}", owner_key, inside))
            ready(f"http://{name}:{port}")

        server = _Server(config, answers)
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            end.set()
            server.should_exit = True  # else it would leave its sockets to the loop
            await serving
            raise


def _gate(
    home: Home, engine: Engine, admin: Admin, settings: ServerSettings, end: asyncio.Event, owner_key: str
) -> Gate:
    found = admin.access if isinstance(admin, Guarded) else None
    access = found if isinstance(found, LocalAccess) else None
    if owner_key and access is None:
        raise ConfigurationError(
            f"{type(admin).__name__} has no keys that a server can decide by.",
            hint="Serve a home, by kernel.admin = 'local'.",
        )
    tokens = None
    if settings.auth == "oidc":
        from wingbeat_admin.server.tokens import Tokens

        tokens = Tokens(settings)
    attempts = Attempts(engine, made_key(home.path))
    return Gate(admin, engine, access, owner_key, home.storage().scheme, end, tokens, attempts)


class _Server(uvicorn.Server):
    """Leaves signals to whoever serves, and says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


class _Guard:
    """Refuses what a browser sends for somebody else's page: another host or origin, and posts that are no JSON (other methods it
    asks for first, and is not allowed)."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            headers = dict(scope["headers"])
            host, origin = headers.get(b"host", b"").decode("latin-1"), headers.get(b"origin", b"").decode("latin-1")
            problem = None
            if host.lower() not in self._hosts:
                problem = Problem(f"This server is not {host[:200]!r}.", 421)
            elif origin and origin.lower() not in {f"{s}://{each}" for each in self._hosts for s in ("http", "https")}:
                problem = Problem("Pages of others may not use this server.", 403)
            elif scope["method"] == "POST" and not _has_json(headers):
                problem = Problem("The body has to be JSON, and to say so.", 415, hint="content-type: application/json")
            if problem is not None:
                await _answer(problem).to_asgi_response(None, Request(scope))(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _has_json(headers: dict[bytes, bytes]) -> bool:
    if headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers:
        return b"content-type" not in headers or headers[b"content-type"].startswith(b"application/json")
    return headers.get(b"content-type", b"").startswith(b"application/json")


def _answer(problem: Problem) -> Response[Problem]:
    headers = {"www-authenticate": "Bearer"} if problem.status == 401 else {}
    if problem.retry_after_s > 0:
        headers["retry-after"] = str(math.ceil(problem.retry_after_s))
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


async def _harmless(message: Message, _: Scope) -> None:
    """No answer is a page, whatever somebody has called a thing or written into a file: a hook of all answers."""
    if message["type"] == "http.response.start":
        said = {name.lower() for name, _ in message["headers"]}
        message["headers"] = [*message["headers"], *(each for each in _HARMLESS if each[0] not in said)]


def _told(_: object, error: WingbeatError) -> Response[Problem]:
    problem = problem_of(error)
    if problem.status == 500:
        _log.warning("A request failed: %s", error)
    return _answer(problem)


def _refused(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    if error.status_code >= 500:
        _log.error("A request failed by a mistake of ours.", exc_info=error)
    answer = _answer(refusal(request, error))
    if isinstance(error, MethodNotAllowedException):
        answer.headers["allow"] = allowed(error)
    return answer


def _too_deep(_: object, __: RecursionError) -> Response[Problem]:
    return _answer(Problem("The body is nested too deeply.", 400))


def _failed(_: object, error: Exception) -> Response[Problem]:
    _log.error("A request failed by a mistake of ours.", exc_info=error)
    return _answer(Problem("A mistake of ours; the log of the server says more.", 500))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol, which asyncio looks at before it sets TCP_NODELAY on connections: 40 ms an answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(
            socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1
        )  # connections get it: whoever is gone is noticed
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigurationError(
            f"The server cannot listen at {host}:{port}: {getattr(error, 'strerror', None) or error}."
        ) from error
    return listening


def _for_attempts(settings: ServerSettings, host: str, port: int) -> str:
    """The URL by which attempts reach it; empty where that is the one that it says."""
    if settings.url:
        if not is_url(settings.url):
            raise ConfigurationError(
                f"server.url = {settings.url!r} is no URL.", hint="Write such as https://wingbeat.example.org."
            )
        return settings.url
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    return f"http://{'127.0.0.1' if address.version == 4 else '[::1]'}:{port}" if address.is_unspecified else ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
