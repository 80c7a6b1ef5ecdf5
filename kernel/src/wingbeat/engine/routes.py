"""Who runs a task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from wingbeat.base.errors import ConfigurationError
from wingbeat.compile.flatten import overridden
from wingbeat.contracts.executor import Capabilities, Executor
from wingbeat.contracts.secrets import SecretUnavailable, SourceRef
from wingbeat.engine import asked
from wingbeat.engine.live import Live
from wingbeat.engine.rules import DEFAULT, LABEL, Rule, executor_of, label_of
from wingbeat.runtime.plugged import is_theirs
from wingbeat.runtime.secrets import load_source
from wingbeat.spec.chosen import pools_of
from wingbeat.spec.entities import Closure, TaskSpec, WorkflowSpec
from wingbeat.spec.secrets import TOKEN

_log = logging.getLogger("wingbeat.plugins")

INLINE = "wingbeat/inline"
"""Label with the names of the tasks that run in the program that launched them."""


class Routes:
    """From a task to the name of its executor.

    Args:
        installed: The executors that there are, by name, and what they can do.

        inline: Names of tasks that run in this program, whatever their spec says.

        default: Executor of tasks whose spec names none, of executions that are launched now.

        rules: What is configured beside that; the first rule that fits a task wins over its spec.

        pools: Names of the pools that are set up.

        secrets: Gives the source of secrets, or raises ConfigurationError that says why there is none.

        tokens: Gives that of tokens; see `Parts`.
    """

    def __init__(
        self,
        installed: Mapping[str, Capabilities],
        inline: frozenset[str],
        default: str = DEFAULT,
        pools: frozenset[str] = frozenset(),
        rules: Sequence[Rule] = (),
        secrets: Callable[[], SourceRef] | None = None,
        tokens: Callable[[str, float], SourceRef] | None = None,
    ) -> None:
        self.inline = inline
        self._installed, self._default, self._pools, self._rules = dict(installed), default, pools, rules
        self._unusable: dict[str, str] = {}
        self._secrets, self._tokens = secrets, tokens

    def without(self, name: str, why: str) -> None:
        """An executor is installed and cannot be used: who wants it is told why."""
        self._installed.pop(name, None)
        self._unusable[name] = why
        leave = "To do without it in silence, name its plugin in plugins.disabled."
        _log.warning("The executor %r cannot be used: %s. %s", name, why.rstrip("."), leave)

    def usable(self, name: str) -> bool:
        """Whether an executor can be used, as far as is known."""
        return name in self._installed

    def labels(self, closure: Closure, given: Mapping[str, str]) -> dict[str, str]:
        """Labels of an execution that is launched with those `given`: all these, and what it will be routed by."""
        inline = sorted({task.name for task in _tasks(closure) if task.name in self.inline})
        label = label_of(self._default, self._rules, given)
        return {**given, **({INLINE: ",".join(inline)} if inline else {}), **({LABEL: label} if label else {})}

    def executor(self, task: TaskSpec, labels: Mapping[str, str]) -> str:
        """The name of the executor of a task, in an execution with these labels."""
        return "inline" if task.name in self.inline else executor_of(task, labels.get(LABEL, ""))

    def source(
        self, task: TaskSpec, labels: Mapping[str, str], attempt: str = "", launched_at: float = 0.0
    ) -> SourceRef | None:
        """Where an attempt of a task finds its secrets, in an execution with these labels; None if it declares none. Without an
        attempt, as known before there is one.

        Raises ConfigurationError if they cannot be had as it wants them.
        """
        if not task.secrets:
            return None
        name = self.executor(task, labels)
        self._check_usable(task, name)
        placed = next((secret for secret in task.secrets if secret.env or secret.file), None)
        if placed is not None and not self._installed[name].isolates:
            raise ConfigurationError(
                f"Task {task.name} wants the secret {placed.name!r} in the variable {placed.env or placed.file}, and the "
                f"executor {name!r} runs it in a process that others share.",
                hint="Leave it out: what runs there is the program's own."
                if placed.name == TOKEN
                else f"Leave the variable out, and take it by current().secret({placed.name!r}).",
            )
        with _told_of(task):
            return self._source({secret.name for secret in task.secrets}, attempt, launched_at)

    def _source(self, names: set[str], attempt: str, launched_at: float) -> SourceRef | None:
        source = tokens = None
        if names - {TOKEN}:
            if self._secrets is None:
                raise ConfigurationError("This engine has no source of them.")
            source = self._secrets()
        if TOKEN in names:
            if self._tokens is None:
                raise ConfigurationError(f"This engine knows nobody who issues {TOKEN!r}.")
            tokens = self._tokens(attempt, launched_at)
        return replace(source, tokens=tokens) if source and tokens else source or tokens

    def check(self, closure: Closure, labels: Mapping[str, str]) -> None:
        """Raise ConfigurationError if there is a task that nobody can run, in an execution with these labels."""
        if (pool := asked.pool_asked(labels.get(asked.LABEL, ""))) is not None:
            self.check_pool(pool.name, "The launch")
        for task in _tasks(closure):
            self._check_usable(task, self.executor(task, labels))
            self.source(task, labels)
            for name in sorted(pools_of(task)):
                self.check_pool(name, f"Task {task.name}")

    def check_launch(self, closure: Closure, labels: Mapping[str, str]) -> None:
        """Raise for what would be in vain from the beginning: InputError if there is a task that wants more than the quota has,
        ConfigurationError if one wants a token and nobody issues any here."""
        for task in _tasks(closure):
            asked.check_resources(task, labels)
            if self._tokens is not None and any(secret.name == TOKEN for secret in task.secrets):
                with _told_of(task):
                    load_source(self._tokens("", 0.0))

    def has_pool(self, name: str) -> bool:
        """Whether there is a pool of that name."""
        return name in self._pools

    def check_pool(self, name: str, who: str) -> None:
        """Raise ConfigurationError unless there is a pool of that name."""
        if not self.has_pool(name):
            raise ConfigurationError(
                f"{who} wants slots of the pool {name!r}, which is not set up.",
                hint=f"Say how many it has: in wingbeat.toml, under [pools.limits], {name} = 4.",
            )

    def _check_usable(self, task: TaskSpec, name: str) -> None:
        """Raise ConfigurationError unless there is the executor of a task, and it can do what that wants."""
        if name in self._unusable:
            raise ConfigurationError(
                f"Task {task.name} is to run on the executor {name!r}, which cannot be used: {self._unusable[name]}",
                hint="The others are not affected. It is tried again when the home is opened the next time.",
            )
        if name not in self._installed:
            raise ConfigurationError(
                f"Task {task.name} is to run on the executor {name!r}, which is not installed.",
                hint=f"Installed: {', '.join(sorted(self._installed))}.",
            )
        for wants, capability, what in (
            (task.container is not None, "containers", "runs in a container"),
            (task.gang is not None, "gangs", "wants several processes for an attempt"),
            (task.container is None, "functions", "is a Python function"),
            (bool(task.secrets), "secrets", "has secrets"),
        ):
            if wants and not getattr(self._installed[name], capability):
                able = sorted(other for other, can in self._installed.items() if getattr(can, capability))
                others = ", ".join(able) or "none is installed"
                raise ConfigurationError(
                    f"Task {task.name} {what}, which the executor {name!r} cannot do.",
                    hint=f"Executors that can: {others}. Choose one with executor=… at the task, or in the settings: kernel.rules.",
                )

    def check_inline(self, live: Live) -> None:
        """Tasks that ran inline in another program have no code here: they wait until it opens the home again."""
        missing = set(filter(None, live.record.labels.get(INLINE, "").split(","))) - self.inline
        if missing:
            raise ConfigurationError(
                f"Task {min(missing)} runs inline in another program.",
                hint="It goes on when that opens this home again.",
            )


@contextmanager
def _told_of(task: TaskSpec) -> Iterator[None]:
    try:
        yield
    except (ConfigurationError, SecretUnavailable) as error:
        raise ConfigurationError(f"Task {task.name} has secrets. {error.message}", hint=error.hint) from error


def _tasks(closure: Closure) -> Iterator[TaskSpec]:
    """All that it reaches, also as calls want them."""
    for entity in closure.entities.values():
        if isinstance(entity, TaskSpec):
            yield entity
        elif isinstance(entity, WorkflowSpec):
            for node in entity.nodes:
                if node.override is not None and isinstance(
                    task := closure.entities[entity.calls[node.call]], TaskSpec
                ):
                    yield overridden(task, node.override)


def capabilities(executors: Mapping[str, Executor], default: str) -> tuple[dict[str, Capabilities], dict[str, str]]:
    """What each can do, and of those that do not say it rightly, what is wrong. Raises ConfigurationError for the default one."""
    able, unusable = {}, {}
    for name, executor in executors.items():
        try:
            can: object = executor.capabilities
        except BaseException as error:
            if not is_theirs(error):
                raise
            unusable[name] = f"it cannot say what it can do: {type(error).__name__}: {error}"
            continue
        if isinstance(can, Capabilities):
            able[name] = can
        else:
            unusable[name] = f"its capabilities are a {type(can).__name__}"
    if default in unusable:
        raise ConfigurationError(
            f"The executor {default!r} cannot be used: {unusable[default]}.",
            hint="It is the one of tasks that name none.",
        )
    return able, unusable
