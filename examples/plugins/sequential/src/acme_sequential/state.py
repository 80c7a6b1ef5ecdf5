"""What is known of an execution, and how it goes on: values, without a file or a clock.

Whoever changes a `State` makes a new one; what has happened in between is told by comparing both (`told`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from wingbeat.base.errors import ConflictError, NotFound
from wingbeat.base.ids import digest
from wingbeat.contracts.engine import (
    AttemptView,
    ExecutionView,
    GateView,
    LaunchRequest,
    NodeReuse,
    NodeView,
    ReuseDecision,
)
from wingbeat.contracts.observer import Published
from wingbeat.plans import resolve
from wingbeat.spec.codec import canonical, task_identity
from wingbeat.spec.entities import Closure
from wingbeat.spec.literal import Literal, Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.spec.phase import AttemptPhase, ExecutionPhase, NodePhase
from wingbeat.spec.plan import GateKind, Plan
from wingbeat.types import Simple, ValueMismatch


class Answer(Struct, frozen=True):
    """What a gate was answered, under which id."""

    id: str
    value: Literal


class State(Struct, frozen=True, omit_defaults=True):
    """An execution.

    Attributes:
        key: What runs, on what: by it a launch that is repeated is told from another one.

        made_of: Of nodes that have outputs, what those depend on.

        answers: By the id of the gate's node.

        abort: Why it is to stop.
    """

    view: ExecutionView
    key: str
    made_of: dict[str, str] = {}
    answers: dict[str, Answer] = {}
    abort: str | None = None

    def node(self, number: int, **changes: Any) -> State:
        """With a node that is changed."""
        nodes = list(self.view.nodes)
        nodes[number] = replace(nodes[number], **changes)
        return replace(self, view=replace(self.view, nodes=nodes))

    def attempt(self, number: int, **changes: Any) -> State:
        """With the last attempt of a node changed."""
        *earlier, last = self.view.nodes[number].attempts
        return self.node(number, attempts=[*earlier, replace(last, **changes)])

    def values(self, plan: Plan, number: int) -> Literals:
        """What a node is given. Raises `ValueMismatch`."""
        return resolve(plan.nodes[number].inputs, self.view.inputs, self.outputs)

    def outputs(self, number: int) -> Literals | None:
        """What a node has given."""
        return self.view.nodes[number].outputs


def launch_key(request: LaunchRequest) -> str:
    """What runs, on what."""
    closure = request.closure
    return digest(canonical([closure.root, closure.bundle, closure.environment, request.inputs]))


def launched(request: LaunchRequest, id: str, plan: Plan, at: float, taken: dict[int, NodeView], source: str) -> State:
    """An execution that was just launched, with the nodes that are `taken` over from another one."""
    nodes = []
    for number, node in enumerate(plan.nodes):
        if number in taken:
            old = taken[number]
            nodes.append(
                NodeView(node.id, old.task, NodePhase.RECOVERED, source=source, ended_at=at, outputs=old.outputs)
            )
        else:
            nodes.append(NodeView(node.id, title(plan, number), NodePhase.NOT_STARTED))
    view = ExecutionView(
        id, plan.name, ExecutionPhase.QUEUED, at, nodes, request.inputs, closure=digest(canonical(request.closure)),
        labels=request.labels,
    )  # fmt: skip
    state = State(view, launch_key(request))
    made_of = {plan.nodes[n].id: basis(request.closure, plan, n, state.values(plan, n)) for n in taken}
    return replace(state, made_of=made_of)


def title(plan: Plan, number: int) -> str:
    """What a node calls, or is."""
    node = plan.nodes[number]
    if isinstance(node.kind, GateKind):
        return f"{node.kind.spec.gate} {node.kind.spec.name}"
    return plan.tasks[node.task].name


def basis(closure: Closure, plan: Plan, number: int, inputs: Literals) -> str:
    """What the outputs of a task depend on: its code, where that is known, else all code; its environment; its inputs."""
    task = plan.tasks[plan.nodes[number].task]
    return digest(canonical([task_identity(task), task.code or closure.bundle, closure.environment, inputs]))


def reuses(request: LaunchRequest, plan: Plan, earlier: State) -> tuple[list[NodeReuse], dict[int, NodeView]]:
    """What becomes of each node's result when an execution is recovered; those that are taken over, by number."""
    there = {node.id: node for node in earlier.view.nodes}
    taken: dict[int, NodeView] = {}
    told: list[NodeReuse] = []
    for number, node in enumerate(plan.nodes):
        name, old = title(plan, number), there.pop(node.id, None)
        why = _why_not(request, plan, number, old, earlier, taken)
        if not why and old is not None:
            taken[number] = old
        told.append(NodeReuse(node.id, name, ReuseDecision.RUNS if why else ReuseDecision.REUSED, why))
    gone = "what would be launched has no such node"
    told += [NodeReuse(node.id, node.task, ReuseDecision.GONE, gone) for node in there.values()]
    return told, taken


def _why_not(
    request: LaunchRequest, plan: Plan, number: int, old: NodeView | None, earlier: State, taken: dict[int, NodeView]
) -> str:
    node = plan.nodes[number]
    if isinstance(node.kind, GateKind):
        return "it is asked again"
    if old is None:
        return "the other execution has no such node"
    if old.outputs is None:
        return f"it was {old.phase}"
    if behind := [plan.nodes[n].id for n in node.upstream if n not in taken]:
        return f"it comes after {', '.join(behind)}"
    try:
        inputs = resolve(node.inputs, request.inputs, lambda n: taken[n].outputs)
    except ValueMismatch as error:
        return str(error)
    same = basis(request.closure, plan, number, inputs) == earlier.made_of.get(node.id)
    return "" if same else "its task, code, environment or inputs have changed"


