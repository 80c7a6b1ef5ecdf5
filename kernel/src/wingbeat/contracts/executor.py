"""Executors: who runs attempts.

An executor is given attempts and reports what became of them through a sink. It may be slow, crash and come back; what it
may not do is run one attempt twice. Every call is idempotent by the attempt's id (``execution/node/attempt``).

The kit is `wingbeat.testing.conformance.executor.ExecutorContract`. What holds for all calls:

- *Order*: `start`, then `recover` with what an earlier kernel left, then the others, from several tasks at once; `close` is last.
  Between `start` and the end of `recover` nothing is submitted. `close` may come without a `start`, when the kernel failed before.
- *Cancellation*: a call may be cancelled at any await, when the kernel stops. What it was about is then in doubt, and the same call
  comes again, from this kernel or the next one.
- *Hanging*: no call waits for an attempt's end but `cancel`. Each has a time in which it has to return (`submit` a minute,
  `recover` two, `cancel` five, `close` half a minute); then it is cancelled, and counts as one that raised.
- *Failing*: after several attempts in a row for which `submit` failed, the executor is left alone for a while; attempts wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from wingbeat.contracts.secrets import SourceRef
from wingbeat.spec.entities import Closure, EnvironmentSpec, StoredDefinition, TaskSpec
from wingbeat.spec.literal import Literals
from wingbeat.spec.outcome import ErrorInfo


class Capabilities(Struct, frozen=True):
    """What the engine may ask of an executor before it schedules.

    Attributes:
        adopts: `recover` finds attempts that an earlier process of the kernel submitted.

        isolates: An attempt has a process of its own, which can be killed, limited and given an environment.

        reports_running: The sink is told when an attempt begins to run; otherwise it counts as running when submitted.

        reports_progress: The sink is told how far attempts are, and their evidence keeps the last of it.

        carries_checkpoints: An attempt begins with what an earlier one left in its checkpoint, as `AttemptRequest` says.

        functions: It runs Python functions out of code bundles, with what is installed where it runs them.

        containers: It runs tasks with a `TaskSpec.container`.

        gangs: It runs tasks with a `TaskSpec.gang`, as `wingbeat.contracts.gang` says.

        secrets: Attempts have the secrets that their task declares, as `AttemptRequest` says.

    A task that wants what its executor cannot do is refused at the launch, before anything runs.
    """

    adopts: bool = True
    isolates: bool = True
    reports_running: bool = True
    reports_progress: bool = False
    carries_checkpoints: bool = False
    functions: bool = True
    containers: bool = False
    gangs: bool = False
    secrets: bool = False


class Call(Struct, frozen=True, gc=False, omit_defaults=True):
    """Something that the body of a dynamic workflow has called.

    Attributes:
        key: The path of the call, and how often it was taken before: the same whenever the body is run again.

        template: Digest of the root of the closure that was called.
    """

    key: str
    template: str
    inputs: Literals


class Made(Struct, frozen=True, gc=False, omit_defaults=True):
    """A call that a body made in an earlier turn. `inputs` is their canonical JSON, or its digest where that is shorter."""

    key: str
    template: str
    inputs: str


class Recorded(Struct, frozen=True, gc=False, omit_defaults=True):
    """What became of a call, or (without `key`) that the time `at` came for which the body had waited."""

    at: float
    key: str = ""
    outputs: Literals | None = None
    error: ErrorInfo | None = None


class Kept(Struct, frozen=True, gc=False, omit_defaults=True):
    """A call that has succeeded, of a body that has failed since and is tried again: if it calls the same, that is its result."""

    key: str
    template: str
    inputs: str
    outputs: Literals


class Replay(Struct, frozen=True, gc=False, omit_defaults=True):
    """What the body of a dynamic workflow is told when it is run again.

    Attributes:
        began_at: When this try of it was run for the first time, in epoch seconds; the time of its clock begins there.

        calls: What it has called.

        history: What became of that, in the order in which it happened.

        references: What it names of what others have registered, by the ids.

        retries: How often it has failed before and was begun again: what it is told its attempt's number is, as each turn is an
            attempt.

        kept: What had succeeded before it was begun again.
    """

    began_at: float
    calls: tuple[Made, ...] = ()
    history: tuple[Recorded, ...] = ()
    references: dict[str, StoredDefinition] = {}
    retries: int = 0
    kept: tuple[Kept, ...] = ()


class Progress(Struct, frozen=True, gc=False, omit_defaults=True):
    """What an attempt has said of itself.

    Attributes:
        fraction: How much is done, from 0 to 1; None if it has not said.

        text: What it is at; one short line.

        at: When it said so, in epoch seconds; 0 if it has not.

        deck: Path or URI of its page (`wingbeat.current().deck`); empty if it has made none.
    """

    fraction: float | None = None
    text: str = ""
    at: float = 0.0
    deck: str = ""


class AttemptRequest(Struct, frozen=True, gc=False, omit_defaults=True):
    """Everything that an executor needs to run one attempt.

    Attributes:
        id: ``execution/node/attempt``: the name of every effect that follows.

        task: The task as declared.

        inputs: Values by input name; defaults are filled in already. Large values are references into storage.

        bundle: Digest of the code bundle that holds the function; empty where the code is at hand.

        environment: Digest of the environment lock for tasks that declare none.

        variables: Environment variables to add in the attempt's process.

        checkpoint: ``execution/node`` whose checkpoint the node goes on with: the same node of the execution that this one
            recovers. Empty if there is none. See below.

        replay: For the body of a dynamic workflow, what it is told.

        secrets: Where the attempt finds the values of `TaskSpec.secrets`; None if the task declares none. See below.

    The checkpoint is a folder that every attempt finds in its directory, and may fill. What is in it when the attempt ends,
    however it ends, belongs to the next attempt of the node: an attempt begins with what the latest earlier attempt of its
    node left that ran at all. If none did, it begins with what the last attempt of the node `checkpoint` left, which goes on
    belonging to that one, so it is copied. If that is not there (any more), it begins with nothing, which is no error.
    Attempts of a node are numbered from 0 and never run at the same time. An executor whose attempts leave no local folder
    keeps it in storage under the attempt's id.

    Secrets are looked up where the function is called, and only there (`wingbeat.contracts.secrets`): an executor hands the
    reference on. One whose attempts cannot ask the source, or that keeps what they print itself and so has to know what to mask
    there, looks the values up when the attempt begins and puts them where it finds them: `wingbeat.attempts.PlacedSecrets`, which
    `wingbeat.attempts.write_job` wants. The variables and files that `TaskSpec.secrets` names are seen by that attempt alone.
    Variables of the kernel that begin with ``WINGBEAT_SECRET_`` hold secrets too: no attempt finds one in its environment
    (`wingbeat.attempts.CONTAINED` takes them out). Values are masked in everything that the attempt says: its log, also what
    other programs print to it, its error, its progress, its page.
    """

    id: str
    task: TaskSpec
    inputs: Literals
    bundle: str = ""
    environment: str = ""
    variables: dict[str, str] = {}
    checkpoint: str = ""
    replay: Replay | None = None
    secrets: SourceRef | None = None

    @property
    def declared_environment(self) -> EnvironmentSpec | None:
        """The environment that the task declares."""
        return self.task.environment


class Succeeded(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="outcome", tag="succeeded"):
    """The function returned. `outputs` are inline or offloaded; what they refer to is in storage, durably, already."""

    outputs: Literals
    evidence: dict[str, Any] = {}


class Failed(Struct, frozen=True, tag_field="outcome", tag="failed"):
    """The attempt ended without outputs: the user's error, a crash, or the executor lost it."""

    error: ErrorInfo


