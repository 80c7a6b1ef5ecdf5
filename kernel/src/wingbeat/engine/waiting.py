"""Why nodes do not run, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from wingbeat.base.errors import NotFound
from wingbeat.base.ids import attempt_id, child_execution_id
from wingbeat.engine.asked import LABEL, pool_of
from wingbeat.engine.live import Live
from wingbeat.engine.pools import HOLDERS_TOLD
from wingbeat.engine.views import launches
from wingbeat.machine import gates, maps
from wingbeat.machine.graph import is_item, item_of, node_of
from wingbeat.machine.state import PHASES
from wingbeat.machine.step import Machine
from wingbeat.spec.phase import NodePhase
from wingbeat.spec.plan import GateKind, MapKind

UPSTREAM_TOLD = 5
NODES_TOLD = 100


Told = Callable[[str], str] | None
"""For what an execution waits that has not begun. None: only the journal is at hand, which does not know who holds what."""


class AtExecutors(NamedTuple):
    """What is known of attempts that were given to their executors.

    Attributes:
        beside: Ids of those that run where one waits.

        told: Where one is that has not begun, in words; empty where nobody knows more.
    """

    beside: Callable[[str], Iterable[str]]
    told: Callable[[str], str]


Given = AtExecutors | None
"""None, as above."""


def running_beside(lives: Mapping[str, Live], attempt: str) -> Iterator[str]:
    """Ids of attempts that run at the executor of one that was given to it."""
    sent = lives[attempt.partition("/")[0]].sent.get(attempt)
    for live in () if sent is None else lives.values():
        for id, (node, number, _, executor) in live.sent.items():
            seen = live.machine.state.seen(node) if sent is not None and executor == sent[3] and id != attempt else None
            open_ = None if seen is None else seen.open_attempt
            if open_ is not None and open_.number == number and open_.started_at is not None:
                yield id


def explain_waiting(live: Live, node: str = "", told: Told = None, given: Given = None) -> str:
    """For what a node waits, or every node that has not ended; an execution that has not begun waits as a whole.

    Raises:
        NotFound: There is no such node.
    """
    machine = live.machine
    if machine.state.lined is not None:
        waits = told(live.id) if told is not None else ""
        return f"{live.id} has not begun: {waits or f'waiting for limit {machine.state.lined.limit.name!r}'}"
    if node:
        address = machine.graph.find(node)
        said = "" if address is None else _one(live, address, told, given)
        if not said:
            raise NotFound(f"Execution {live.id!r} has no node {node!r} that is under way or planned.")
        return f"{node}: {said}"
    if machine.state.phase.terminal:
        return f"{live.id} has ended: {machine.state.phase}" + (f" ({why})" if (why := machine.state.reason) else ".")
    lines = [f"{machine.graph.id(a)}: {reason(live, a, told, given)}" for a in _open(machine)]
    more = f"\n… and {len(lines) - NODES_TOLD} more" if len(lines) > NODES_TOLD else ""
    return "\n".join(lines[:NODES_TOLD]) + more


def _open(machine: Machine) -> Iterator[int]:
    for address, node in enumerate(machine.state.nodes):
        if not node.phase.terminal and not machine.graph.doubled(address):
            yield address
    yield from (address for address in machine.state.items if not machine.graph.doubled(address))


def reason(live: Live, address: int, told: Told, given: Given = None) -> str:
    """For what a node or item waits, as far as it does."""
    machine, state = live.machine, live.machine.state
    node = state.node(address)
    note = machine.notes.get(address)
    if node.phase.terminal:
        return f"has ended: {node.phase}" + (f" ({node.reason})" if node.reason else "")
    if node.phase is NodePhase.NOT_STARTED and not is_item(address):
        return note or _before(machine, address)
    if node.retry_at is not None:
        at = datetime.fromtimestamp(node.retry_at).astimezone()
        return f"waits for its next attempt, at {at:%Y-%m-%d %H:%M:%S}; the last one ended with: {node.reason}"
    attempt = node.open_attempt
    if attempt is not None and attempt.cancel:
        return f"is being stopped: {attempt.cancel_reason}"
    if note and attempt is not None and given is not None and note.startswith("waiting for resources"):
        return note + _held(given.beside(attempt_id(live.id, machine.graph.id(address), attempt.number)))
    if note:
        return note + _until(machine, address)
    if attempt is not None and attempt.started_at is None:
        pool = pool_of(machine.settled(address), live.record.labels.get(LABEL, "")) if told is None else None
        waits = "" if pool is None else f"waits for pool {pool.name!r}, or "
        stands = "" if given is None else given.told(attempt_id(live.id, machine.graph.id(address), attempt.number))
        more = f": {stands}" if stands else ""
        return f"attempt {attempt.number} {waits}was given to its executor and has not begun{more}"
    if attempt is not None:
        return f"runs: attempt {attempt.number}"
    mapping = state.maps.get(address)
    if mapping is not None:
        kind = machine.graph.kind(address)
        limit = kind.spec.concurrency if isinstance(kind, MapKind) else None
        most = "" if limit is None else f" (at most {limit} at once: concurrency={limit})"
        return f"{mapping.active} of its {mapping.total} items are under way{most}, {mapping.succeeded} have succeeded"
    if launches(machine.graph.kind(address), address):
        child = child_execution_id(live.id, machine.graph.id(address))
        waits = told(child) if told is not None else ""
        return f"waits for the execution {child}" + (f", which has not begun: {waits}" if waits else "")
    return f"is {node.phase}: what runs inside it has not ended"


def _until(machine: Machine, address: int) -> str:
    """When a gate goes on by itself, or gives up."""
    kind = machine.graph.kind(address)
    at = gates.until(machine, address, kind) if address in machine.state.gates and isinstance(kind, GateKind) else None
    return "" if at is None else f", until {datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S}"


def _held(holders: Iterable[str]) -> str:
    names = list(islice(holders, HOLDERS_TOLD + 1))
    return f"; held by {', '.join(names[:HOLDERS_TOLD])}{', …' if len(names) > HOLDERS_TOLD else ''}" if names else ""


def _one(live: Live, address: int, told: Told, given: Given) -> str:
    if live.machine.state.seen(address) is not None:
        return reason(live, address, told, given)
    return _apart(live, address, told) if is_item(address) else ""


def _apart(live: Live, address: int, told: Told) -> str:
    """The same of an item that is not under way; empty if there is no such item."""
    machine, number, item = live.machine, node_of(address), item_of(address)
    node, mapping, kind = machine.state.nodes[number], machine.state.maps.get(number), machine.graph.kind(number)
    name = machine.graph.id(number)
    if mapping is None:
        return "" if node.phase.terminal else f"waits for its map {name}, which {reason(live, number, told)}"
    if item >= mapping.total:
        return ""
    if mapping.phases[item]:
        return f"has ended: {PHASES[mapping.phases[item]]}"
    if node.phase.terminal or not machine.running(number):
        return f"has not started, and will not: its map {name} is ending, or has ended"
    if item in mapping.looking:
        return "waits for the catalog's answer"
    assert isinstance(kind, MapKind)
    if mapping.active < maps.bound(kind):
        base = machine.graph.base_of(number)
        taken = ", ".join(f"{machine.graph.id(base + above)}.{item}" for above, _ in kind.fed.values())
        return f"waits for the items that it takes from the maps before {name}: {taken}"
    limit = "" if kind.spec.concurrency is None else f" (concurrency={kind.spec.concurrency})"
    held = _held(machine.graph.id(address) for address in sorted(mapping.live))
    return f"waits for its turn: {mapping.active} of the items of {name} under way, and no more may be at once{limit}{held}"


def _before(machine: Machine, address: int) -> str:
    graph, state, base = machine.graph, machine.state, machine.graph.base_of(address)
    planned = graph.nodes[address]
    if state.scopes[graph.scope_of(address)].phase.terminal:
        return "has not run: the workflow that it belongs to has ended"
    if not machine.running(address):
        return "will not start: the workflow that it belongs to is ending"
    if planned.arm is not None and state.nodes[base + planned.arm[0]].phase is NodePhase.NOT_STARTED:
        return f"waits for the decision of branch {graph.id(base + planned.arm[0])}"
    open_ = [base + u for u in planned.upstream if not state.nodes[base + u].phase.success]
    if not open_:
        return "waits for the catalog's answer, or for stored values to be read"
    told = ", ".join(f"{graph.id(u)} ({state.nodes[u].phase})" for u in open_[:UPSTREAM_TOLD])
    more = f" and {len(open_) - UPSTREAM_TOLD} more" if len(open_) > UPSTREAM_TOLD else ""
    return f"waits for {told}{more}"
