"""Effects: the closed set of what the machine wants done. Each is named by execution, node and attempt, so doing one again
is harmless. An effect may be performed once the facts that were decided with it are durable; those that only ask need not
wait (`asks`)."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class Lookup(Struct, frozen=True, gc=False):
    """Ask the catalog for a node's outputs, or for the right to compute them."""

    asks: ClassVar[bool] = True
    node: int


class Submit(Struct, frozen=True, gc=False):
    """Give an attempt to its executor."""

    asks: ClassVar[bool] = False
    node: int
    attempt: int


class Cancel(Struct, frozen=True, gc=False):
    """Stop an attempt; its end is awaited."""

    asks: ClassVar[bool] = False
    node: int
    attempt: int
    reason: str


class SetTimer(Struct, frozen=True, gc=False):
    """Send `TimerFired` with these values at `due` (epoch seconds)."""

    asks: ClassVar[bool] = True
    due: float
    kind: str
    node: int = -1
    attempt: int = -1


class Publish(Struct, frozen=True, gc=False):
    """Store a node's outputs in the catalog."""

    asks: ClassVar[bool] = False
    node: int


class Release(Struct, frozen=True, gc=False):
    """Give back the right to compute a node's outputs; there will be none."""

    asks: ClassVar[bool] = False
    node: int


class Finish(Struct, frozen=True, gc=False):
    """The execution is over; nothing more will be asked for."""

    asks: ClassVar[bool] = False


class Load(Struct, frozen=True, gc=False):
    """Read the stored lists that a map goes over."""

    asks: ClassVar[bool] = True
    node: int


class LaunchChild(Struct, frozen=True, gc=False):
    """Launch an execution for a node or item, under a name made of both; its end is awaited."""

    asks: ClassVar[bool] = False
    node: int


class CancelChild(Struct, frozen=True, gc=False):
    """Abort that execution; its end is awaited. `again`: also if it is being aborted, so that what cleans up there stops, too."""

    asks: ClassVar[bool] = False
    node: int
    reason: str
    again: bool = False


Effect = Lookup | Submit | Cancel | SetTimer | Publish | Release | Finish | Load | LaunchChild | CancelChild