class Aborted(Struct, frozen=True, omit_defaults=True, tag_field="outcome", tag="aborted"):
    """The attempt was cancelled and is gone, or will never start. `evidence` is that of its end, if it ran."""

    reason: str = ""
    evidence: dict[str, Any] = {}


class Suspended(Struct, frozen=True, tag_field="outcome", tag="suspended", omit_defaults=True):
    """The body of a dynamic workflow waits, and its process has ended.

    Attributes:
        calls: What it called that it had not called before.

        cancels: Keys of calls that it does not wait for any more.

        wake_at: Epoch seconds at which it goes on though nothing that it called has ended.

        closures: What was called for the first time.
    """

    calls: tuple[Call, ...] = ()
    cancels: tuple[str, ...] = ()
    wake_at: float | None = None
    closures: tuple[Closure, ...] = ()


Outcome = Succeeded | Failed | Aborted | Suspended


class Sink(Protocol):
    """Where an executor reports to. Calls return at once; from the kernel's event loop only: from another thread they raise.

    Duplicate, late and foreign reports are harmless: the engine ignores what does not fit the attempt's state. What is no
    `Outcome`, or cannot be written and read again, is a failure of the executor.
    """

    def running(self, attempt: str, evidence: dict[str, Any] | None = None) -> None:
        """The attempt has begun: user code may be running. `evidence` says where (pid, host, log); it is plain data, and small,
        since it goes into the journal. Called again: after the attempt was adopted, and harmless."""

    def ended(self, attempt: str, outcome: Outcome) -> None:
        """The attempt has ended and nothing of it runs any more: no process of its group, nothing that it started. Called again:
        the first report counts. Not called after `Executor.close`."""

    def progress(self, attempt: str, phase: str, reason: str) -> None:
        """The attempt waits or prepares: ``WAITING_FOR_RESOURCES`` or ``INITIALIZING``, and why. Not durable."""

    def advanced(self, attempt: str, progress: Progress) -> None:
        """How far a running attempt is, when that has changed; at most some ten times a second for each attempt, whatever
        it reports. Not durable: after a restart the executor tells again. When it ends, its evidence (that of `Succeeded`
        or `Aborted`, or of the error) has the last one, as ``progress`` (``fraction``, ``text``, ``at``) and ``deck``."""


