"""`run`: a workflow from a script, in one call."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from wingbeat.base.errors import WingbeatError
from wingbeat.kernel.kernel import Kernel

if TYPE_CHECKING:
    from wingbeat.author.dynamicflow import Dynamic
    from wingbeat.author.task import Task
    from wingbeat.author.workflow import Workflow

R = TypeVar("R")


@overload
def run(entity: Dynamic[..., R], /, *, home: str | os.PathLike[str] | None = None, **inputs: Any) -> R: ...


@overload
def run(
    entity: Workflow[..., R] | Task[..., R] | Callable[..., R],
    /,
    *,
    home: str | os.PathLike[str] | None = None,
    **inputs: Any,
) -> R: ...


def run(
    entity: Any,
    /,
    *,
    home: str | os.PathLike[str] | None = None,
    **inputs: Any,
) -> Any:
    """Run a workflow or task durably and return its outputs.

    State is kept in the home (``$WINGBEAT_HOME``, default ``.wingbeat``). If the same was asked for before and did not
    finish, because the process was killed, this goes on with that execution.

    Args:
        entity: What to run.

        home: Another home.

        inputs: Its inputs, by name.

    Raises:
        CompileError: It cannot be compiled; nothing ran.

        InputError: An input is missing, unknown or of another type; nothing ran.

        ExecutionFailed: It ended without success.
    """
    import asyncio

    if asyncio._get_running_loop() is not None:  # noqa: SLF001  # the public one raises, which would chain to every later error
        raise WingbeatError(
            "run() was called inside a running event loop.",
            hint="Use 'async with Kernel() as kernel: await kernel.launch(…)'.",
        )
    return asyncio.run(_run(entity, inputs, home))


async def _run(entity: Any, inputs: dict[str, Any], home: str | os.PathLike[str] | None) -> Any:
    async with Kernel(home) as kernel:
        execution = await kernel.launch(entity, inputs, resume=True)
        return await execution.result()
