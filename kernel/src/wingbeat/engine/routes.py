"""Who runs a task."""

from __future__ import annotations

from collections.abc import Iterable

from wingbeat.base.errors import ConfigurationError
from wingbeat.engine.live import Live
from wingbeat.spec.entities import TaskSpec

INLINE = "wingbeat/inline"
"""Label with the names of the tasks that run in the program that launched them."""


class Routes:
    """From a task to the name of its executor.

    Args:
        installed: Names of the executors that there are.

        inline: Names of tasks that run in this program, whatever their spec says.

        default: Executor of tasks whose spec names none.

        pools: Names of the pools that are set up.
    """

    def __init__(
        self, installed: frozenset[str], inline: frozenset[str], default: str, pools: frozenset[str] = frozenset()
    ) -> None:
        self.inline = inline
        self._installed, self._default, self._pools = installed, default, pools

    def executor(self, task: TaskSpec) -> str:
        """The name of the executor of a task."""
        return "inline" if task.name in self.inline else task.executor or self._default

    def check(self, tasks: Iterable[TaskSpec]) -> None:
        """Raise ConfigurationError if there is a task that nobody can run."""
        for task in tasks:
            name = self.executor(task)
            if name not in self._installed:
                raise ConfigurationError(
                    f"Task {task.name} wants the executor {name!r}, which is not installed.",
                    hint=f"Installed: {', '.join(sorted(self._installed))}.",
                )
            if task.pool is not None and task.pool.name not in self._pools:
                raise ConfigurationError(
                    f"Task {task.name} wants slots of the pool {task.pool.name!r}, which is not set up.",
                    hint=f"Say how many it has: in wingbeat.toml, under [pools.limits], {task.pool.name} = 4.",
                )

    def check_inline(self, live: Live) -> None:
        """Tasks that ran inline in another program have no code here: they wait until it opens the home again."""
        missing = set(filter(None, live.record.labels.get(INLINE, "").split(","))) - self.inline
        if missing:
            raise ConfigurationError(
                f"Task {min(missing)} runs inline in another program.",
                hint="It goes on when that opens this home again.",
            )
