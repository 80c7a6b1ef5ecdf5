"""What this engine does not do: a workflow that asks for it is refused at its launch, before anything runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.engine import LaunchRequest
from wingbeat.spec.entities import FailurePolicy, TaskSpec, TimeoutSpec
from wingbeat.spec.plan import BranchKind, ChildKind, GateKind, MapKind, Plan, PlanNode, ScopeKind

TOLD_MAX = 5
_KINDS = {
    MapKind: "a map",
    BranchKind: "a branch",
    ScopeKind: "a workflow with a failure policy",
    ChildKind: "a launch plan",
}


def check(request: LaunchRequest, plan: Plan) -> None:
    """Raises ConfigurationError, with what it is that cannot be done."""
    if found := list(_refusals(request, plan)):
        more = f"\n    and {len(found) - TOLD_MAX} more" if len(found) > TOLD_MAX else ""
        told = "".join(f"\n    {line}" for line in found[:TOLD_MAX])
        raise ConfigurationError(
            f"The engine 'sequential' cannot run {plan.name}:{told}{more}",
            hint='The engine in the box can: kernel.engine = "local".',
        )


def _refusals(request: LaunchRequest, plan: Plan) -> Iterator[str]:
    if request.concurrency is not None or request.closure.workflow.concurrency is not None:
        yield "its executions have a limit"
    if request.quota is not None:
        yield f"{request.quota.name} has a quota"
    if request.pool is not None:
        yield f"its tasks are to wait in the pool {request.pool.name!r}"
    if request.failure_policy is not None:
        yield f"its failure policy is to be {request.failure_policy}"
    if plan.timeout_s is not None:
        yield "it has a timeout"
    if plan.handler is not None:
        yield "it has a failure handler"
    if plan.failure_policy is not FailurePolicy.FAIL_IMMEDIATELY:
        yield f"its failure policy is {plan.failure_policy}"
    for node in plan.nodes:
        yield from (f"{node.id}: {what}" for what in _of_node(node, plan))


def _of_node(node: PlanNode, plan: Plan) -> Iterator[str]:
    if isinstance(node.kind, GateKind):
        if node.kind.spec.gate == "sleep":
            yield "it sleeps"
        elif node.kind.spec.timeout_s is not None:
            yield "its gate has a timeout"
    elif node.kind is not None:
        yield f"it is {_KINDS[type(node.kind)]}"
    else:
        yield from _of_task(plan.tasks[node.task])


def _of_task(task: TaskSpec) -> Iterator[str]:
    options = {
        "is dynamic": task.dynamic, "runs in a container": task.container, "has several roles": task.gang,
        "has secrets": task.secrets, "has options that depend on the call": task.formulas, "is in a pool": task.pool,
        "has a timeout": task.timeout != TimeoutSpec(),
        f"wants the executor {task.executor!r}": task.executor not in ("", "process"),
    }  # fmt: skip
    yield from (f"{task.name} {what}" for what, wanted in options.items() if wanted)
