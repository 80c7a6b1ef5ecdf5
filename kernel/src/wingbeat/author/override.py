"""A task with other options for one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, ParamSpec, TypeVar

import msgspec

from wingbeat.author.compose import Callee
from wingbeat.author.decided import Decided
from wingbeat.author.dynamic import dispatch
from wingbeat.author.fingerprint import code_digest
from wingbeat.author.options import as_secrets
from wingbeat.author.promise import Node
from wingbeat.author.signature import Signature
from wingbeat.author.source import Location
from wingbeat.author.task import Task, as_cache, as_variables, cache_spec
from wingbeat.base.errors import CompileError, WingbeatError
from wingbeat.spec.entities import OverrideSpec
from wingbeat.types import BlobIO

P = ParamSpec("P")
R = TypeVar("R")


class Overridden(Callee, Generic[P, R]):
    """What `Task.override` gives: called like the task; called directly it is the plain function."""

    def __init__(self, task: Task[P, R], options: Mapping[str, Any], where: Location) -> None:
        self.task, self.options, self.where = task, dict(options), where
        self.name, self.fn = task.name, task.fn
        for option, value in options.items():
            if isinstance(value, Node):
                raise CompileError(
                    f"{task.name}.override({option}=…) got a promise ({where}): {where.text}",
                    hint="Options are known before the workflow runs; in a dynamic workflow they may be computed.",
                )
        try:
            self._spec = _spec(self.options)
        except (CompileError, ValueError) as error:
            message = error.message if isinstance(error, WingbeatError) else str(error)
            hint = error.hint if isinstance(error, WingbeatError) else ""
            at = "" if where.named_in(message) else f" ({where}): {where.text}"
            raise CompileError(f"{task.name}.override: {message.removesuffix('.')}{at}", hint=hint) from error

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:  # as of a task
        return dispatch(self, args, kwargs)

    def plain(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The plain function."""
        return self.task.plain(*args, **kwargs)

    def override(self, **options: Any) -> Overridden[P, R]:
        """The task with these options too."""
        return self.task.override(**{**self.options, **options})

    def __repr__(self) -> str:
        return f"<task {self.name} with {', '.join(self.options)}>"

    @property
    def signature(self) -> Signature:
        """The task's."""
        return self.task.signature

    @property
    def target(self) -> Task[P, R]:
        """The task."""
        return self.task

    def overridden(self, io: BlobIO) -> OverrideSpec | None:
        """What the call changes."""
        cache = self.options.get("cache")
        if cache is None:
            return self._spec
        made = cache_spec(as_cache(cache), code_digest(self.task.fn))
        return msgspec.structs.replace(self._spec, cache=made, uncached=made is None)


def _spec(options: Mapping[str, Any]) -> OverrideSpec:
    """Everything but the cache, whose version may come from the code."""
    decided = Decided(*(options.get(name) for name in ("retries", "timeout", "resources", "pool")))
    variables, secrets = options.get("variables"), options.get("secrets")
    for name in ("name", "executor"):
        if not isinstance(options.get(name, ""), str):
            raise CompileError(f"{name} is a text, not {options[name]!r}.")
    as_cache(options.get("cache", False))
    return OverrideSpec(
        name=options.get("name", ""),
        retry=decided.retry,
        timeout=decided.timeout,
        resources=decided.resources,
        executor=options.get("executor"),
        variables=None if variables is None else as_variables(variables),
        pool=decided.pool,
        formulas=decided.formulas,
        secrets=None if secrets is None else as_secrets(secrets, variables or ()),
    )
