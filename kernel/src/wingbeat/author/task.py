"""``@task``: a function with typed inputs and outputs becomes the smallest unit of work."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, overload

from wingbeat.author.compose import Callee
from wingbeat.author.decided import Decided, Option
from wingbeat.author.dynamic import dispatch, settled
from wingbeat.author.fingerprint import code_digest
from wingbeat.author.modules import module_of
from wingbeat.author.options import (
    Cache,
    Duration,
    Environment,
    Pool,
    Resources,
    Retry,
    Secret,
    TaskConfig,
    Timeout,
    as_secrets,
)
from wingbeat.author.signature import Signature
from wingbeat.author.source import Location, caller, close_to, location_of, shown
from wingbeat.author.usage import usage
from wingbeat.base.errors import CompileError
from wingbeat.spec.chosen import check_formulas
from wingbeat.spec.entities import (
    CacheSpec,
    Entry,
    EnvironmentSpec,
    Isolation,
    ResourceSpec,
    RetrySpec,
    TaskSpec,
    TimeoutSpec,
)
from wingbeat.types import BlobIO, ValueMismatch

if TYPE_CHECKING:
    from wingbeat.author.override import Overridden

P = ParamSpec("P")
R = TypeVar("R")


class Task(Callee, Generic[P, R]):
    """A task: called directly it is the plain function; called in a workflow's body it is a node.

    Attributes:
        fn: The plain function.

        name: ``module.function`` unless given.
    """

    __name__: str  # the function's, as is its documentation

    def __init__(self, fn: Callable[P, R], options: TaskOptions, name: str = "") -> None:
        self.fn = fn
        self.options = options
        self.module = module_of(fn)
        self.name = name or f"{self.module}.{fn.__qualname__}"
        functools.update_wrapper(self, fn)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:  # `wingbeat.mypy` knows what, from where it stands
        return dispatch(self, args, kwargs)  # in a workflow's body what stands for the value

    def plain(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The plain function."""
        value: R = settled(self.fn(*args, **kwargs))
        return value

    @usage("TASK.override(retries=3)(…)")
    def override(
        self,
        *,
        name: str = "",
        retries: Option[int | Retry] | None = None,
        timeout: Option[Duration | Timeout] | None = None,
        resources: Option[Resources] | None = None,
        cache: bool | str | Cache | None = None,
        executor: str | None = None,
        variables: Mapping[str, str] | None = None,
        pool: Option[str | Pool] | None = None,
        secrets: Sequence[str | Secret] | None = None,
    ) -> Overridden[P, R]:
        """The task with other options, for one call: ``train.override(retries=3)(data)``. What is left out stays as it is.

        Args:
            name: What the node is called where people look at it.

            retries: As of `task`; so are `timeout`, `resources`, `cache` (False turns it off), `executor` and `pool`. What may be
                a function there may be one here.

            variables: Environment variables, instead of the task's own.

            secrets: Secrets, instead of the task's own.

        Raises:
            CompileError: An option is out of range, or is a promise: options are known before the workflow runs.
        """
        from wingbeat.author.override import Overridden

        given = {
            "name": name or None, "retries": retries, "timeout": timeout, "resources": resources, "cache": cache,
            "executor": executor, "variables": variables, "pool": pool, "secrets": secrets,
        }  # fmt: skip
        return Overridden(self, {k: v for k, v in given.items() if v is not None}, caller())

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    @cached_property
    def signature(self) -> Signature:
        """The typed interface; computed on first use, so that a module's forward references are there."""
        provides = self.options.task_config.provides if self.options.task_config else ()
        return Signature(self.fn, self.name, provides)

    def spec(self, io: BlobIO) -> TaskSpec:
        """The task as declared: everything but Python.

        Raises:
            CompileError: The function cannot be located by name, or an option or type cannot be expressed.
        """
        if "<locals>" in self.fn.__qualname__:
            raise CompileError(
                f"{self.name} is defined inside a function ({location_of(self.fn)}), where its process cannot find it.",
                hint="Define tasks at the top level of a module.",
            )
        options = self.options
        code = code_digest(self.fn)
        unknown = [n for n in (options.cache.ignore if options.cache else ()) if n not in self.signature.inputs]
        if unknown:
            raise CompileError(
                f"{self.name}: Cache(ignore=…) names {unknown[0]!r}, which is no input ({location_of(self.fn)})."
            )
        made = TaskSpec(
            name=self.name,
            interface=self.signature.interface(io),
            entry=Entry(self.module, self.fn.__qualname__),
            code=code,
            doc=self.signature.documented.description,
            retry=options.retry,
            timeout=options.timeout,
            cache=options.cache_spec(code),
            resources=options.resources,
            environment=self._environment(),
            isolation=options.isolation,
            variables=options.variables,
            executor=options.executor,
            pool=options.pool,
            formulas=options.formulas,
            secrets=options.secrets,
        )
        if options.task_config is not None:
            made = options.task_config.configure(made)
        try:
            check_formulas(made, made.interface)
        except ValueMismatch as error:
            raise CompileError(f"{self.name}: {error} ({location_of(self.fn)}).") from error
        return made

    def _environment(self) -> EnvironmentSpec | None:
        """Files of the environment are found beside the task's own."""
        environment = self.options.environment
        return environment.spec(Path(location_of(self.fn).file).resolve().parent) if environment else None


