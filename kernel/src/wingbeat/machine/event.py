"""Events: the closed set of what can happen to an execution from outside. Time arrives in them, as epoch seconds."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from wingbeat.machine.fact import Left, Reusable
from wingbeat.spec.entities import ConcurrencySpec
from wingbeat.spec.literal import Literal, Literals
from wingbeat.spec.outcome import ErrorInfo


class Launched(Struct, frozen=True, gc=False):
    """The execution may begin.

    Attributes:
        recovered: Outputs of nodes taken over from the execution `source`.

        reusable: What else of it may be taken over: of nodes that are not there yet, by id.

        left: By id, nodes that may have left a checkpoint in it.

        moved: By id, what nodes of the workflow are called in it, if otherwise; empty if they stand for none of it.

        queued: It may not begin yet, but when it is `Admitted`: the limit for which it waits.
    """

    at: float
    seed: int
    recovered: dict[int, Literals] = {}
    source: str = ""
    reusable: dict[str, Reusable] = {}
    left: dict[str, Left] = {}
    moved: dict[str, str] = {}
    queued: ConcurrencySpec | None = None


class Admitted(Struct, frozen=True, gc=False):
    """The execution, which waited for its turn, may begin."""

    at: float


class CacheHit(Struct, frozen=True, gc=False):
    """The catalog has the outputs, and they are whole."""

    at: float
    node: int
    outputs: Literals
    source: str


class CacheMissed(Struct, frozen=True, gc=False):
    """The outputs must be computed; `status` is MISS, DISABLED or LOOKUP_FAILURE. `publish`: they are wanted afterwards."""

    at: float
    node: int
    status: str
    reason: str
    publish: bool


class CacheHeld(Struct, frozen=True, gc=False):
    """Somebody else is computing the outputs; look again at `again_at`."""

    at: float
    node: int
    holder: str
    again_at: float


class CacheStored(Struct, frozen=True, gc=False):
    """A publication ended: `status` is POPULATED or PUT_FAILURE."""

    at: float
    node: int
    status: str
    reason: str


class SlotsFree(Struct, frozen=True, gc=False):
    """There is room for an attempt in its pool, which is kept for it."""

    at: float
    node: int
    attempt: int


class AttemptRunning(Struct, frozen=True, gc=False):
    """User code of an attempt may be running."""

    at: float
    node: int
    attempt: int
    evidence: dict[str, Any] | None = None


class AttemptSucceeded(Struct, frozen=True, gc=False):
    """An attempt returned."""

    at: float
    node: int
    attempt: int
    outputs: Literals
    evidence: dict[str, Any] | None = None


class AttemptFailed(Struct, frozen=True, gc=False):
    """An attempt ended without outputs."""

    at: float
    node: int
    attempt: int
    error: ErrorInfo


class AttemptAborted(Struct, frozen=True, gc=False):
    """An attempt was stopped, or will never start."""

    at: float
    node: int
    attempt: int
    reason: str = ""
    evidence: dict[str, Any] = {}


class TimerFired(Struct, frozen=True, gc=False):
    """A timer that was set by an effect has come due."""

    at: float
    kind: str
    node: int
    attempt: int


class AbortAsked(Struct, frozen=True, gc=False):
    """Somebody wants the execution to stop; or it is not to begin at all, because of `error`."""

    at: float
    reason: str
    error: ErrorInfo | None = None


class Called(Struct, frozen=True, gc=False):
    """The body of a dynamic workflow called something: the closure of that digest, with these inputs."""

    key: str
    template: str
    inputs: Literals


class AttemptSuspended(Struct, frozen=True, gc=False):
    """The body of a dynamic workflow waits. `cancels`: keys of calls that it no longer wants."""

    at: float
    node: int
    attempt: int
    calls: tuple[Called, ...] = ()
    cancels: tuple[str, ...] = ()
    wake_at: float | None = None


class Loaded(Struct, frozen=True, gc=False):
    """Stored values that a node needs to be decided upon, by input, in wire form; or why they cannot be read."""

    at: float
    node: int
    values: dict[str, Any]
    error: ErrorInfo | None = None


class Signalled(Struct, frozen=True, gc=False):
    """Somebody answers a gate, by its name or its node's id; the value is of its type. `id` tells a repetition."""

    at: float
    name: str
    value: Literal
    id: str


class ChildEnded(Struct, frozen=True, gc=False):
    """A child execution has ended; without `error`, successfully. `source` is its id."""

    at: float
    node: int
    outputs: Literals
    source: str = ""
    error: ErrorInfo | None = None
    aborted: bool = False


Event = (
    Launched
    | Admitted
    | CacheHit
    | CacheMissed
    | CacheHeld
    | CacheStored
    | SlotsFree
    | AttemptRunning
    | AttemptSucceeded
    | AttemptFailed
    | AttemptAborted
    | TimerFired
    | AbortAsked
    | AttemptSuspended
    | Loaded
    | Signalled
    | ChildEnded
)
