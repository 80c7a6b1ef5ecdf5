"""Maps: a call for each item of lists of equal length.

As Flyte does: a map fails as soon as too many items have failed for the wanted number of successes, and succeeds only when no
item is under way any more. Of an item that has ended a byte and its outputs are kept.

A map over what other maps give is fed by them: it begins when they have, and each of its items when theirs have ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from wingbeat.base.units import counted
from wingbeat.machine import scopes
from wingbeat.machine.effect import LaunchChild, Load, Lookup
from wingbeat.machine.fact import CancelDecided, Expanded, ItemsDue, NodeSucceeded, Started
from wingbeat.machine.graph import item_address, item_of, node_of
from wingbeat.machine.state import PHASES, MapState, NodeState
from wingbeat.machine.takeover import take_over
from wingbeat.spec.literal import Inline, Literal, LiteralList, Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import NodePhase
from wingbeat.spec.plan import MapKind
from wingbeat.types import ValueMismatch

if TYPE_CHECKING:
    from wingbeat.machine.step import Machine

WINDOW = 2000
"""How many items are under way at once where the author sets no bound: enough for any executor, and few enough to hold."""


def bound(kind: MapKind) -> int:
    """How many items of a map are under way at once, at most."""
    return kind.spec.concurrency or WINDOW


class Fed(Sequence[Any]):
    """The output of a map that may be under way, as a list: asked only for items that have ended."""

    def __init__(self, node: NodeState, mapping: MapState, output: str) -> None:
        self._node, self._mapping, self._output = node, mapping, output

    def __len__(self) -> int:
        return self._mapping.total

    def __getitem__(self, item: Any) -> Any:
        if self._node.outputs is not None:
            whole = self._node.outputs[self._output]
            assert isinstance(whole, Inline | LiteralList)
            return whole.value[item] if isinstance(whole, Inline) else whole.items[item]
        value = self._mapping.outputs[self._output][item]
        return Inline(None) if value is None else value


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
        told = ", ".join(f"{name} has {counted(count, 'item')}" for name, count in counts.items())
        m.end(
            number,
            NodePhase.FAILED,
            ErrorInfo("InvalidArrayLength", f"The lists differ in length: {told}.", retryable=False),
            at,
        )
        return
    total = next(iter(counts.values()))
    if kind.spec.needed(total) > total:
        message = f"At least {counted(kind.spec.needed(total), 'item')} must succeed, and the lists have {counted(total, 'item')}."
        m.end(number, NodePhase.FAILED, ErrorInfo("TooFewItems", message, retryable=False), at)
        return
    m.say(Expanded(number, at, total))
    _go_on(m, number, at)
    base = m.graph.base_of(number)
    m.follow(m.graph.scope_of(number), [base + d for d in kind.feeds if early(m, base + d)], at)


def early(m: Machine, number: int) -> bool:
    """Whether a node that still waits for others may begin: a map that waits for nothing but maps that feed it and have begun."""
    kind, node = m.graph.nodes[number].kind, m.state.nodes[number]
    if not isinstance(kind, MapKind) or not kind.fed or node.phase is not NodePhase.NOT_STARTED:
        return False
    under_way = {f for f in _feeders(m, number) if not m.state.nodes[f].phase.success}
    if len(under_way) != m.state.waits[number] or not all(f in m.state.maps and goes_on(m, f) for f in under_way):
        return False
    try:
        return ready(m, number)  # what is stored is read when all of it is there
    except ValueMismatch:
        return False  # so it is told when it starts


def _feeders(m: Machine, number: int) -> list[int]:
    """The maps that feed a map."""
    base, kind = m.graph.base_of(number), m.graph.nodes[number].kind
    assert isinstance(kind, MapKind)
    return [base + feeder for feeder, _ in kind.fed.values()]


def ready(m: Machine, number: int) -> bool:
    """Whether what the map goes over is at hand; what is stored has to be loaded first. Raises ValueMismatch."""
    if number in m.mapped:
        return True
    kind = m.graph.nodes[number].kind
    assert isinstance(kind, MapKind)
    base, state = m.graph.base_of(number), m.state
    lists: dict[str, Sequence[Any]] = {
        name: Fed(state.nodes[base + feeder], state.maps[base + feeder], output)
        for name, (feeder, output) in kind.fed.items()
        if not state.nodes[base + feeder].phase.success
    }
    values = m.values(number, without=lists)
    loaded = m.loaded.get(number, {})
    for name in kind.spec.over:
        if name in lists:
            continue
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
    if number not in m.mapped and not ready(m, number):
        raise AssertionError("the lists of a map were not loaded")
    return m.mapped[number].item(item_of(address))


def goes_on(m: Machine, number: int) -> bool:
    """Whether the map still starts items."""
    return not m.state.nodes[number].stop and m.running(number)


def item_ended(m: Machine, address: int, at: float) -> None:
    """An item has ended."""
    number = node_of(address)
    kind = m.graph.nodes[number].kind
    assert isinstance(kind, MapKind)
    mapping = m.state.maps[number]
    if mapping.failed and goes_on(m, number) and mapping.total - mapping.failed < kind.spec.needed(mapping.total):
        m.say(CancelDecided(number, -1, at, "failing", "too many items failed"))
        _stop_items(m, number, "failing", f"item {mapping.first_failed} failed", at)
        feeder_lost(m, number, at)
    _go_on(m, number, at)
    for downstream in _fed_by(m, number) if kind.feeds and goes_on(m, number) else ():
        if _has(m, downstream, item_of(address)):
            if (due := m.due.get(downstream)) is not None:  # else it is found when it is looked for
                due.append(item_of(address))
            m.feed(downstream, "", at)


def joined(m: Machine, number: int, at: float) -> None:
    """Everything that a map waits for has succeeded while it was under way."""
    _go_on(m, number, at)


def feeder_lost(m: Machine, number: int, at: float) -> None:
    """A map ends without outputs: those that it feeds stop."""
    for downstream in _fed_by(m, number):
        m.feed(downstream, f"node {m.graph.id(number)} failed", at)


def go_on(m: Machine, number: int, lost: str, at: float) -> None:
    """Go on with a map that has been fed; or stop it, with the reason why it will not be any more."""
    if m.state.nodes[number].phase.terminal:
        return
    if lost:
        stop(m, number, "failing", lost, at)
    else:
        _go_on(m, number, at)


def _fed_by(m: Machine, number: int) -> list[int]:
    """The maps that are under way and fed by this one."""
    base, state, kind = m.graph.base_of(number), m.state, m.graph.nodes[number].kind
    assert isinstance(kind, MapKind)
    return [base + d for d in kind.feeds if base + d in state.maps and not state.nodes[base + d].phase.terminal]


def _has(m: Machine, number: int, item: int) -> bool:
    """Whether every map that feeds this one has given what one of its items takes."""
    state = m.state
    for feeder in _feeders(m, number):
        if state.nodes[feeder].phase.success:
            continue
        phase, above = PHASES[state.maps[feeder].phases[item]], m.graph.nodes[feeder].kind
        assert isinstance(above, MapKind)
        if not phase.success and not (above.spec.tolerant and phase.terminal and phase is not NodePhase.ABORTED):
            return False
    return True


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
            if m.state.waits[number]:
                return  # the maps that feed it are about to succeed
            _forget(m, number)
            m.say(NodeSucceeded(number, at, {}))
            m.succeeded(number, at)
            return
    if mapping.live or mapping.retrying:
        return
    kind = m.graph.nodes[number].kind
    assert isinstance(kind, MapKind)
    _forget(m, number)
    if mapping.total - mapping.failed < kind.spec.needed(mapping.total):
        m.end(number, NodePhase.FAILED, _failure(mapping, kind), at)
    else:
        m.end(number, NodePhase.ABORTED, None, at, node.reason)


def _forget(m: Machine, number: int) -> None:
    m.mapped.pop(number, None)
    m.due.pop(number, None)


def _failure(mapping: MapState, kind: MapKind) -> ErrorInfo:
    error = mapping.first_error or ErrorInfo("MapFailed", "unknown")
    wanted = kind.spec.needed(mapping.total)
    more = "" if wanted == mapping.total else f" ({mapping.failed} of {mapping.total} failed, {wanted} had to succeed)"
    return ErrorInfo(
        error.code, f"item {mapping.first_failed}: {error.message}{more}", error.kind, error.retryable,
        trace=error.trace, evidence=error.evidence, node=error.node,
    )  # fmt: skip


def _fill(m: Machine, number: int, mapping: MapState, at: float) -> None:
    """Start as many items as may be under way."""
    kind = m.graph.nodes[number].kind
    assert isinstance(kind, MapKind)
    room = bound(kind)
    task = m.graph.task(number)
    cached = task is not None and task.cache is not None
    while mapping.upto < mapping.total and mapping.active < room:
        item = _next_due(m, number, mapping) if kind.fed else mapping.upto
        if item is None:
            return
        address = item_address(number, item)
        if m.state.reusable and take_over(m, address, at):
            continue
        if cached:
            single = kind.fed or m.state.reusable
            upto = item + 1 if single else min(mapping.total, item + room - mapping.active)
            m.say(ItemsDue(number, upto, item if kind.fed else -1))
            for due in range(item, upto):
                m.ask(Lookup(item_address(number, due)))
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


def _next_due(m: Machine, number: int, mapping: MapState) -> int | None:
    """An item that has been fed and was not started yet."""
    due = m.due.get(number)
    if due is None:  # it has just begun, or the machine was put together again
        due = m.due[number] = deque(item for item in range(mapping.total) if _has(m, number, item))
    while due:
        item = due.popleft()
        address = item_address(number, item)
        if not mapping.phases[item] and address not in mapping.looking and address not in m.state.items:
            return item
    return None
