"""What an author may say about a task: value classes that turn into the spec's policies.

Every process that runs tasks imports them: structs are made in a tenth of the time of data classes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from wingbeat.author.requirement import wrong_requirement
from wingbeat.author.source import Location, caller
from wingbeat.base.errors import CompileError
from wingbeat.base.units import parse_duration_s, parse_size
from wingbeat.spec.entities import (
    ConcurrencySpec,
    EnvironmentSpec,
    PoolSpec,
    ResourceSpec,
    RetrySpec,
    SecretSpec,
    TaskSpec,
    TimeoutSpec,
)
from wingbeat.spec.secrets import API_KEY, ENDPOINT, TOKEN, is_name, is_variable

Duration = timedelta | str | float
"""A `timedelta`, ``"90s"``, ``"1h30m"``, or seconds."""


ON_LIMIT = ("queue", "skip", "replace", "fail")
_NAMED = "A name is letters, digits, '.', '_' and '-', in parts between slashes: 'db/password'; or it is '@token'."
_REQUIREMENTS = "Write for example 'numpy', 'numpy==2.1.0', 'numpy[extra]>=2,<3' or 'name @ address'."


class TaskConfig(Protocol):
    """What ``@task(task_config=…)`` takes: a plugin's configuration of a task."""

    @property
    def provides(self) -> tuple[str, ...]:
        """Qualified names of the parameter types that the wrapper fills in; they are no inputs of the task."""

    def configure(self, task: TaskSpec) -> TaskSpec:
        """The task as this makes it, from what all its other options say: with a wrapper, a container, a gang, an executor.

        Raises `CompileError` where they exclude each other.
        """


class Retry(Struct, frozen=True):
    """How user errors are retried: `count` times, the n-th after ``delay * factor**n`` (n from 0), at most `delay_max`.

    `jitter` is the share of each delay that is drawn at random. `on` limits it to errors of these classes or codes.
    """

    count: int
    delay: Duration = 0.0
    factor: float = 2.0
    delay_max: Duration = 300.0
    jitter: float = 0.1
    on: tuple[type[BaseException] | str, ...] = ()

    def spec(self) -> RetrySpec:
        """As declared in the spec."""
        if self.count < 0:
            raise CompileError(f"Retry.count={self.count} is out of range.", hint="It is a number from 0 on.")
        if not 0 <= self.jitter <= 1:
            raise CompileError(f"Retry.jitter={self.jitter} is out of range.", hint="It is a share from 0 to 1.")
        if self.factor < 1:
            raise CompileError(f"Retry.factor={self.factor} is out of range.", hint="It is a number from 1 on.")
        if not isinstance(self.on, tuple | list):
            raise CompileError(
                "Retry.on is a tuple of classes of errors, or of their names.", hint=f"Write 'on=({_named(self.on)},)'."
            )
        return RetrySpec(
            count=self.count,
            delay_s=parse_duration_s(self.delay),
            factor=float(
                self.factor
            ),  # a whole number would be another text, hence another digest, once it was decoded
            delay_s_max=parse_duration_s(self.delay_max),
            jitter=float(self.jitter),
            on=tuple(c if isinstance(c, str) else c.__name__ for c in self.on),
        )


class Timeout(Struct, frozen=True):
    """Bounds on one attempt's run, on its wait for a start, and on all attempts together."""

    run: Duration | None = None
    queue: Duration | None = None
    total: Duration | None = None

    def spec(self) -> TimeoutSpec:
        """As declared in the spec."""
        given = (self.run, self.queue, self.total)
        seconds = [None if d is None else parse_duration_s(d) for d in given]
        for duration, s in zip(given, seconds, strict=True):
            if s is not None and s <= 0:
                raise CompileError(
                    f"The timeout {duration!r} is out of range.",
                    hint="It is longer than nothing; leave it out for none.",
                )
        return TimeoutSpec(*seconds)


class Cache(Struct, frozen=True):
    """That the outputs of a task may be reused for equal inputs.

    Args:
        version: Part of the key. Left out, it is derived from the code: the function and the project code that it reaches.

        ignore: Inputs that do not matter.

        ttl: How long an entry counts.

        serialize: Run the same work once when it is asked for twice at the same time.
    """

    version: str | None = None
    ignore: tuple[str, ...] = ()
    ttl: Duration | None = None
    serialize: bool = True


class Resources(Struct, frozen=True):
    """What an attempt may use: cores, and memory as ``"512Mi"``, ``"2G"`` or bytes."""

    cpu: float | None = None
    mem: str | int | None = None

    def spec(self) -> ResourceSpec:
        """As declared in the spec."""
        if self.cpu is not None and self.cpu <= 0:
            raise CompileError(f"Resources.cpu={self.cpu} is out of range.", hint="cpu is a number of cores above 0.")
        memory_bytes = None if self.mem is None else parse_size(self.mem)
        if memory_bytes is not None and memory_bytes <= 0:
            raise CompileError(f"Resources.mem={self.mem!r} is out of range.", hint="mem is more than nothing.")
        return ResourceSpec(cpu=None if self.cpu is None else float(self.cpu), memory_bytes=memory_bytes)


class Pool(Struct, frozen=True):
    """Slots of a pool that attempts of all executions share; how many there are is a setting (``pools.limits``).

    Args:
        name: Of the pool.

        weight: How many slots an attempt holds.

        priority: Higher comes first; it grows with the time that an attempt waits.
    """

    name: str
    weight: int = 1
    priority: int = 0

    def spec(self) -> PoolSpec:
        """As declared in the spec."""
        if not self.name:
            raise CompileError("Pool.name='' is out of range.", hint="A pool has a name.")
        if self.weight < 1:
            raise CompileError(f"Pool.weight={self.weight} is out of range.", hint="It is a number from 1 on.")
        return PoolSpec(self.name, self.weight, self.priority)


