"""Maps: a call for each item of lists of equal length.

As Flyte does: a map fails as soon as too many items have failed for the wanted number of successes, and succeeds only when no
item is under way any more. Of an item that has ended a byte and its outputs are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from wingbeat.machine import scopes
from wingbeat.machine.effect import LaunchChild, Load, Lookup
from wingbeat.machine.fact import CancelDecided, Expanded, ItemsDue, NodeSucceeded, Started
from wingbeat.machine.graph import item_address, item_of, node_of
from wingbeat.machine.state import MapState
from wingbeat.spec.literal import Inline, Literal, LiteralList, Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import NodePhase
from wingbeat.spec.plan import MapKind

if TYPE_CHECKING:
    from wingbeat.machine.step import Machine

WINDOW = 2000
"""How many items are under way at once where the author sets no bound: enough for any executor, and few enough to hold."""


class Mapped(Struct):
    """What a map goes over: the inputs that are the same in every call, and the lists."""

    constants: Literals
    lists: dict[str, Sequence[Any]]

    def item(self, i: int) -> Literals:
        """The inputs of an item."""
        values = dict(self.constants)
        for name, items in self.lists.items():
            value = items[i]
            values[name] = value if isinstance(value, Literal) else Inline(value)
        return values


def start(m: Machine, number: int, kind: MapKind, at: float) -> None:
    """Find out how many items there are, and start the first ones."""
    if not ready(m, number):
        m.ask(Load(number))
        return
    counts = {name: len(items) for name, items in m.mapped[number].lists.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} has {count} items" for name, count in counts.items())
        m.end(
            number,
            NodePhase.FAILED,
            ErrorInfo("InvalidArrayLength", f"The lists differ in length: {told}.", retryable=False),
            at,
        )
        return
    total = next(iter(counts.values()))
    if kind.spec.needed(total) > total:
        message = f"{kind.spec.needed(total)} items have to succeed, and there are {total}."
        m.end(number, NodePhase.FAILED, ErrorInfo("TooFewItems", message, retryable=False), at)
        return
    m.say(Expanded(number, at, total))
    _go_on(m, number, at)


def ready(m: Machine, number: int) -> bool:
    """Whether what the map goes over is at hand; what is stored has to be loaded first. Raises ValueMismatch."""
    if number in m.mapped:
        return True
    kind = m.graph.nodes[number].kind
    assert isinstance(kind, MapKind)
    values = m.values(number)
    loaded, lists = m.loaded.get(number, {}), {}
    for name in kind.spec.over:
        value = values.pop(name)
        if isinstance(value, Inline):
            lists[name] = value.value
        elif isinstance(value, LiteralList):
            lists[name] = value.items
        elif name in loaded:
            lists[name] = loaded[name]
        else:
            return False
    m.loaded.pop(number, None)
    m.mapped[number] = Mapped(values, lists)
    return True


def item_values(m: Machine, address: int) -> Literals:
    """The inputs of an item."""
    number = node_of(address)
    assert ready(m, number), "the lists of a map were not loaded"
    return m.mapped[number].item(item_of(address))


def goes_on(m: Machine, number: int) -> bool:
    """Whether the map still starts items."""
    return not m.state.nodes[number].stop and m.running(number)


def item_ended(m: Machine, number: int, at: float) -> None:
    """An item has ended."""
    kind = m.graph.nodes[number].kind
    assert isinstance(kind, MapKind)
    mapping = m.state.maps[number]
    if goes_on(m, number) and mapping.total - mapping.failed < kind.spec.needed(mapping.total):
        m.say(CancelDecided(number, -1, at, "failing", "too many items failed"))
        _stop_items(m, number, "failing", f"item {mapping.first_failed} failed", at)
    _go_on(m, number, at)


def stop(m: Machine, number: int, cause: str, reason: str, at: float) -> None:
    """Have a map end. It may end in this call."""
    if not m.state.nodes[number].stop:
        m.say(CancelDecided(number, -1, at, cause, reason))
    _stop_items(m, number, cause, reason, at)
    _go_on(m, number, at)


def _stop_items(m: Machine, number: int, cause: str, reason: str, at: float) -> None:
    mapping = m.state.maps[number]
    for address in sorted(mapping.retrying | mapping.live):
        if address in mapping.retrying or address in mapping.live:
            m.stop(address, cause, reason, at)


def _go_on(m: Machine, number: int, at: float) -> None:
    """Start further items, or end."""
    node, mapping = m.state.nodes[number], m.state.maps[number]
    if node.phase.terminal:
        return
    if goes_on(m, number):
        if number in m.filling:
            return  # an item has ended at once: who starts the items goes on
        m.filling.add(number)
        try:
            _fill(m, number, mapping, at)
        finally:
            m.filling.discard(number)
        if m.state.nodes[number].phase.terminal or mapping.upto < mapping.total or mapping.active:
            return  # items that end at once may have ended the map meanwhile
        if goes_on(m, number):
            m.mapped.pop(number, None)
            m.say(NodeSucceeded(number, at, {}))
            m.succeeded(number, at)
            return
    if mapping.live or mapping.retrying:
        return
    kind = m.graph.nodes[number].kind
    assert isinstance(kind, MapKind)
    m.mapped.pop(number, None)
    if mapping.total - mapping.failed < kind.spec.needed(mapping.total):
        m.end(number, NodePhase.FAILED, _failure(mapping, kind), at)
    else:
        m.end(number, NodePhase.ABORTED, None, at, node.reason)


def _failure(mapping: MapState, kind: MapKind) -> ErrorInfo:
    error = mapping.first_error or ErrorInfo("MapFailed", "unknown")
    wanted = kind.spec.needed(mapping.total)
    more = "" if wanted == mapping.total else f" ({mapping.failed} of {mapping.total} failed, {wanted} had to succeed)"
    return ErrorInfo(
        error.code, f"item {mapping.first_failed}: {error.message}{more}", error.kind, retryable=False,
        trace=error.trace, evidence=error.evidence, node=error.node,
    )  # fmt: skip


def _fill(m: Machine, number: int, mapping: MapState, at: float) -> None:
    """Start as many items as may be under way."""
    kind = m.graph.nodes[number].kind
    assert isinstance(kind, MapKind)
    room = kind.spec.concurrency or WINDOW
    task = m.graph.task(number)
    cached = task is not None and task.cache is not None
    while mapping.upto < mapping.total and mapping.active < room:
        address = item_address(number, mapping.upto)
        if m.state.reusable and m.take_over(address, at):
            continue
        if cached:
            upto = min(mapping.total, mapping.upto + (1 if m.state.reusable else room - mapping.active))
            first = mapping.upto
            m.say(ItemsDue(number, upto))
            for item in range(first, upto):
                m.ask(Lookup(item_address(number, item)))
        elif task is not None:
            m.queue(address, at, publish=False)
            if task.formulas and not goes_on(m, number):  # one of them gave nothing
                return
        elif kind.plan is not None:
            scopes.open_for(m, address, kind.plan, item_values(m, address), at)
            if not goes_on(m, number):  # it has failed already
                return
        else:
            m.say(Started(address, at))
            m.ask(LaunchChild(address))
