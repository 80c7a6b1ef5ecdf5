"""A dynamic workflow: ``async def``, plain Python whose awaited calls are nodes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import msgspec

from wingbeat.author.artifact import Artifact, as_publishes
from wingbeat.author.dynamic import plain_dynamic, settled
from wingbeat.author.fingerprint import own_code
from wingbeat.author.options import (
    Concurrency,
    Duration,
    Environment,
    Resources,
    Retry,
    Secret,
    Timeout,
    as_concurrency,
)
from wingbeat.author.source import location_of
from wingbeat.author.task import Task, TaskOptions
from wingbeat.base.errors import CompileError
from wingbeat.spec.entities import TaskSpec
from wingbeat.types import BlobIO

P = ParamSpec("P")
R = TypeVar("R")


class Dynamic(Task[P, Coroutine[Any, Any, R]]):
    """A dynamic workflow: called in a workflow's body it is a node; called directly it gives a coroutine, plain Python.

    To the spec it is a task whose function awaits nodes of its own.
    """

    def __init__(
        self,
        fn: Callable[P, Coroutine[Any, Any, R]],
        name: str = "",
        *,
        retries: int | Retry = 0,
        timeout: Duration | None = None,
        resources: Resources | None = None,
        environment: Environment | None = None,
        on_failure: Any = None,
        concurrency: int | Concurrency | None = None,
        secrets: Sequence[str | Secret] = (),
        publishes: Mapping[str, Artifact] | None = None,
    ) -> None:
        options = TaskOptions(
            retries=retries,
            timeout=None if timeout is None else Timeout(total=timeout),
            resources=resources,
            environment=environment,
            secrets=secrets,
        )
        super().__init__(fn, options, name)
        self.timeout, self.on_failure = options.timeout.total_s, on_failure
        self.concurrency = as_concurrency(concurrency, self.name, location_of(fn))
        self.publishes = as_publishes(publishes, self.name, location_of(fn))

    def plain(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Run the body as plain Python: each call that it awaits is the plain function."""
        made: Coroutine[Any, Any, R] = settled(plain_dynamic(self.fn, args, kwargs))
        return made

    def spec(self, io: BlobIO) -> TaskSpec:
        """The body as a task.

        Raises:
            CompileError: As of a task.
        """
        if "<locals>" in self.fn.__qualname__:
            raise CompileError(
                f"{self.name} is defined inside a function ({location_of(self.fn)}), where its process cannot find it.",
                hint="Define dynamic workflows at the top level of a module.",
            )
        return msgspec.structs.replace(super().spec(io), dynamic=True, body=own_code(self.fn).digest)

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"
