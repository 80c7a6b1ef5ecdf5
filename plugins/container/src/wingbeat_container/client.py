"""A container engine, over the HTTP API that Docker and Podman share, through its Unix socket.

Each call is one request, or says that it does not know (`Unreachable`). What is to be done then is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import msgspec

from wingbeat_container.manifest import LABEL_ATTEMPT
from wingbeat_container.model import Image, Refused, Seen, Unreachable

SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock")
ANSWER_BYTES_MAX = 16 * 2**20
MESSAGE_CHARS_MAX = 2000
CLOSE_S = 1.0
"""How long answers that nobody waits for may take to come at the end."""


def socket_path(setting: str) -> str:
    """The engine's socket: as set, as ``DOCKER_HOST`` says, or the first that is there."""
    if setting:
        return setting
    said = os.environ.get("DOCKER_HOST", "")
    if said.startswith("unix://"):
        return said.removeprefix("unix://")
    own = f"{os.environ.get('XDG_RUNTIME_DIR') or f'/run/user/{os.getuid()}'}/podman/podman.sock"
    return next((path for path in (*SOCKETS, own) if os.path.exists(path)), SOCKETS[0])


class Engine:
    """The engine behind one socket.

    Args:
        path: Of the socket.

        request_s: How long an answer may take.
    """

    def __init__(self, path: str, request_s: float) -> None:
        self.path = path
        self._request_s = request_s
        self._calls: set[asyncio.Task[bytes]] = set()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=8)
        transport = httpx.AsyncHTTPTransport(uds=path, limits=limits)
        self._http = httpx.AsyncClient(
            transport=transport, base_url="http://engine", timeout=httpx.Timeout(request_s, connect=5.0)
        )

    async def close(self) -> None:
        """Hang up, when what was asked for last is answered."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=CLOSE_S)
        for task in list(self._calls):
            task.cancel()
        await self._http.aclose()

    async def describe(self) -> tuple[str, bool]:
        """Its name and version, and whether it runs without root: then the root of its containers is who runs it."""
        version, info = await self._json("GET", "/version"), await self._json("GET", "/info")
        components = [each for each in version.get("Components") or () if isinstance(each, dict)]
        name = str(components[0].get("Name", "")) if components else "Engine"
        rootless = any("rootless" in str(each) for each in info.get("SecurityOptions") or ())
        return f"{name} {version.get('Version', '')}", rootless

    async def image(self, reference: str) -> Image | None:
        """An image, if it is there."""
        try:
            found = await self._json("GET", f"/images/{reference}/json")
        except Refused as error:
            if error.status == 404:
                return None
            raise
        digests = [str(each).partition("@")[2] for each in found.get("RepoDigests") or ()]
        return Image(str(found["Id"]), digests[0] if digests else "")

    async def pull(self, reference: str, timeout_s: float) -> None:
        """Fetch an image. Raises `Refused` with what the registry says."""
        name, tag = split_reference(reference)
        parameters = {"fromImage": name, "tag": tag}
        deadline = time.monotonic() + timeout_s
        try:
            async with self._http.stream("POST", "/images/create", params=parameters, timeout=timeout_s) as response:
                if response.status_code != 200:
                    raise Refused(response.status_code, _message(await response.aread()))
                async for line in response.aiter_lines():
                    if time.monotonic() > deadline:
                        raise Refused(504, f"it took longer than {timeout_s:.0f} s")
                    if line.strip() and (said := _pull_error(line)):
                        raise Refused(500, said)
        except httpx.HTTPError as error:
            raise Unreachable(_text(error)) from error

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Make a container and return its id. Raises `Refused` with status 409 if there is one of that name."""
        try:
            made = await self._json("POST", "/containers/create", params={"name": name}, json=body)
        except Refused as error:
            if "already in use" in error.message:  # Podman before 4.4 says 500
                raise Refused(409, error.message) from error
            raise
        return str(made["Id"])

    async def inspect(self, name: str) -> Seen | None:
        """A container by name or id, if it is there."""
        try:
            found = await self._json("GET", f"/containers/{name}/json")
        except Refused as error:
            if error.status == 404:
                return None
            raise
        state = found.get("State") or {}
        labels = (found.get("Config") or {}).get("Labels") or {}
        return Seen(
            id=str(found["Id"]),
            state=str(state.get("Status", "")),
            attempt=str(labels.get(LABEL_ATTEMPT, "")),
            pid=int(state.get("Pid") or 0),
            exit_code=int(state.get("ExitCode") or 0),
            oom=bool(state.get("OOMKilled")),
            message=str(state.get("Error") or "")[:MESSAGE_CHARS_MAX],
            image=str(found.get("Image", "")),
            started_at=str(state.get("StartedAt", "")),
            finished_at=str(state.get("FinishedAt", "")),
        )

    async def start(self, id: str, timeout_s: float) -> None:
        """Start a container that was created."""
        await self._call("POST", f"/containers/{id}/start", timeout=timeout_s)

    async def stop(self, id: str, grace_s: float) -> None:
        """SIGTERM, and SIGKILL after a grace. Fine if it has ended, or is gone."""
        seconds = max(0, round(grace_s))
        await self._gone(
            self._call("POST", f"/containers/{id}/stop", params={"t": seconds}, timeout=self._request_s + seconds)
        )

    async def remove(self, id: str, *, force: bool = False) -> bool:
        """Remove a container. False if it runs and `force` is not set. Fine if it is gone."""
        try:
            await self._gone(
                self._call("DELETE", f"/containers/{id}", params={"force": str(force).lower(), "v": "true"})
            )
        except Refused as error:
            if error.status == 409 or "running" in error.message:
                return False
            raise
        return True

    async def wait(self, id: str, at_most_s: float) -> None:
        """Return when the container does not run, or after a time: look at it then."""
        try:
            await self._gone(
                self._exchange("POST", f"/containers/{id}/wait", timeout=httpx.Timeout(at_most_s, connect=5.0))
            )
        except Unreachable as error:
            if not isinstance(error.__cause__, httpx.ReadTimeout):
                raise

    async def logs(self, id: str, take: Callable[[bytes], None], *, follow: bool) -> None:
        """Hand on what a container has printed, and with `follow` what it prints until it ends."""
        parameters = {"follow": str(follow).lower(), "stdout": "true", "stderr": "true"}
        frames = _Frames(take)
        timeout = httpx.Timeout(None if follow else self._request_s, connect=5.0)
        try:
            async with self._http.stream(
                "GET", f"/containers/{id}/logs", params=parameters, timeout=timeout
            ) as response:
                if response.status_code != 200:
                    raise Refused(response.status_code, _message(await response.aread()))
                async for chunk in response.aiter_raw():
                    frames.feed(chunk)
        except httpx.HTTPError as error:
            raise Unreachable(_text(error)) from error

    async def list(self, label: str) -> list[Seen]:
        """All containers with a label, ``name=value``."""
        filters = msgspec.json.encode({"label": [label]}).decode()
        found = await self._json("GET", "/containers/json", params={"all": "true", "filters": filters})
        return [
            Seen(
                id=str(each["Id"]),
                state=str(each.get("State", "")),
                attempt=str((each.get("Labels") or {}).get(LABEL_ATTEMPT, "")),
                created=float(each.get("Created") or 0),
            )
            for each in found
        ]

    async def _gone(self, call: Awaitable[bytes]) -> None:
        try:
            await call
        except Refused as error:
            if error.status != 404:
                raise

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        return msgspec.json.decode(await self._call(method, path, **options))

    async def _call(self, method: str, path: str, **options: Any) -> bytes:
        """One request, which goes on when its caller is cancelled: a connection that is let go while an answer comes in makes
        the loop complain, and what was asked for happens all the same."""
        task = asyncio.create_task(self._exchange(method, path, **options))
        self._calls.add(task)
        task.add_done_callback(self._let_go)
        return await asyncio.shield(task)

    def _let_go(self, task: asyncio.Task[bytes]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it has seen it

    async def _exchange(self, method: str, path: str, **options: Any) -> bytes:
        data = bytearray()
        try:
            async with self._http.stream(method, path, **options) as response:
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > ANSWER_BYTES_MAX:
                        raise Unreachable(f"the answer to {method} {path} is longer than {ANSWER_BYTES_MAX} bytes")
        except httpx.HTTPError as error:
            raise Unreachable(_text(error)) from error
        if response.status_code >= 400:
            raise Refused(response.status_code, _message(bytes(data)))
        return bytes(data)


def split_reference(reference: str) -> tuple[str, str]:
    """Name, and tag or digest, of an image: ``("registry:5000/name", "1")``."""
    if "@" in reference:
        name, _, digest = reference.partition("@")
        return name, digest
    name, colon, tag = reference.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (reference, "latest")


class _Frames:
    """The stream of a container's output: each piece behind eight bytes, the last four of which are its length."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._head = bytearray()
        self._left = 0

    def feed(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._left:
                self._take(bytes(view[: self._left]))
                taken = min(self._left, len(view))
                self._left -= taken
                view = view[taken:]
                continue
            missing = 8 - len(self._head)
            self._head += view[:missing]
            view = view[missing:]
            if len(self._head) == 8:
                self._left = int.from_bytes(self._head[4:], "big")
                self._head.clear()


def _pull_error(line: str) -> str:
    try:
        said = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return ""
    return str(said.get("error") or "")[:MESSAGE_CHARS_MAX] if isinstance(said, dict) else ""


def _message(data: bytes) -> str:
    try:
        said = msgspec.json.decode(data)
        text = str(said.get("message") or said.get("cause") or "") if isinstance(said, dict) else ""
    except msgspec.DecodeError:
        text = ""
    return (text or data.decode(errors="replace") or "no reason given").strip()[:MESSAGE_CHARS_MAX]


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