class Executor(Protocol):
    """Runs attempts somewhere. Named in configuration; one object for each kernel."""

    @property
    def capabilities(self) -> Capabilities:
        """What this executor can do.

        Called when: a kernel is put together, before `start`, and whenever. Called again: the same answer, for as long as the
        object lives. Raises: nothing. One that raises, or answers with something else, is done without, as one that cannot start.
        """

    async def start(self, sink: Sink) -> None:
        """Get ready to be called: make folders, connect, look for what is needed.

        Called when: the kernel holds the home, before any other call but `capabilities`. Called again: never.
        Raises: `ConfigurationError` if it cannot work here. Tasks for it are refused then, with what it said; only without the
        default executor the kernel does not open. `close` follows all the same.
        """

    async def submit(self, request: AttemptRequest) -> None:
        """Take an attempt: create it unless it exists.

        Called when: the intent is in the journal. Returns when the attempt is accepted, not when it has ended.
        Called again: with the same id after a crash or a lost answer, also before the first call has returned; must not start a
        second one, and must report what became of the first. An executor that does not adopt knows what it was given itself.
        Raises: anything means that it is not known whether the attempt was accepted. The engine calls again, five times in all, and
        for ten minutes while it fails for all; then it cancels the attempt, which counts as failed by the system. What can be
        known of a request to be wrong (no such function, an image that is not there) is better reported: `Failed`, at once.
        Cancelled: as if it had raised.
        """

    async def recover(self, requests: Sequence[AttemptRequest]) -> None:
        """Adopt what an earlier kernel left: for each request, go on reporting it if it runs, report its outcome if it
        ended, run it if it never started, report it lost (`Failed`, kind SYSTEM) if it began and nothing of it is left.

        An executor that does not adopt (`Capabilities.adopts`) reports each of them lost, once what ran of it has ended.

        Called when: after `start`, before any `submit`, with every attempt whose end is not in the journal, if there is one.
        Returns when they are known, not when they have ended. An attempt that was cancelled before is `Aborted`.
        Called again: later, with those of an execution that could not be read by then, and with the same ones when it raised.
        Raises: anything; the engine calls again, with growing pauses, for as long as it takes: nobody else asks for them. Nothing
        is submitted before.
        Cancelled: as if it had raised.
        """

    async def cancel(self, attempt: str, reason: str) -> None:
        """Stop an attempt. Returns when nothing of it runs; its end is reported through the sink (`Aborted`, or how it
        really ended), before or within a minute: then it counts as aborted.

        Called when: an execution is aborted, a node fails fast or times out, an attempt was not taken; also while it starts, and
        for attempts that this object never heard of. Other attempts of the node and the execution go on.
        Called again: fine, at the same time and afterwards.
        Unknown ids: make sure that a late submit of that id does not start, also after a restart if the executor adopts, and
        report `Aborted`. What an earlier kernel left under the id is stopped, though nobody asked to recover it.
        Raises: anything; the engine calls again, with growing pauses, until it returns: the next attempt waits for that.
        Cancelled: the attempt is on its way to its end, or goes on; the call comes again.
        """

    async def list(self) -> list[str]:
        """Ids of the attempts that hold resources now, for the reaper: those that run or prepare to, also what an earlier kernel
        left and nobody recovered, if the executor adopts. Not those that only wait for their turn.

        Called when: whenever, after `start`. Called again: what is true then. Raises: anything; nothing follows from it.
        """

    async def close(self) -> None:
        """Let go of everything that belongs to this kernel: tasks, connections, descriptors. What runs goes on, if the executor
        adopts; else it is stopped. Nothing is reported any more.

        Called when: last, once; also without a `start`, or after one that raised. Does not wait for attempts to end.
        Raises: nothing that it can help.
        """


@runtime_checkable
class Immediate(Protocol):
    """What an executor can do besides that takes most attempts without waiting for anything, as one within the process does."""

    def submit_nowait(self, request: AttemptRequest) -> bool:
        """As `Executor.submit`, here and now; False if that cannot be, and `submit` has to be called.

        Called when: in place of `submit`, if no other attempt waits for its turn. Called again, raises: as `submit`. What takes
        longer than a moment holds up the kernel. One that says True for ever, and reports ends from within, leaves nobody else a
        turn: say False now and then.
        """


__all__ = [
    "Aborted", "AttemptRequest", "Call", "Capabilities", "ErrorInfo", "Executor", "Failed", "Immediate", "Kept", "Made",
    "Outcome", "Progress", "Recorded", "Replay", "Sink", "Succeeded", "Suspended",
]  # fmt: skip
