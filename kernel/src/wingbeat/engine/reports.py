"""What executors report, as events: the engine's side of `wingbeat.contracts.executor.Sink`.

An executor may be broken: what it says of attempts that are not its own, of none that there are, or after their end counts for
nothing, and what is none of the contract's outcomes is a failure of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from wingbeat.base.errors import ErrorKind
from wingbeat.base.ids import split_attempt_id
from wingbeat.contracts.executor import Aborted, AttemptRequest, Failed, Outcome, Progress, Succeeded, Suspended
from wingbeat.contracts.failpoints import hit
from wingbeat.engine.archive import Archive
from wingbeat.engine.background import Broke
from wingbeat.engine.clock import Clock
from wingbeat.engine.live import Live
from wingbeat.engine.outcomes import kept_evidence, wrong_outcome, wrong_output
from wingbeat.engine.routes import Routes
from wingbeat.machine.event import (
    AttemptAborted,
    AttemptFailed,
    AttemptRunning,
    AttemptSucceeded,
    AttemptSuspended,
    Called,
    Event,
)
from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.outcome import ErrorInfo


class Reports:
    """Posts what one executor reports.

    Args:
        executor: Its name.

        lives: Executions under way, by id.

        post: Takes an event.

        broke: Told when a report cannot be taken.
    """

    def __init__(
        self,
        executor: str,
        lives: Mapping[str, Live],
        archive: Archive,
        routes: Routes,
        clock: Clock,
        post: Callable[[Live, Event], None],
        broke: Broke,
    ) -> None:
        self._executor, self._lives, self._archive, self._routes, self._clock = executor, lives, archive, routes, clock
        self._post, self._broke = post, broke
        self._refused: dict[str, Failed] = {}
        self._thread = threading.get_ident()

    def running(self, attempt: str, evidence: dict[str, Any] | None = None) -> None:
        """See `Sink.running`."""
        if (found := self._find(attempt)) is not None:
            live, node, number, _ = found
            self._post(live, AttemptRunning(self._clock.now(), node, number, kept_evidence(evidence)))

    def ended(self, attempt: str, outcome: Outcome) -> None:
        """See `Sink.ended`."""
        if wrong := wrong_outcome(outcome):
            message = f"The executor {self._executor!r} reported {wrong}, which is no outcome."
            outcome = Failed(ErrorInfo("ExecutorFailed", message, ErrorKind.SYSTEM))
        refused = self._refused.pop(attempt, None)
        if refused is not None and isinstance(outcome, Aborted):
            outcome = refused
        if (found := self._find(attempt)) is not None:
            live, address, number, task = found
            live.progress.pop(address, None)
            live.sent.pop(attempt, None)
            try:
                hit("outcome.received")
                self._post(live, self._event(live, address, number, task, outcome))
            except Exception as error:  # noqa: BLE001  # the executor could do nothing about it, and nobody would tell again
                self._broke(live, error)

    def waits(self, attempt: str) -> bool:
        """Whether the end of an attempt is still to be reported."""
        return self._open(attempt) is not None

    def refused(self, attempt: str, failed: Failed) -> None:
        """An executor did not take an attempt, as far as is known. When it is seen gone, that is how it ended."""
        self._refused[attempt] = failed
        self.progress(attempt, "WAITING_FOR_RESOURCES", failed.error.message)

    def progress(self, attempt: str, phase: str, reason: str) -> None:
        """See `Sink.progress`."""
        if (found := self._open(attempt)) is not None:
            live, address, _, _ = found
            live.machine.notes[address] = f"{phase.lower().replace('_', ' ')}: {reason}"

    def advanced(self, attempt: str, progress: Progress) -> None:
        """See `Sink.advanced`."""
        if (found := self._open(attempt)) is not None:
            live, address, number, _ = found
            live.progress[address] = number, progress

    def _event(self, live: Live, address: int, number: int, task: TaskSpec, outcome: Outcome) -> Event:
        now = self._clock.now()
        match outcome:
            case Succeeded():
                if wrong := wrong_output(outcome.outputs, task, self._executor):
                    return AttemptFailed(now, address, number, wrong)
                kept = kept_evidence(outcome.evidence) if outcome.evidence else None
                return AttemptSucceeded(now, address, number, outcome.outputs, kept)
            case Failed():
                error = outcome.error
                if error.evidence:
                    error = replace(error, evidence=kept_evidence(error.evidence) or {})
                if type(error.kind) is not ErrorKind:  # its text, which is read as one
                    error = replace(error, kind=ErrorKind(error.kind))
                return AttemptFailed(now, address, number, error)
            case Aborted():
                return AttemptAborted(now, address, number, outcome.reason, kept_evidence(outcome.evidence) or {})
            case Suspended() if task.dynamic:
                return self._suspended(live, address, number, outcome)
            case Suspended():
                message = (
                    f"The executor {self._executor!r} reported that the attempt waits for calls; its task makes none."
                )
                return AttemptFailed(now, address, number, ErrorInfo("ExecutorFailed", message, ErrorKind.SYSTEM))

    def _suspended(self, live: Live, address: int, number: int, outcome: Suspended) -> Event:
        now = self._clock.now()
        try:
            for closure in outcome.closures:
                self._routes.check(closure, live.record.labels)
                live.call(*self._archive.template(live.with_code(closure, address)))
        except Exception as error:  # noqa: BLE001  # it comes out of the user's process
            message = f"What the body called cannot be run: {error}"
            return AttemptFailed(now, address, number, ErrorInfo("CompileError", message, retryable=False))
        calls = tuple(Called(call.key, call.template, call.inputs) for call in outcome.calls)
        return AttemptSuspended(now, address, number, calls, outcome.cancels, outcome.wake_at)

    def _open(self, attempt: str) -> tuple[Live, int, int, TaskSpec] | None:
        """As `_find`, of an attempt that has not ended."""
        found = self._find(attempt)
        if found is None:
            return None
        live, address, number, _ = found
        node = live.machine.state.seen(address)
        seen = None if node is None else node.open_attempt
        return found if seen is not None and seen.number == number else None

    def _find(self, attempt: str) -> tuple[Live, int, int, TaskSpec] | None:
        """The execution, node, number and task of an attempt of this executor; None for one that nobody waits for any more."""
        if threading.get_ident() != self._thread:
            raise RuntimeError(
                f"The sink of the executor {self._executor!r} is called from the kernel's event loop only: "
                "loop.call_soon_threadsafe(sink.ended, …)."
            )
        live = self._lives.get(attempt.partition("/")[0]) if type(attempt) is str else None
        if live is not None and (sent := live.sent.get(attempt)) is not None:
            address, number, task, executor = sent
            return (live, address, number, task) if executor == self._executor else None
        if (found := find(self._lives, attempt)) is None:  # an attempt of an earlier kernel, or one that has ended
            return None
        live, address, number = found
        called = live.machine.graph.task(address)
        if called is None or self._routes.executor(called, live.record.labels) != self._executor:
            return None
        return live, address, number, called


def find(lives: Mapping[str, Live], attempt: str) -> tuple[Live, int, int] | None:
    """The execution, node and number of an attempt; None for one that nobody waits for any more."""
    try:
        execution, node_id, number = split_attempt_id(attempt)
    except (ValueError, AttributeError, TypeError):  # whatever an executor takes for an id
        return None
    live = lives.get(execution)
    node = live.machine.graph.find(node_id) if live else None
    return None if live is None or node is None else (live, node, number)


def note_waiting(lives: Mapping[str, Live], request: AttemptRequest, reason: str) -> None:
    """An attempt waits, and for what; without a reason, it does not any more."""
    if (found := find(lives, request.id)) is None:
        return
    live, address, _ = found
    if reason:
        live.machine.notes[address] = reason
    else:
        live.machine.notes.pop(address, None)
