"""Images: found, or fetched once for all attempts that want one at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.failpoints import hit
from wingbeat.spec.container import ContainerSpec
from wingbeat.spec.outcome import ErrorInfo
from wingbeat_container.model import Image, Refused

if TYPE_CHECKING:
    from wingbeat_container.client import Engine

_UNKNOWN = (
    "manifest unknown",
    "not found",
    "name unknown",
    "unauthorized",
    "denied",
    "no such image",
    "invalid reference",
)


class ImageError(Exception):
    """An image that cannot be had; `info` is what the attempt fails with."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


class Images:
    """The images of one engine.

    Args:
        pull_s: How long fetching one may take.
    """

    def __init__(self, engine: Engine, pull_s: float) -> None:
        self._engine, self._pull_s = engine, pull_s
        self._pulls: dict[str, asyncio.Task[None]] = {}

    async def missing(self, spec: ContainerSpec) -> bool:
        """Whether it has to be fetched."""
        return spec.pull == "always" or (spec.pull == "missing" and await self._engine.image(spec.image) is None)

    async def get(self, spec: ContainerSpec) -> Image:
        """The image of a task, fetched as its policy says. Raises `ImageError`, `Unreachable`."""
        if spec.pull == "always" or (found := await self._engine.image(spec.image)) is None:
            if spec.pull == "never":
                message = f"The image {spec.image} is not here, and pull='never' says that it is not to be fetched."
                raise ImageError(ErrorInfo("ImageNotFound", message, retryable=False))
            await self._pull(spec.image)
            found = await self._engine.image(spec.image)
        if found is None:
            message = f"The image {spec.image} was fetched, but is not here."
            raise ImageError(ErrorInfo("ImagePullFailed", message, ErrorKind.SYSTEM))
        return found

    async def close(self) -> None:
        """Let go; the engine may go on fetching."""
        for task in self._pulls.values():
            task.cancel()
        await asyncio.gather(*self._pulls.values(), return_exceptions=True)

    async def _pull(self, reference: str) -> None:
        task = self._pulls.get(reference)
        if task is None:
            task = self._pulls[reference] = asyncio.create_task(self._engine.pull(reference, self._pull_s))
            task.add_done_callback(lambda _: self._pulls.pop(reference, None))
        hit("container.pulling")
        try:
            await asyncio.shield(task)  # one attempt that is cancelled takes the image from no other
        except Refused as error:
            raise ImageError(_pull_error(reference, error.message)) from error


def _pull_error(reference: str, said: str) -> ErrorInfo:
    if any(text in said.lower() for text in _UNKNOWN):
        message = f"The image {reference} cannot be fetched: {said}"
        return ErrorInfo("ImageNotFound", message, retryable=False)
    return ErrorInfo("ImagePullFailed", f"The image {reference} cannot be fetched now: {said}", ErrorKind.SYSTEM)
