"""Why nodes do not run, in words."""

from __future__ import annotations

from collections.abc import Iterator

from wingbeat.base.errors import NotFound
from wingbeat.engine.live import Live
from wingbeat.machine.graph import is_item
from wingbeat.machine.step import Machine
from wingbeat.spec.phase import NodePhase

UPSTREAM_TOLD = 5
NODES_TOLD = 100


def explain_waiting(live: Live, node: str = "") -> str:
    """For what a node waits, or every node that has not ended. Raises NotFound."""
    machine = live.machine
    if node:
        address = machine.graph.find(node)
        if address is None or machine.state.seen(address) is None:
            raise NotFound(f"Execution {live.id!r} has no node {node!r} that is under way or planned.")
        return f"{node}: {reason(machine, address)}"
    if machine.state.phase.terminal:
        return f"{live.id} has ended: {machine.state.phase}."
    lines = [f"{machine.graph.id(a)}: {reason(machine, a)}" for a in _open(machine)]
    more = f"\n… and {len(lines) - NODES_TOLD} more" if len(lines) > NODES_TOLD else ""
    return "\n".join(lines[:NODES_TOLD]) + more


def _open(machine: Machine) -> Iterator[int]:
    for address, node in enumerate(machine.state.nodes):
        if not node.phase.terminal:
            yield address
    yield from machine.state.items


def reason(machine: Machine, address: int) -> str:
    """For what a node or item waits, as far as it does."""
    state = machine.state
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
        return f"attempt {attempt.number} was given to its executor and has not begun"
    if attempt is not None:
        return f"runs: attempt {attempt.number}"
    mapping = state.maps.get(address)
    if mapping is not None:
        return f"{mapping.active} of its {mapping.total} items are under way, {mapping.succeeded} have succeeded"
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
