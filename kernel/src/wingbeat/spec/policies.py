"""Policies of tasks and workflows: what they may use, how often they are tried, for how long, how many at once."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from wingbeat.types.model import Strict


class RetrySpec(Strict, frozen=True, omit_defaults=True):
    """How user errors are retried: `count` times, the n-th after ``delay_s * factor**n``, at most `delay_s_max`.

    `jitter` is the share of the delay that is random. `on` names error codes that are retried; empty means every one.
    """

    count: int = 0
    delay_s: float = 0.0
    factor: float = 2.0
    delay_s_max: float = 300.0
    jitter: float = 0.1
    on: tuple[str, ...] = ()


class TimeoutSpec(Strict, frozen=True, omit_defaults=True):
    """Bounds in seconds: one attempt's run, one attempt's wait for its start, and all attempts together. None is no bound."""

    run_s: float | None = None
    queue_s: float | None = None
    total_s: float | None = None


class CacheSpec(Strict, frozen=True, omit_defaults=True):
    """That the outputs may be reused for equal inputs.

    Attributes:
        version: Part of the key: what the author gave, or derived from the code.

        derived: Whether `version` was derived from the code.

        ignore: Inputs that are not part of the key.

        serialize: Run the same work once when it is asked for twice at the same time.

        ttl_s: Seconds after which an entry counts as missing. None keeps it.
    """

    version: str
    derived: bool = False
    ignore: tuple[str, ...] = ()
    serialize: bool = True
    ttl_s: float | None = None


class ResourceSpec(Strict, frozen=True, omit_defaults=True):
    """What an attempt may use: cores, bytes of memory. None leaves it to the executor."""

    cpu: float | None = None
    memory_bytes: int | None = None


class PoolSpec(Strict, frozen=True, omit_defaults=True):
    """Slots that an attempt holds while it is under way: `weight` of the pool `name`. Higher `priority` comes first."""

    name: str
    weight: int = 1
    priority: int = 0


class ConcurrencySpec(Strict, frozen=True, omit_defaults=True):
    """How many executions may be under way at once, and what becomes of one that would be one too many.

    Attributes:
        name: Whose limit it is: all executions that are launched under this name count together.

        limit: So many of them.

        on_limit: ``queue`` has it wait for its turn, ``skip`` ends it at once, ``replace`` stops the oldest one in its favour,
            ``fail`` refuses the launch.

        priority: Of those that wait, higher comes first.
    """

    name: Annotated[str, Meta(min_length=1)]
    limit: Annotated[int, Meta(ge=1)] = 1
    on_limit: Literal["queue", "skip", "replace", "fail"] = "queue"
    priority: int = 0