class TaskOptions:
    """The arguments of ``@task``, in the spec's terms."""

    def __init__(
        self,
        cache: bool | str | Cache = False,
        retries: Option[int | Retry] = 0,
        timeout: Option[Duration | Timeout] | None = None,
        resources: Option[Resources] | None = None,
        environment: Environment | None = None,
        task_config: TaskConfig | None = None,
        isolation: Literal["fork", "spawn"] = "fork",
        variables: Mapping[str, str] | None = None,
        executor: str = "",
        pool: Option[str | Pool] | None = None,
        secrets: Sequence[str | Secret] = (),
    ) -> None:
        self.cache = as_cache(cache)
        decided = Decided(retries, timeout, resources, pool)
        self.retry: RetrySpec = decided.retry or RetrySpec()
        self.timeout: TimeoutSpec = decided.timeout or TimeoutSpec()
        self.resources: ResourceSpec = decided.resources or ResourceSpec()
        self.pool = decided.pool
        self.formulas = decided.formulas
        self.environment = environment
        self.task_config = task_config
        if isolation not in list(Isolation):
            raise CompileError(f"isolation={isolation!r} is neither 'fork' nor 'spawn'.")
        self.isolation = Isolation(isolation)
        self.variables = as_variables(variables or {})
        self.executor = executor
        self.secrets = as_secrets(secrets, self.variables)

    def cache_spec(self, code: str) -> CacheSpec | None:
        """The cache policy, with the version derived from the code where none was given."""
        return cache_spec(self.cache, code)


def _options(options: dict[str, Any], where: Location) -> TaskOptions:
    """Raises CompileError with the user's line."""
    known = list(inspect.signature(TaskOptions).parameters)
    if unknown := [name for name in options if name not in known]:
        raise CompileError(
            f"@task has no option {unknown[0]!r} ({where}).",
            hint=f"{close_to(unknown[0], known)}Its options are {', '.join(['name', *known])}.",
        )
    try:
        return TaskOptions(**options)
    except CompileError as error:
        if str(where) in error.message:
            raise
        raise CompileError(f"{error.message.removesuffix('.')} ({where}).", hint=error.hint) from error
    except (TypeError, ValueError) as error:
        raise CompileError(f"@task: {error} ({where}).") from error


def cache_spec(cache: Cache | None, code: str) -> CacheSpec | None:
    """A cache policy, with the version derived from the code where none was given."""
    if cache is None:
        return None
    ttl = cache.ttl
    return CacheSpec(
        version=cache.version if cache.version is not None else code,
        derived=cache.version is None,
        ignore=cache.ignore,
        serialize=cache.serialize,
        ttl_s=ttl.total_seconds() if isinstance(ttl, timedelta) else Timeout(run=ttl).spec().run_s,
    )


def as_cache(cache: Any) -> Cache | None:
    """What `cache=` means."""
    if not isinstance(cache, Cache | bool | str):
        raise CompileError(f"cache is True, False, a version or a Cache, not {shown(cache)}.")
    if isinstance(cache, Cache):
        ignore: object = cache.ignore
        if isinstance(ignore, str):
            raise CompileError(
                f"Cache.ignore is a tuple of names of inputs, not the text {ignore!r}.",
                hint=f"Write 'ignore=(\"{ignore}\",)'.",
            )
        return cache
    if isinstance(cache, str):
        return Cache(version=cache)
    return Cache() if cache else None


