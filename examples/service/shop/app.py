"""The web application: four routes around one kernel.

::

    POST   /executions                {"workflow": "quote", "inputs": {"item": "pear"}, "name": "quote-17"}
    GET    /executions/{id}           what is known of it
    GET    /executions/{id}/events    what happens in it, as server-sent events
    DELETE /executions/{id}?reason=…  abort it
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shop.deliveries import delivery
from shop.quotes import INLINE, quote
from wingbeat import ConflictError, Execution, InputError, Kernel, NotFound, WingbeatError

WORKFLOWS = {"delivery": delivery, "quote": quote}
STATUS = {NotFound: 404, ConflictError: 409, InputError: 422}


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a launch. The same `name` again, with the same inputs, is the same execution: a client that got no answer
    asks again."""

    workflow: str
    inputs: dict[str, Any] = {}
    name: str | None = None


def create_app(home: Path) -> Starlette:
    """The application over one home. It holds the kernel from its start to its end."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with Kernel(home, inline=INLINE) as kernel:
            app.state.kernel = kernel
            yield
        # Leaving the kernel leaves what runs running. The next start adopts it, or takes its outcome.

    return Starlette(
        routes=[
            Route("/executions", launch, methods=["POST"]),
            Route("/executions/{id}", describe, methods=["GET"]),
            Route("/executions/{id}/events", events, methods=["GET"]),
            Route("/executions/{id}", abort, methods=["DELETE"]),
        ],
        lifespan=lifespan,
        exception_handlers={WingbeatError: refused, msgspec.ValidationError: malformed, msgspec.DecodeError: malformed},
    )


async def launch(request: Request) -> Response:
    """Begin an execution; the answer is sent when it is durable. 201 if it is new, 200 if it was there already."""
    wish = msgspec.json.decode(await request.body(), type=Wish)
    if wish.workflow not in WORKFLOWS:
        raise NotFound(f"There is no workflow {wish.workflow!r}.", hint=f"There are {', '.join(WORKFLOWS)}.")
    kernel: Kernel = request.app.state.kernel
    execution = await kernel.launch(WORKFLOWS[wish.workflow], wish.inputs, wish.name)
    return JSONResponse(await document(kernel, execution), status_code=201 if execution.created else 200)


async def describe(request: Request) -> Response:
    """An execution as it is now, running or ended."""
    kernel: Kernel = request.app.state.kernel
    return JSONResponse(await document(kernel, await kernel.get(request.path_params["id"])))


async def abort(request: Request) -> Response:
    """Stop an execution; the answer is sent when it has ended. One that has ended stays as it is."""
    kernel: Kernel = request.app.state.kernel
    execution = await kernel.get(request.path_params["id"])
    await execution.abort(request.query_params.get("reason", "asked for over HTTP"))
    return JSONResponse(await document(kernel, execution))


async def events(request: Request) -> Response:
    """Everything that happened and happens, until the end. A client that was cut off goes on behind its last event: browsers
    send `Last-Event-ID` by themselves, others may give `?cursor=`."""
    kernel: Kernel = request.app.state.kernel
    execution = await kernel.get(request.path_params["id"])
    cursor = request.headers.get("last-event-id") or request.query_params.get("cursor") or "-1"
    if not cursor.lstrip("-").isdecimal():
        raise InputError(f"The cursor {cursor!r} is no number.")

    async def stream() -> AsyncIterator[bytes]:
        async for event in execution.events(int(cursor)):
            yield b"id: %d\nevent: %s\ndata: %s\n\n" % (event.cursor, event.kind.encode(), msgspec.json.encode(event))

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def document(kernel: Kernel, execution: Execution) -> dict[str, Any]:
    """What clients see of an execution."""
    view = await execution.describe()
    outputs = kernel.plain(view.outputs, await kernel.engine.closure(view.id)) if view.outputs is not None else None
    nodes = [{"id": n.id, "task": n.task, "phase": n.phase, "reason": n.reason} for n in view.nodes]
    error = None if view.error is None else msgspec.to_builtins(view.error)
    return {
        "id": view.id, "workflow": view.workflow, "phase": view.phase, "reason": view.reason, "outputs": outputs,
        "error": error, "nodes": nodes,
    }  # fmt: skip


async def refused(request: Request, error: Exception) -> Response:
    """The kernel's errors say what is wrong and what to do; clients get both."""
    assert isinstance(error, WingbeatError)
    status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)
    return JSONResponse({"error": error.message, "hint": error.hint}, status_code=status)


async def malformed(request: Request, error: Exception) -> Response:
    """The body is no JSON, or not of the right form."""
    return JSONResponse({"error": str(error), "hint": ""}, status_code=400)
