"""``@workflow``: a function whose body says who consumes whose data."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Generic, ParamSpec, TypeVar, overload

from wingbeat.author.compose import Composer, composing
from wingbeat.author.modules import module_of
from wingbeat.author.options import Duration, Timeout
from wingbeat.author.promise import Node, Several
from wingbeat.author.signature import Signature
from wingbeat.author.source import Location, caller, location_of
from wingbeat.base.errors import CompileError
from wingbeat.spec.entities import FailurePolicy, WorkflowSpec
from wingbeat.types import BlobIO

P = ParamSpec("P")
R = TypeVar("R")


class Workflow(Generic[P, R]):
    """A static workflow: called directly it is plain Python; called in a workflow's body it is a node.

    Attributes:
        fn: The plain function.

        name: ``module.function`` unless given.
    """

    def __init__(self, fn: Callable[P, R], name: str, failure_policy: FailurePolicy, timeout: Duration | None) -> None:
        if inspect.iscoroutinefunction(fn):
            raise CompileError(
                f"{fn.__qualname__} is an 'async def' workflow ({location_of(fn)}), which this version cannot run.",
                hint="Write a static workflow: 'def', with calls of tasks.",
            )
        self.fn = fn
        self.name = name or f"{module_of(fn)}.{fn.__qualname__}"
        self.failure_policy = failure_policy
        try:
            self.timeout = Timeout(run=timeout).spec().run_s
        except (TypeError, ValueError) as error:
            raise CompileError(f"@workflow: {error} ({location_of(fn)}).") from error
        functools.update_wrapper(self, fn)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        composer = composing.get()
        if composer is None:
            return self.fn(*args, **kwargs)
        return composer.call(self, args, kwargs, caller())  # type: ignore[return-value]  # promises stand for the value

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"

    @cached_property
    def signature(self) -> Signature:
        """The typed interface."""
        return Signature(self.fn, self.name)

    def compose(self, io: BlobIO) -> Composition:
        """Call the body once with promises and record what it calls.

        Raises:
            CompileError: The body does something that only works on values, or calls something wrongly.
        """
        composer = Composer(self.name, io)
        token = composing.set(composer)
        try:
            returned: Any = self.fn(**{n: composer.input(n) for n in self.signature.inputs})  # type: ignore[call-arg, arg-type]
        finally:
            composing.reset(token)
        where = location_of(self.fn)
        outputs = {
            name: composer.bind_output(name, value, self.signature.output_codecs[name], where)
            for name, value in self._split(returned, where).items()
        }
        return Composition(self, composer, outputs)

    def _split(self, returned: Any, where: Location) -> Mapping[str, Any]:
        outputs = self.signature.outputs
        if not outputs and isinstance(returned, Node):
            return {}
        if self.signature.named and isinstance(returned, Several):
            returned = tuple(returned)
        try:
            return self.signature.split(returned)
        except TypeError as error:
            raise CompileError(f"{error} ({where}).") from error


class Composition:
    """A traced workflow: its spec but for the digests of what it calls, which the caller knows.

    Attributes:
        callees: The tasks and workflows that the nodes call; `WorkflowSpec.calls` in the same order.

        locations: The user's line of each node.
    """

    def __init__(self, workflow: Workflow[Any, Any], composer: Composer, outputs: dict[str, Any]) -> None:
        self.workflow = workflow
        self.callees: list[Any] = list(composer.callees)
        self.locations = composer.locations
        self._composer, self._outputs = composer, outputs

    def spec(self, calls: tuple[str, ...]) -> WorkflowSpec:
        """The workflow as declared."""
        workflow = self.workflow
        return WorkflowSpec(
            name=workflow.name,
            interface=workflow.signature.interface(self._composer.io),
            calls=calls,
            nodes=self._composer.finished_nodes(),
            outputs=self._outputs,
            failure_policy=workflow.failure_policy,
            timeout_s=workflow.timeout,
            doc=workflow.signature.documented.description,
        )


@overload
def workflow(fn: Callable[P, R], /) -> Workflow[P, R]: ...


@overload
def workflow(
    *,
    name: str = "",
    failure_policy: FailurePolicy = FailurePolicy.FAIL_IMMEDIATELY,
    timeout: Duration | None = None,
) -> Callable[[Callable[P, R]], Workflow[P, R]]: ...


def workflow(
    fn: Any = None,
    /,
    *,
    name: str = "",
    failure_policy: FailurePolicy = FailurePolicy.FAIL_IMMEDIATELY,
    timeout: Duration | None = None,
) -> Any:
    """Make a function a static workflow. Its body is called once, with promises, when it is compiled.

    Args:
        name: Name in the inventory; ``module.function`` by default.

        failure_policy: Whether the rest goes on as far as it can when a node fails.

        timeout: Bound on a whole execution.
    """
    if fn is None:
        return lambda function: Workflow(function, name, failure_policy, timeout)
    return Workflow(fn, name, failure_policy, timeout)
