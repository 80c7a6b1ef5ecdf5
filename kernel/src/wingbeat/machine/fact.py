"""Facts: what became true. They are journaled; folding them gives the state. A fact never changes its meaning, and a field
that is added later has a default, because journals outlive versions. Nodes are named by their number in the plan."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.spec.literal import Literals
from wingbeat.spec.outcome import ErrorInfo


class Began(Struct, frozen=True, gc=False, array_like=True, tag=0):
    """The execution began; `seed` is where its jitter comes from."""

    at: float
    seed: int


class AttemptQueued(Struct, frozen=True, gc=False, array_like=True, tag=1):
    """An attempt is to be made: the intent to submit it. `publish`: its outputs go to the catalog."""

    node: int
    attempt: int
    at: float
    publish: bool = False


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
    """The node has outputs: computed by an attempt, from the catalog (`cache` HIT), or recovered."""

    node: int
    at: float
    outputs: Literals
    attempt: int = -1
    cache: str = ""
    source: str = ""
    evidence: dict[str, Any] | None = None


class NodeEnded(Struct, frozen=True, gc=False, array_like=True, tag=5):
    """The node ended without outputs and without an attempt being at work: ABORTED, SKIPPED or TIMED_OUT."""

    node: int
    phase: str
    at: float
    reason: str


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
    """The execution entered a phase."""

    phase: str
    at: float
    reason: str = ""
    error: ErrorInfo | None = None
    outputs: Literals | None = None


Fact = (
    Began
    | AttemptQueued
    | AttemptStarted
    | AttemptLost
    | NodeSucceeded
    | NodeEnded
    | CacheSaid
    | CancelDecided
    | Turned
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Fact])


def encode_facts(facts: list[Fact]) -> bytes:
    """As a row of the journal."""
    return _encoder.encode(facts)


def decode_facts(data: bytes) -> list[Fact]:
    """From a row of the journal. Raises msgspec.ValidationError for a fact of an unknown kind."""
    return _decoder.decode(data)
