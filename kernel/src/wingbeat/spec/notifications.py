"""Who is told what becomes of an execution. A spec names channels; what they are is said where it is deployed."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wingbeat.spec.phase import ExecutionPhase
from wingbeat.types.model import Strict

CHANNEL = r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$(?!\n)"
"""What a channel may be called."""
RULES_MAX = 20
"""So many rules a launch plan may have."""

ChannelName = Annotated[str, Meta(pattern=CHANNEL)]


class NotifySpec(Strict, frozen=True, omit_defaults=True):
    """A channel that is told of an execution.

    Attributes:
        to: Name of the channel.

        on: It is told when the execution comes into one of these phases.

        after_s: It is told when the execution has not ended so many seconds after its launch.
    """

    to: ChannelName
    on: tuple[ExecutionPhase, ...] = ()
    after_s: Annotated[float, Meta(gt=0)] | None = None