class Secret(Struct, frozen=True):
    """A secret that a task may have: a reference to it, never its value.

    Args:
        name: What the source of secrets knows it by, for example ``"db/password"``. ``"@token"`` is a token of the attempt, with
            which it may ask the server: in ``WINGBEAT_API_KEY``, unless `env` or `file` say where else; ``WINGBEAT_ENDPOINT`` has
            the URL.

        env: Environment variable that is set to its value, for the attempt alone. Code of the module itself runs before that:
            read it inside the task.

        file: Environment variable that is set to the path of a file with its value, for libraries that want a file. The file
            is in memory, and gone with the attempt's process.
    """

    name: str
    env: str = ""
    file: str = ""

    def spec(self) -> SecretSpec:
        """As declared in the spec."""
        if not is_name(self.name) and self.name != TOKEN:
            raise CompileError(f"{self.name!r} is no name of a secret.", hint=_NAMED)
        for variable in (self.env, self.file):
            if variable != "" and not is_variable(variable):
                raise CompileError(
                    f"The secret {self.name!r} cannot be in the environment variable {variable!r}.",
                    hint="A variable is letters, digits and '_', and begins with no digit.",
                )
        if self.name == TOKEN and not self.env and not self.file:
            return SecretSpec(TOKEN, API_KEY)
        return SecretSpec(self.name, self.env, self.file)


def as_secrets(given: Sequence[str | Secret], variables: Collection[str] = ()) -> tuple[SecretSpec, ...]:
    """What `secrets=` means, of a task that sets these environment variables besides."""
    if isinstance(given, str | Secret):
        raise CompileError(f"secrets={given!r} is no list.", hint=f"Write secrets=[{given!r}].")
    found: list[SecretSpec] = []
    names, taken = set[str](), set(variables)
    for each in given:
        if not isinstance(each, str | Secret):
            raise CompileError(f"secrets=[{each!r}] is neither a name nor a Secret.", hint=_NAMED)
        made = (Secret(each) if isinstance(each, str) else each).spec()
        if made.name in names:
            raise CompileError(f"The secret {made.name!r} is declared twice.", hint="Say all about it in one Secret.")
        for variable in filter(None, (made.env, made.file, ENDPOINT if made.name == TOKEN else "")):
            if variable in taken:
                raise CompileError(
                    f"The environment variable {variable} is set twice, by the secret {made.name!r} too."
                )
            taken.add(variable)
        names.add(made.name)
        found.append(made)
    return tuple(found)


def _named(error: object) -> str:
    return error.__name__ if isinstance(error, type) else repr(error)


class Concurrency(Struct, frozen=True):
    """How many executions of a workflow or launch plan may be under way at once.

    Args:
        limit: So many.

        on_limit: What becomes of one that is launched when there are so many. ``queue``: it waits for its turn. ``skip``: it
            ends at once, and says so. ``replace``: the oldest one is aborted, and it begins when that has ended. ``fail``:
            its launch raises `LimitReached`.

        name: Everything with this name counts together; by default the name of the workflow or launch plan.

        priority: Of those that wait, higher comes first; it grows with the time that an execution waits.
    """

    limit: int = 1
    on_limit: Literal["queue", "skip", "replace", "fail"] = "queue"
    name: str = ""
    priority: int = 0


def as_concurrency(given: int | Concurrency | None, name: str, where: Location) -> ConcurrencySpec | None:
    """What `concurrency=` means, of what has that name and stands there."""
    if given is None:
        return None
    said: object = Concurrency(given) if isinstance(given, int) else given
    if not isinstance(said, Concurrency) or said.limit < 1 or said.on_limit not in ON_LIMIT:
        raise CompileError(
            f"{name}: concurrency={given!r} is out of range ({where}).",
            hint=f"It is a number from 1 on, or a Concurrency with such a limit and an on_limit of {', '.join(ON_LIMIT)}.",
        )
    return ConcurrencySpec(said.name or name, said.limit, said.on_limit, said.priority)


class Environment(Struct, frozen=True):
    """The Python environment of a task, apart from everybody else's.

    Args:
        packages: Requirements, for example ``["numpy==2.1.0"]``.

        requirements: A requirements file, relative to the task's own file; read when the task is compiled.

        python: Version of Python, for example ``"3.12"``, among those found on the machine.
    """

    packages: tuple[str, ...] | list[str] = ()
    requirements: str | Path | None = None
    python: str = ""

    def __post_init__(self) -> None:
        given: object = self.packages
        if isinstance(given, str):
            raise CompileError(
                f"Environment(packages={self.packages!r}) is a text ({caller()}).",
                hint=f"Write a list: packages=[{self.packages!r}].",
            )
        if (wrong := wrong_requirement(self.packages)) is not None:
            raise CompileError(
                f"Environment(packages=…): {wrong[1]!r} is no requirement ({caller()}).", hint=_REQUIREMENTS
            )

    def spec(self, folder: Path) -> EnvironmentSpec:
        """As declared in the spec. `folder` is what a relative requirements file is relative to."""
        lines: tuple[str, ...] = ()
        if self.requirements is not None:
            path = folder / self.requirements
            try:
                lines = tuple(path.read_text().splitlines())
            except OSError as error:
                raise CompileError(
                    f"Environment(requirements={str(self.requirements)!r}) cannot be read: {error}"
                ) from error
            if (wrong := wrong_requirement(lines)) is not None:
                raise CompileError(f"{wrong[1]!r} is no requirement ({path.name}:{wrong[0]}).", hint=_REQUIREMENTS)
        return EnvironmentSpec(packages=tuple(self.packages), requirements=lines, python=self.python)
