"""``@workflow``: a function whose body says who consumes whose data."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, NoReturn, ParamSpec, Protocol, TypeVar, overload

from wingbeat.author.artifact import Artifact, as_publishes
from wingbeat.author.compose import Callee, Composer, composing
from wingbeat.author.dynamic import dispatch, plain_static
from wingbeat.author.dynamicflow import Dynamic
from wingbeat.author.modules import module_of
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
from wingbeat.author.promise import Node, Several
from wingbeat.author.signature import Signature
from wingbeat.author.source import Location, caller, close_to, location_of, shown
from wingbeat.author.task import Task, as_function
from wingbeat.base.errors import CompileError
from wingbeat.base.units import counted
from wingbeat.spec.entities import FailurePolicy, WorkflowSpec
from wingbeat.types import BlobIO, Simple, describe

P = ParamSpec("P")
R = TypeVar("R")


class Workflow(Callee, Generic[P, R]):
    """A static workflow: called directly it is plain Python; called in a workflow's body it is a node.

    Attributes:
        fn: The plain function.

        name: ``module.function`` unless given.
    """

    __name__: str  # the function's, as is its documentation

    def __init__(
        self,
        fn: Callable[P, R],
        name: str,
        failure_policy: FailurePolicy | None = None,
        timeout: Duration | None = None,
        on_failure: Task[..., Any] | Workflow[..., Any] | None = None,
        concurrency: int | Concurrency | None = None,
        publishes: Mapping[str, Artifact] | None = None,
    ) -> None:
        self.fn = fn
        self.name = name or f"{module_of(fn)}.{fn.__qualname__}"
        self.failure_policy = failure_policy
        try:
            self.timeout = Timeout(run=timeout).spec().run_s
        except (TypeError, ValueError) as error:
            raise CompileError(f"@workflow: {error} ({location_of(fn)}).") from error
        self.on_failure = on_failure
        self.concurrency = as_concurrency(concurrency, self.name, location_of(fn))
        self.publishes = as_publishes(publishes, self.name, location_of(fn))
        functools.update_wrapper(self, fn)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:  # as of a task
        return dispatch(self, args, kwargs)

    def plain(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The plain function, which calls plain functions."""
        value: R = plain_static(self.fn, args, kwargs)
        return value

    def override(self, **options: Any) -> NoReturn:
        """Refused: a workflow that is called in another one is a part of that.

        Raises:
            CompileError: Always, with what to do instead.
        """
        from wingbeat.author.misuse import no_override  # only for who has made this mistake

        raise no_override(
            self.name, options,
            "Override the tasks that it calls, where it calls them; time-out and failure policy are options of '@workflow'. "
            f"Or call 'LaunchPlan({self.fn.__name__}, name=…)': an execution of its own, with pool, priority and concurrency.",
        )  # fmt: skip

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
        from wingbeat.author.identity import asked

        signature = self.signature
        if (question := asked(self.fn, signature.inputs)) is not None:
            from wingbeat.author.misuse import of_identity

            raise of_identity(question)
        composer = Composer(self.name, io, {name: codec.type for name, codec in signature.codecs.items()})
        token = composing.set(composer)
        try:
            returned: Any = self.fn(**{n: composer.input(n) for n in self.signature.inputs})  # type: ignore[call-arg, arg-type]
        except TypeError as error:
            from wingbeat.author.misuse import of_promises  # only for who has made a mistake

            if (told := of_promises(self.name, error)) is not None:
                raise told from error
            raise
        finally:
            composing.reset(token)
        where = location_of(self.fn)
        outputs = {
            name: composer.bind_output(name, value, signature.output_codecs[name], where)
            for name, value in self._split(returned, where).items()
        }
        return Composition(self, composer, outputs)

    def _split(self, returned: Any, where: Location) -> Mapping[str, Any]:
        outputs = self.signature.outputs
        if not outputs and isinstance(returned, Node):
            return {}
        if self.signature.named and isinstance(returned, Several):
            returned = tuple(returned)
        if len(outputs) == 1 and not self.signature.named and isinstance(returned, tuple):
            type_ = self.signature.output_types[outputs[0].name]
            if isinstance(type_, Simple):
                raise CompileError(
                    f"{self.name} is declared to return {describe(type_)}, and returns {counted(len(returned), 'value')} "
                    f"({where}): {where.text}",
                    hint="Declare all of them, as in '-> tuple[int, str]'.",
                )
        try:
            return self.signature.split(returned)
        except TypeError as error:
            raise CompileError(f"{error} ({where}): {where.text}") from error


class Composition:
    """A traced workflow: its spec but for the digests of what it calls, which the caller knows.

    Attributes:
        callees: What the nodes call, then the failure handler; `WorkflowSpec.calls` in the same order.

        locations: The user's line of each node.
    """

    def __init__(self, workflow: Workflow[Any, Any], composer: Composer, outputs: dict[str, Any]) -> None:
        self.workflow = workflow
        self.callees: list[Any] = list(composer.callees)
        self.locations = composer.locations
        self._composer, self._outputs = composer, outputs
        self._handler = None if workflow.on_failure is None else self._place(workflow.on_failure)

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
            on_failure=self._handler,
            concurrency=workflow.concurrency,
            publishes=workflow.publishes,
        )

    def _place(self, handler: Callee) -> int:
        if handler not in self.callees:
            self.callees.append(handler)
        return self.callees.index(handler)


