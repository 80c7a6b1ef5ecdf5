"""Why nodes do not run, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wingbeat.base.errors import NotFound
from wingbeat.base.ids import child_execution_id
from wingbeat.engine.live import Live
from wingbeat.engine.views import launches
from wingbeat.machine.graph import is_item
from wingbeat.machine.step import Machine
from wingbeat.spec.phase import NodePhase

UPSTREAM_TOLD = 5
NODES_TOLD = 100


Told = Callable[[str], str] | None
"""For what an execution waits that has not begun. None: only the journal is at hand, which does not know who holds what."""


def explain_waiting(live: Live, node: str = "", told: Told = None) -> str:
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
        if address is None or machine.state.seen(address) is None:
            raise NotFound(f"Execution {live.id!r} has no node {node!r} that is under way or planned.")
        return f"{node}: {reason(live, address, told)}"
    if machine.state.phase.terminal:
        return f"{live.id} has ended: {machine.state.phase}."
    lines = [f"{machine.graph.id(a)}: {reason(live, a, told)}" for a in _open(machine)]
    more = f"\n… and {len(lines) - NODES_TOLD} more" if len(lines) > NODES_TOLD else ""
    return "\n".join(lines[:NODES_TOLD]) + more


def _open(machine: Machine) -> Iterator[int]:
    for address, node in enumerate(machine.state.nodes):
        if not node.phase.terminal:
            yield address
    yield from machine.state.items


def reason(live: Live, address: int, told: Told) -> str:
    """For what a node or item waits, as far as it does."""
    machine, state = live.machine, live.machine.state
    node = state.node(address)
    note = machine.notes.get(address)
    if node.phase.terminal:
        return f"has ended: {node.phase}" + (f" ({node.reason})" if node.reason else "")
    if node.phase is NodePhase.NOT_STARTED and not is_item(address):
        return note or _before(machine, address)
    if node.retry_at is not None:
        return f"waits for its next attempt; the last one ended with: {node.reason}"
    attempt = node.open_attempt
    if attempt is not None and attempt.cancel:
        return f"is being stopped: {attempt.cancel_reason}"
    if note:
        return note
    if attempt is not None and attempt.started_at is None:
        pool = machine.settled(address).pool if told is None else None
        waits = "" if pool is None else f"waits for pool {pool.name!r}, or "
        return f"attempt {attempt.number} {waits}was given to its executor and has not begun"
    if attempt is not None:
        return f"runs: attempt {attempt.number}"
    mapping = state.maps.get(address)
    if mapping is not None:
        return f"{mapping.active} of its {mapping.total} items are under way, {mapping.succeeded} have succeeded"
    if launches(machine.graph.kind(address), address):
        child = child_execution_id(live.id, machine.graph.id(address))
        waits = told(child) if told is not None else ""
        return f"waits for the execution {child}" + (f", which has not begun: {waits}" if waits else "")
    return f"is {node.phase}: what runs inside it has not ended"


def _before(machine: Machine, address: int) -> str:
    graph, state, base = machine.graph, machine.state, machine.graph.base_of(address)
    planned = graph.nodes[address]
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
