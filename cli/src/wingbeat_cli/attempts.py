"""Which attempt people mean by a number.

The engine numbers the turns of a dynamic workflow's body as it does attempts. To people, and to `wingbeat.current().attempt`, the
number of an attempt is how often it was tried before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wingbeat.contracts.engine import NodeView


def told(node: NodeView, number: int) -> int:
    """How the attempt, or the turn, that the engine gave `number` is told."""
    return sum(each.number < number for each in node.attempts) if node.attempts else number


def meant(node: NodeView, numbers: Iterable[int], attempt: int | None) -> list[int]:
    """The last of those of the engine's `numbers` that are told as `attempt`; all of them for None."""
    return list(numbers) if attempt is None else [number for number in numbers if told(node, number) == attempt][-1:]