def as_variables(variables: Mapping[str, Any]) -> dict[str, str]:
    """What `variables=` means."""
    if not isinstance(variables, Mapping):
        raise CompileError(f"variables={variables!r} is no dictionary.", hint='Write \'variables={"NAME": "value"}\'.')
    for name, value in variables.items():
        if not isinstance(value, str) or not name or "=" in name or "\0" in name + value:
            raise CompileError(
                f"{name!r}: {value!r} cannot be an environment variable.",
                hint="A name has no '=', a value is text without zero bytes.",
            )
    return dict(variables)


def as_function(given: Any, decorator: str, where: Location) -> Any:
    """What a decorator was put before.

    Raises:
        CompileError: It is no function.
    """
    if not callable(given) or isinstance(given, type | Callee) or not hasattr(given, "__qualname__"):
        raise CompileError(
            f"@{decorator} is put before a function, not before {shown(given)} ({where}): {where.text}",
            hint=f"Give options by name, as in '@{decorator}(name=\"NAME\")', and put the decorator before a 'def'.",
        )
    if inspect.isgeneratorfunction(given) or inspect.isasyncgenfunction(given):
        raise CompileError(
            f"{given.__qualname__} yields values, and a {decorator} returns them ({where}): {where.text}",
            hint="Collect them into a list, and return that.",
        )
    return given


@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    *,
    name: str = "",
    cache: bool | str | Cache = False,
    retries: Option[int | Retry] = 0,
    timeout: Option[Duration | Timeout] | None = None,
    resources: Option[Resources] | None = None,
    environment: Environment | None = None,
    task_config: None = None,
    isolation: Literal["fork", "spawn"] = "fork",
    variables: Mapping[str, str] | None = None,
    executor: str = "",
    pool: Option[str | Pool] | None = None,
    secrets: Sequence[str | Secret] = (),
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


@overload  # what its wrapper fills in is no input
def task(
    *,
    name: str = "",
    cache: bool | str | Cache = False,
    retries: Option[int | Retry] = 0,
    timeout: Option[Duration | Timeout] | None = None,
    resources: Option[Resources] | None = None,
    environment: Environment | None = None,
    task_config: TaskConfig,
    isolation: Literal["fork", "spawn"] = "fork",
    variables: Mapping[str, str] | None = None,
    executor: str = "",
    pool: Option[str | Pool] | None = None,
    secrets: Sequence[str | Secret] = (),
) -> Callable[[Callable[..., R]], Task[..., R]]: ...


def task(fn: Any = None, /, *, name: str = "", **options: Any) -> Any:
    """Make a function a task.

    Args:
        name: Name in the inventory; ``module.function`` by default.

        cache: Reuse outputs for equal inputs: True derives the version from the code, a text is the version, or a `Cache`.

        retries: How often a user error is retried: a count, or a `Retry`. System failures have a budget of their own. This,
            `timeout`, `resources` and `pool` may be functions of ``inputs``, ``attempt`` and ``error``, of which they take what
            they need by these names: ``resources=lambda attempt: Resources(mem="1Gi" * 2**attempt)``.

        timeout: Bound on one attempt's run, or a `Timeout`. A time-out is retried like a user error.

        resources: Cores and memory of an attempt.

        environment: Packages of its own.

        task_config: A plugin's configuration, for example ``Spark(cores=2)``.

        isolation: ``"spawn"`` starts a fresh interpreter for libraries that cannot be forked.

        variables: Environment variables for the attempt.

        executor: Name of the executor; the configured one by default.

        pool: Name of a pool whose slots attempts hold, or a `Pool`.

        secrets: What attempts may have of the source of secrets: names, for ``current().secret(name)``, or `Secret`, which can
            be in an environment variable or a file too.
    """
    if fn is None:
        made = _options(options, caller())
        return lambda function: Task(as_function(function, "task", caller()), made, name)
    return Task(as_function(fn, "task", caller()), TaskOptions(), name)
