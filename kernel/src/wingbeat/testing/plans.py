"""Specs and plans made without Python functions, through the real compile: for tests of machine and engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.compile.check import check
from wingbeat.compile.flatten import flatten
from wingbeat.spec.codec import check_closure, spec_digest
from wingbeat.spec.entities import (
    Binding,
    CacheSpec,
    Closure,
    ConcurrencySpec,
    Entity,
    Entry,
    FailurePolicy,
    Formulas,
    Interface,
    ListBinding,
    NodeSpec,
    PoolSpec,
    Promise,
    RetrySpec,
    TaskSpec,
    TimeoutSpec,
    Variable,
    WorkflowSpec,
)
from wingbeat.spec.plan import Plan
from wingbeat.spec.policies import ResourceSpec
from wingbeat.types import ListType, Simple

INT = Simple("int")


class Job(Struct, frozen=True):
    """A node to be: what it consumes (names of jobs before it), what it merely waits for, and the policies of its task."""

    takes: Sequence[str] = ()
    after: Sequence[str] = ()
    retry: RetrySpec = RetrySpec()
    timeout: TimeoutSpec = TimeoutSpec()
    cache: bool = False
    executor: str = ""
    pool: PoolSpec | None = None
    resources: ResourceSpec = ResourceSpec()
    formulas: Formulas = {}


def make_closure(
    jobs: Mapping[str, Job],
    *,
    returns: Sequence[str] = (),
    failure_policy: FailurePolicy = FailurePolicy.FAIL_IMMEDIATELY,
    timeout_s: float | None = None,
    inputs: Sequence[str] = (),
    concurrency: ConcurrencySpec | None = None,
) -> Closure:
    """A workflow with a node for each job, of that id. Every job gives an int, and takes a list of those it consumes.

    Jobs may also consume `inputs` of the workflow, which are ints with the default 0. The workflow returns ints `o0`, ….
    """
    entities: dict[str, Entity] = {}
    nodes, calls = [], []
    for name, job in jobs.items():
        task = TaskSpec(
            name=f"jobs.{name}",
            interface=Interface((Variable("given", ListType(INT)),), (Variable("o0", INT),)),
            entry=Entry("jobs", name),
            code=f"code of {name}",
            retry=job.retry,
            timeout=job.timeout,
            cache=CacheSpec(version="1") if job.cache else None,
            executor=job.executor,
            pool=job.pool,
            resources=job.resources,
            formulas=job.formulas,
        )
        entities[spec_digest(task)] = task
        calls.append(spec_digest(task))
        given = ListBinding(tuple(_promise(taken, inputs) for taken in job.takes))
        nodes.append(NodeSpec(id=name, call=len(calls) - 1, inputs={"given": given}, after=tuple(job.after)))
    outputs: dict[str, Binding] = {f"o{i}": _promise(name, inputs) for i, name in enumerate(returns)}
    workflow = WorkflowSpec(
        name="jobs.workflow",
        interface=Interface(
            tuple(Variable(name, INT, default=0) for name in inputs), tuple(Variable(name, INT) for name in outputs)
        ),
        calls=tuple(calls),
        nodes=tuple(nodes),
        outputs=outputs,
        failure_policy=failure_policy,
        timeout_s=timeout_s,
        concurrency=concurrency,
    )
    entities[spec_digest(workflow)] = workflow
    closure = Closure(spec_digest(workflow), entities)
    check_closure(closure)
    check(closure)
    return closure


def make_plan(jobs: Mapping[str, Job], **options: Any) -> Plan:
    """The plan of `make_closure`."""
    return flatten(make_closure(jobs, **options))


def replace_task(closure: Closure, name: str, **changes: Any) -> Closure:
    """The same closure with a task changed, as a new version of the code would have it."""
    old = next(d for d, e in closure.entities.items() if isinstance(e, TaskSpec) and e.name == name)
    task = msgspec.structs.replace(closure.entities[old], **changes)
    new = spec_digest(task)
    calls = tuple(new if c == old else c for c in closure.workflow.calls)
    workflow = msgspec.structs.replace(closure.workflow, calls=calls)
    kept = {d: e for d, e in closure.entities.items() if d not in (old, closure.root)}
    root = spec_digest(workflow)
    return msgspec.structs.replace(closure, root=root, entities={**kept, new: task, root: workflow})


def _promise(name: str, inputs: Sequence[str]) -> Promise:
    return Promise(output=name) if name in inputs else Promise(node=name)


__all__ = ["INT", "Job", "make_closure", "make_plan", "replace_task"]