@overload
def workflow(fn: Callable[P, Coroutine[Any, Any, R]], /) -> Dynamic[P, R]: ...  # type: ignore[overload-overlap]  # the first that fits


@overload
def workflow(fn: Callable[P, R], /) -> Workflow[P, R]: ...


@overload
def workflow(
    *,
    name: str = "",
    failure_policy: FailurePolicy | None = None,
    timeout: Duration | None = None,
    on_failure: Task[..., Any] | Workflow[..., Any] | None = None,
    concurrency: int | Concurrency | None = None,
    publishes: Mapping[str, Artifact] | None = None,
) -> _Decorator: ...


@overload
def workflow(
    *,
    name: str = "",
    timeout: Duration | None = None,
    on_failure: Task[..., Any] | Workflow[..., Any] | None = None,
    concurrency: int | Concurrency | None = None,
    retries: int | Retry = 0,
    resources: Resources | None = None,
    environment: Environment | None = None,
    secrets: Sequence[str | Secret] = (),
    publishes: Mapping[str, Artifact] | None = None,
) -> _DynamicDecorator: ...


def workflow(fn: Any = None, /, **options: Any) -> Any:
    """Make a function a workflow.

    ``def`` makes a static one: its body is called once, with promises, when it is compiled. ``async def`` makes a dynamic
    one: plain Python that runs when the workflow runs, and what it awaits are nodes.

    Args:
        name: Name in the inventory; ``module.function`` by default.

        failure_policy: Whether the rest goes on as far as it can when a node fails. Static workflows only.

        timeout: Bound on a whole execution, or where it is called in another workflow, on that call.

        on_failure: A task or workflow that runs when it has failed or was aborted, before that is final. It is given the
            inputs that it has in common with the workflow, and an input ``error: Failure`` if it has one.

        concurrency: How many executions of it may be under way at once: a number, beyond which they queue, or a `Concurrency`.
            Not for where it is called in another workflow, which makes it a part of that one's execution.

        publishes: Outputs that become artifacts when an execution of it, registered, has succeeded: ``{"o0": Artifact("roads")}``.
            Not for where it is called in another workflow.

        retries: How often the body is run again when it fails, without what succeeded. Dynamic workflows only, as are
            `resources`, `environment` and `secrets`, which are those of its body.

    Raises:
        CompileError: An option is not one of this kind of workflow.
    """
    if fn is None:
        return lambda function: _made(as_function(function, "workflow", caller()), **options)
    return _made(as_function(fn, "workflow", caller()), **options)


class _Decorator(Protocol):
    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> Dynamic[P, R]: ...  # type: ignore[overload-overlap]  # as above
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Workflow[P, R]: ...


class _DynamicDecorator(Protocol):
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> Dynamic[P, R]: ...


_STATIC = {"name", "failure_policy", "timeout", "on_failure", "concurrency", "publishes"}
_DYNAMIC = {
    "name",
    "timeout",
    "on_failure",
    "concurrency",
    "publishes",
    "retries",
    "resources",
    "environment",
    "secrets",
}


def _made(fn: Any, **options: Any) -> Any:
    where = location_of(fn)
    dynamic = inspect.iscoroutinefunction(fn)
    known, other = (_DYNAMIC, _STATIC) if dynamic else (_STATIC, _DYNAMIC)
    for option in options.keys() - known:
        if option not in other:
            raise CompileError(
                f"@workflow has no option {option!r} ({where}).",
                hint=f"{close_to(option, known)}Its options are {', '.join(sorted(known))}.",
            )
        kind = "dynamic ('async def')" if dynamic else "static ('def')"
        raise CompileError(
            f"{fn.__qualname__} is a {kind} workflow, which has no option {option!r} ({where}).",
            hint=f"Its options are {', '.join(sorted(known))}.",
        )
    handler = options.get("on_failure")
    if handler is not None and not isinstance(handler, Task | Workflow):
        raise CompileError(
            f"{fn.__qualname__}: on_failure takes a task or a workflow, not {shown(handler)} ({where}).",
            hint="Decorate the handler with @task.",
        )
    policy = options.get("failure_policy")
    if policy is not None and not isinstance(policy, FailurePolicy):
        raise CompileError(
            f"{fn.__qualname__}: failure_policy is a FailurePolicy, not {shown(policy)} ({where}).",
            hint=f"It is one of {', '.join(f'FailurePolicy.{each.name}' for each in FailurePolicy)}.",
        )
    if dynamic:
        return Dynamic(fn, **options)
    return Workflow(fn, options.pop("name", ""), **options)