def asks(state: State, plan: Plan, number: int) -> State:
    """A gate waits for its answer."""
    kind = plan.nodes[number].kind
    assert isinstance(kind, GateKind)
    spec = kind.spec
    approval = spec.gate == "approve"
    gate = GateView(spec.name, Simple("bool") if approval else spec.interface.outputs[0].type, approval)
    return state.node(number, phase=NodePhase.RUNNING, gate=gate, reason=f"waits for an answer to {spec.name!r}")


def answered(state: State, plan: Plan, name: str, value: Literal, id: str) -> State:
    """With the answer of a gate. Raises as of `Engine.signal`."""
    execution = state.view.id
    gates = {n.id: n.kind.spec for n in plan.nodes if isinstance(n.kind, GateKind)}
    named = [node for node, spec in gates.items() if name in (node, spec.name)]
    if not named:
        raise NotFound(f"Execution {execution!r} has no gate {name!r}.")
    given = [state.answers[node] for node in named if node in state.answers]
    if any(answer.id == id for answer in given):
        return state
    open_ = [node for node in named if node not in state.answers]
    if not open_ and given[-1].value == value:
        return state
    if not open_ or state.view.phase.terminal:
        what = "was answered with another value" if not open_ else "waits for nothing: the execution has ended"
        raise ConflictError(f"The gate {name!r} of execution {execution!r} {what}.")
    return replace(state, answers={**state.answers, open_[0]: Answer(id, value)})


def ended(state: State, phase: ExecutionPhase, at: float, error: ErrorInfo | None = None, **more: Any) -> State:
    """An execution at its end."""
    view = replace(state.view, phase=phase, ended_at=at, error=error, **more)
    return replace(state, view=view)


def aborted(state: State, at: float) -> State:
    """An execution that was stopped: nothing of it runs any more."""
    reason = state.abort or ""
    for number, node in enumerate(state.view.nodes):
        if node.attempts and node.attempts[-1].phase in (AttemptPhase.QUEUED, AttemptPhase.RUNNING):
            state = state.attempt(number, phase=AttemptPhase.ABORTED, ended_at=at)
        if not node.phase.terminal and node.phase is not NodePhase.NOT_STARTED:
            state = state.node(number, phase=NodePhase.ABORTED, ended_at=at, reason=reason, gate=None)
    return ended(state, ExecutionPhase.ABORTED, at, reason=reason)


def waits(state: State, node: str = "") -> str:
    """For what nodes wait, as text. Raises NotFound."""
    view = state.view
    if node and all(each.id != node for each in view.nodes):
        raise NotFound(f"Execution {view.id!r} has no node {node!r}.")
    if view.phase.terminal:
        return f"{view.id} has ended: {view.phase}."
    lines, before = [], ""
    for each in view.nodes:
        if each.phase.success:
            continue
        if before:
            why = f"waits for its turn, after {before}"
        elif each.attempts and each.attempts[-1].phase is AttemptPhase.RUNNING:
            why = "runs"
        else:
            gate = each.task.partition(" ")[2]
            why = each.reason or (f"waits for an answer to {gate!r}" if gate else "waits for a slot")
        before = before or each.id
        if node in ("", each.id):
            lines.append(f"{each.id}: {why}")
    return "\n".join(lines) or f"{node} has ended."


def told(before: State | None, after: State, at: float) -> Iterator[Published]:
    """What happened between two states; without a cursor."""
    old, new = None if before is None else before.view, after.view

    def event(kind: str, phase: str, task: str, **more: Any) -> Published:
        return Published(new.id, -1, at, kind, str(phase), task=task, **more)

    began = old is None or (old.phase is not new.phase and not new.phase.terminal)
    if began:
        yield event("execution", new.phase, new.workflow, reason=new.reason)
    for number, node in enumerate(new.nodes):
        was = None if old is None else old.nodes[number]
        yield from (event("attempt", a.phase, node.task, node=node.id, attempt=a.number, evidence=a.evidence, **_wrong(a.error))
                    for a in node.attempts[-1:] if _changed(was, a))  # fmt: skip
        shown = node.phase.terminal or node.gate is not None  # of a task under way, its attempts tell
        if shown and (was is None or was.phase is not node.phase):
            last = node.attempts[-1] if node.attempts else None
            more = {"gate": node.gate.name, "approval": node.gate.approval} if node.gate is not None else {}
            wrong = _wrong(last.error) if last is not None and not node.phase.success else {"reason": node.reason}
            yield event(
                "node", node.phase, node.task, node=node.id, evidence=more, attempt=last.number if last else 0, **wrong
            )
    if not began and old is not None and old.phase is not new.phase:
        yield event("execution", new.phase, new.workflow, **(_wrong(new.error) or {"reason": new.reason}))


def _changed(was: NodeView | None, attempt: AttemptView) -> bool:
    """Whether the last attempt of a node is a new one, or in a new phase."""
    last = was.attempts[-1] if was is not None and was.attempts else None
    return last is None or (last.number, last.phase) != (attempt.number, attempt.phase)


def _wrong(error: ErrorInfo | None) -> dict[str, Any]:
    return {} if error is None else {"reason": error.message, "error": msgspec.to_builtins(error)}
