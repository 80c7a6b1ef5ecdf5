"""A service that answers with the model that the pipeline made: `python service.py`, in the folder with its home.

It opens the home where `wingbeat run eta.py eta` ran, read-only, so the pipeline can go on training meanwhile, and takes the
model of the newest execution that succeeded. GET /eta?origin=37.79,-122.39&to=37.80,-122.43&at=2008-05-30T18:00
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from eta_pipeline.places import Place
from eta_pipeline.serving import load
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from wingbeat import Kernel, NotFound

WORKFLOW = "eta.eta"
LOOKED_AT_MAX = 1000


async def newest_model(home: Path | None = None) -> tuple[str, Path]:
    """The id of the newest execution of the pipeline that succeeded, and the folder of its model.

    Raises:
        NotFound: there is none.
    """
    async with Kernel(home, read_only=True) as kernel:
        for execution in await kernel.engine.executions(limit=LOOKED_AT_MAX):
            if execution.workflow == WORKFLOW and execution.phase == "SUCCEEDED":
                view = await kernel.engine.describe(execution.id, nodes=False)
                closure = await kernel.engine.closure(execution.id)
                return execution.id, Path(kernel.plain(view.outputs or {}, closure)["model"])
    raise NotFound(f"No execution of {WORKFLOW} has succeeded yet.", hint="Run: wingbeat run eta.py eta")


def place(text: str) -> Place:
    """A place from `lat,lon`. Raises ValueError."""
    lat, lon = (float(part) for part in text.split(","))
    return Place(lat, lon)


async def eta(request: Request) -> JSONResponse:
    """How long a ride takes, in seconds."""
    asked = request.query_params
    try:
        origin, to, at = place(asked["origin"]), place(asked["to"]), datetime.fromisoformat(asked["at"])
    except (KeyError, ValueError) as error:
        wanted = "origin=LAT,LON&to=LAT,LON&at=YYYY-MM-DDTHH:MM"
        return JSONResponse({"error": f"ask for /eta?{wanted} ({type(error).__name__}: {error})"}, status_code=400)
    seconds = await asyncio.to_thread(request.app.state.predictor.predict, origin, to, at)
    return JSONResponse({"seconds": round(seconds, 1), "model": request.app.state.model})


def app(home: Path | None = None) -> Starlette:
    """The service over a home; `$WINGBEAT_HOME` or `.wingbeat` by default."""

    @asynccontextmanager
    async def lifespan(starlette: Starlette) -> AsyncIterator[None]:
        starlette.state.model, folder = await newest_model(home)
        starlette.state.predictor = await asyncio.to_thread(load, folder)
        yield

    return Starlette(routes=[Route("/eta", eta)], lifespan=lifespan)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app(), port=8000)
