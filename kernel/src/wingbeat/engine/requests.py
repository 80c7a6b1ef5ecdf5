"""What an attempt is made of, when it is asked for."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from wingbeat.base.errors import ConfigurationError, InputError
from wingbeat.base.ids import attempt_id
from wingbeat.contracts.executor import AttemptRequest
from wingbeat.engine import asked
from wingbeat.engine.checkpoints import checkpoint_of
from wingbeat.engine.clock import Clock
from wingbeat.engine.feed import Feed
from wingbeat.engine.live import Live
from wingbeat.engine.replays import replay_of
from wingbeat.engine.routes import Routes
from wingbeat.machine.event import AttemptFailed, Event
from wingbeat.spec.entities import PoolSpec, TaskSpec
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.types import ValueMismatch


class Requests:
    """Makes the requests of attempts.

    Args:
        post: Takes an event: one that cannot be made has failed.
    """

    def __init__(self, routes: Routes, feed: Feed, clock: Clock, post: Callable[[Live, Event], None]) -> None:
        self._routes, self._feed, self._clock, self._post = routes, feed, clock, post

    def of(self, live: Live, node: int, number: int) -> AttemptRequest | None:
        """The request of an attempt; None if its inputs cannot be taken, or it wants what it cannot have."""
        task, labels = _task(live, node), live.record.labels
        id = attempt_id(live.id, live.node_id(node), number)
        try:
            inputs = live.machine.values(node)
            secrets = self._routes.source(task, labels, id, live.record.created_at) if task.secrets else None
            if asked.QUOTA in labels:
                asked.check_resources(task, labels)
            if task.pool is not None:
                self._routes.check_pool(task.pool.name, f"Task {task.name}")
        except ValueMismatch as error:
            self._fail(live, node, number, "BindingError", f"An input cannot be taken: {error}")
            return None
        except (ConfigurationError, InputError) as error:  # it was checked at the launch, as far as it was known then
            self._fail(live, node, number, type(error).__name__, str(error))
            return None
        replay = replay_of(live.machine, node) if node in live.machine.state.bodies else None
        code = live.code(node)
        live.sent[id] = node, number, task, self._routes.executor(task, labels)
        return AttemptRequest(
            id, task, inputs, code.bundle, environment=code.environment,
            variables=self._feed.variables(id), checkpoint=checkpoint_of(live.machine, node, inputs), replay=replay,
            secrets=secrets,
        )  # fmt: skip

    def slots(self, live: Live, node: int) -> tuple[str, PoolSpec] | None:
        """The id of the open attempt of a node, and of which pool it has slots; None if it has none."""
        state = live.machine.state.seen(node)
        attempt = None if state is None else state.open_attempt
        pool = _task(live, node).pool
        if attempt is None or pool is None or not (attempt.granted or attempt.started_at is not None):
            return None
        if not self._routes.has_pool(pool.name):  # any more: a formula has given its name
            return None
        return attempt_id(live.id, live.node_id(node), attempt.number), pool

    def _fail(self, live: Live, node: int, number: int, code: str, message: str) -> None:
        self._post(live, AttemptFailed(self._clock.now(), node, number, ErrorInfo(code, message, retryable=False)))


def _task(live: Live, node: int) -> TaskSpec:
    """The task of an attempt, with what the launch asked for."""
    task = live.machine.settled(node)
    label = live.record.labels.get(asked.LABEL, "")
    return replace(task, pool=asked.pool_of(task, label)) if label else task
