"""Facts: what became true. They are journaled; folding them gives the state. A fact never changes its meaning, and a field
that is added later has a default, because journals outlive versions. Nodes are named by their number in the plan."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.spec.chosen import Chosen
from wingbeat.spec.entities import ConcurrencySpec
from wingbeat.spec.literal import Literal, Literals
from wingbeat.spec.outcome import ErrorInfo


class Reusable(Struct, frozen=True, gc=False, array_like=True):
    """What a node gave in another execution, to be taken over where its task and its inputs are the same."""

    identity: str
    inputs: Literals
    outputs: Literals


class Left(Struct, frozen=True, gc=False, array_like=True):
    """A node of another execution that was attempted and did not succeed: its checkpoint is gone on with by the node that stands
    for it, if its task has the same name and its inputs the same digest. `node` is its id there, if that is another."""

    execution: str
    task: str
    inputs: str
    node: str = ""


class Began(Struct, frozen=True, gc=False, array_like=True, tag=0):
    """The execution began; `seed` is where its jitter comes from. `reusable`: by id of nodes that are not there yet, what the
    execution `source` had of them. `left`: by id, nodes whose checkpoints are gone on with. `moved`: by id of nodes of the
    workflow, what those that they stand for are called in `source`, where that is another id; empty where they stand for none."""

    at: float
    seed: int
    reusable: dict[str, Reusable] = {}
    source: str = ""
    left: dict[str, Left] = {}
    moved: dict[str, str] = {}


class AttemptQueued(Struct, frozen=True, gc=False, array_like=True, tag=1):
    """An attempt is to be made: the intent to submit it. `publish`: its outputs go to the catalog. `chosen`: what the formulas of
    its task gave."""

    node: int
    attempt: int
    at: float
    publish: bool = False
    chosen: Chosen | None = None


class Granted(Struct, frozen=True, gc=False, array_like=True, tag=19):
    """The attempt has its slots of a pool: from now on it may be at its executor."""

    node: int
    attempt: int
    at: float


class AttemptStarted(Struct, frozen=True, gc=False, array_like=True, tag=2):
    """User code of the attempt may be running."""

    node: int
    attempt: int
    at: float
    evidence: dict[str, Any] | None = None


class AttemptLost(Struct, frozen=True, gc=False, array_like=True, tag=3):
    """The attempt failed or was stopped; with `retry_at` there will be another, else the node has failed.

    `system` says whose budget it counted against.
    """

    node: int
    attempt: int
    at: float
    error: ErrorInfo
    retry_at: float | None
    system: bool
    phase: str = ""
    """Terminal phase of the node where there is no other attempt: FAILED, ABORTED or TIMED_OUT."""


class NodeSucceeded(Struct, frozen=True, gc=False, array_like=True, tag=4):
    """The node has outputs: computed by an attempt, from the catalog (`cache` HIT), or recovered from the execution `source`, where
    they are those of the node `taken` if that is another."""

    node: int
    at: float
    outputs: Literals
    attempt: int = -1
    cache: str = ""
    source: str = ""
    evidence: dict[str, Any] | None = None
    taken: str = ""


class NodeEnded(Struct, frozen=True, gc=False, array_like=True, tag=5):
    """The node ended without outputs and without an attempt being at work: ABORTED, SKIPPED or TIMED_OUT."""

    node: int
    phase: str
    at: float
    reason: str
    error: ErrorInfo | None = None
    """Where it failed."""


class CacheSaid(Struct, frozen=True, gc=False, array_like=True, tag=6):
    """What the catalog had to do with a node: MISS, DISABLED, LOOKUP_FAILURE before; POPULATED, PUT_FAILURE after."""

    node: int
    status: str
    reason: str


class CancelDecided(Struct, frozen=True, gc=False, array_like=True, tag=7):
    """The attempt is to be stopped: the intent to cancel it. `cause` is run, queue, total, failing or abort."""

    node: int
    attempt: int
    at: float
    cause: str
    reason: str


class Turned(Struct, frozen=True, gc=False, array_like=True, tag=8):
    """The execution, or one of its scopes, entered a phase."""

    phase: str
    at: float
    reason: str = ""
    error: ErrorInfo | None = None
    outputs: Literals | None = None
    scope: int = 0


class Started(Struct, frozen=True, gc=False, array_like=True, tag=9):
    """A node that holds no process is under way: a gate waits, a child execution is to be launched."""

    node: int
    at: float


class Expanded(Struct, frozen=True, gc=False, array_like=True, tag=10):
    """A map is under way; it has `count` items."""

    node: int
    at: float
    count: int


class ItemsDue(Struct, frozen=True, gc=False, array_like=True, tag=11):
    """All items of a map below `upto` may start; of one that others feed, those from `first` on."""

    node: int
    upto: int
    first: int = -1


class Chose(Struct, frozen=True, gc=False, array_like=True, tag=12):
    """A branch takes an arm; the nodes of the others are skipped."""

    node: int
    arm: int
    at: float


class Opened(Struct, frozen=True, gc=False, array_like=True, tag=13):
    """A scope was opened: the nodes of a plan are part of the execution now.

    Attributes:
        parent: Node or item that it runs for; -1 for a failure handler.

        key: For what a dynamic workflow called, the call's key.

        template: Digest of the closure that was called; empty where the parent says what runs.

        inputs: Its inputs.

        handler_of: The scope whose failure it handles.
    """

    parent: int
    at: float
    inputs: Literals
    key: str = ""
    template: str = ""
    handler_of: int = -1


class Suspended(Struct, frozen=True, gc=False, array_like=True, tag=14):
    """The body of a dynamic workflow waits; its process has ended. `wake_at`: when it goes on by itself."""

    node: int
    attempt: int
    at: float
    wake_at: float | None = None


class BodyEnded(Struct, frozen=True, gc=False, array_like=True, tag=15):
    """The body of a dynamic workflow has returned or failed while some of its calls are under way; they are stopped."""

    node: int
    at: float
    outputs: Literals | None = None
    error: ErrorInfo | None = None
    evidence: dict[str, Any] | None = None


class Woke(Struct, frozen=True, gc=False, array_like=True, tag=17):
    """The time has come for which the body of a dynamic workflow waited."""

    node: int
    at: float


class Lined(Struct, frozen=True, gc=False, array_like=True, tag=18):
    """The execution waits for its turn under a limit. The rest is what it will have begun with."""

    at: float
    limit: ConcurrencySpec
    seed: int
    recovered: dict[int, Literals] = {}
    reusable: dict[str, Reusable] = {}
    source: str = ""
    left: dict[str, Left] = {}
    moved: dict[str, str] = {}


class SignalKept(Struct, frozen=True, gc=False, array_like=True, tag=16):
    """A signal came. It is kept until a gate takes it."""

    name: str
    value: Literal
    at: float
    id: str


Fact = (
    Began
    | AttemptQueued
    | Granted
    | AttemptStarted
    | AttemptLost
    | NodeSucceeded
    | NodeEnded
    | CacheSaid
    | CancelDecided
    | Turned
    | Started
    | Expanded
    | ItemsDue
    | Chose
    | Opened
    | Suspended
    | BodyEnded
    | SignalKept
    | Woke
    | Lined
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Fact])


def encode_facts(facts: list[Fact]) -> bytes:
    """As a row of the journal."""
    return _encoder.encode(facts)


def decode_facts(data: bytes) -> list[Fact]:
    """From a row of the journal. Raises msgspec.ValidationError for a fact of an unknown kind."""
    return _decoder.decode(data)
