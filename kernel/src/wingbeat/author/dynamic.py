"""What a call means where it stands: a node of a traced workflow, a journaled call of a dynamic one, or plain Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

from wingbeat.author.compose import Callee, composing
from wingbeat.author.source import Location, caller
from wingbeat.base.errors import ExecutionFailed, NonRetryable

inside: ContextVar[str] = ContextVar("inside", default="")
"""The task that is being run as an attempt, if one is."""


class NotAwaited(NonRetryable):
    """A body has made a call and goes on without awaiting it: it has not been made, and gives no value."""


class Body(Protocol):
    """What runs the body of a dynamic workflow."""

    def call(
        self, entity: Any, args: Sequence[Any], kwargs: Mapping[str, Any], where: Location
    ) -> Coroutine[Any, Any, Any]:
        """Make a call of the body; what is awaited is its value.

        Args:
            entity: A `wingbeat.author.compose.Callee`, which `wingbeat.author.closing.close` takes.

            where: The line of the call.
        """
        ...


body: ContextVar[Body | None] = ContextVar("body", default=None)
"""What runs the dynamic workflow whose body this is, if it is one."""

_synchronous: ContextVar[bool] = ContextVar("synchronous", default=False)
"""Whether the body of a static workflow is being run as plain Python, where nobody can await."""


def dispatch(entity: Callee, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What a call gives. To be called by what the author calls, directly."""
    composer = composing.get()
    if composer is not None:
        return composer.call(entity, args, kwargs, caller(3))
    running = body.get()
    if running is not None:
        return running.call(entity, args, kwargs, caller(3))
    return entity.plain(*args, **kwargs)


class PlainBody:
    """Runs the body of a dynamic workflow as plain Python, for unit tests: no engine, nothing journaled.

    What a call raises arrives as `ExecutionFailed`, as it does when it runs.
    """

    async def call(self, entity: Any, args: Sequence[Any], kwargs: Mapping[str, Any], where: Location) -> Any:
        """Call the plain function."""
        token = body.set(None)
        try:
            value = entity.plain(*args, **kwargs)
            return await value if inspect.isawaitable(value) else value
        except ExecutionFailed:
            raise
        except Exception as error:
            raise ExecutionFailed(str(error), execution="", node=entity.name, code=type(error).__name__) from error
        finally:
            body.reset(token)


async def plain_dynamic(
    fn: Callable[..., Coroutine[Any, Any, Any]], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """Run a dynamic workflow's body as plain Python."""
    token, synchronous = body.set(PlainBody()), _synchronous.set(False)
    try:
        value = await fn(*args, **kwargs)
        if inspect.iscoroutine(value):
            raise not_awaited(value)
        return value
    finally:
        body.reset(token)
        _synchronous.reset(synchronous)


def not_awaited(value: Any, call: str = "") -> NotAwaited:
    """The error for a body that returns `value`, which is `call`; it is closed, as nobody will await it."""
    call = call or f"{value.__qualname__}() ({Location(value.cr_code.co_filename, value.cr_code.co_firstlineno)})"
    value.close()
    return NotAwaited(f"The body returns {call}, which is not awaited: write 'return await …'.")


def plain_static(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Run a static workflow's body as plain Python; what it calls is there at once."""
    token = _synchronous.set(True)
    try:
        return fn(*args, **kwargs)
    finally:
        _synchronous.reset(token)


def settled(value: Any) -> Any:
    """What a plain call gave; a coroutine's result where nobody can await it."""
    if not _synchronous.get() or not inspect.iscoroutine(value):
        return value
    import asyncio  # too dear for those who do without
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    token = _synchronous.set(False)
    try:
        if asyncio._get_running_loop() is None:  # the public one raises, which would chain to later errors
            return asyncio.run(value)
        with ThreadPoolExecutor(1) as thread:  # this thread's loop is busy with us
            return thread.submit(copy_context().run, asyncio.run, value).result()
    finally:
        _synchronous.reset(token)
