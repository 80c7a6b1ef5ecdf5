"""From what was written to its closure: everything that it reaches, by digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from wingbeat.author.compose import Callee
from wingbeat.author.dynamicflow import Dynamic
from wingbeat.author.launchplan import LaunchPlan
from wingbeat.author.mentions import mentions, references
from wingbeat.author.reference import Reference, store
from wingbeat.author.source import Location, location_of
from wingbeat.author.task import Task
from wingbeat.author.workflow import Workflow
from wingbeat.base.errors import CompileError
from wingbeat.spec.codec import borrowing, spec_digest
from wingbeat.spec.definition import Kind
from wingbeat.spec.entities import (
    Binding,
    Borrowed,
    Closure,
    Entity,
    GateSpec,
    Interface,
    NodeSpec,
    Promise,
    TaskSpec,
    WorkflowSpec,
)
from wingbeat.spec.mapped import mapped
from wingbeat.types import BlobIO

Locations = dict[str, Mapping[str, Location]]
"""The user's line of each node, by digest of the workflow."""


def close(entity: Callee, io: BlobIO, *, mentioning: bool = True) -> tuple[Closure, Locations]:
    """The closure of a workflow, and where its nodes stand in the user's code.

    What is no static workflow (a task, a dynamic workflow, a launch plan, a call of a map, a gate, a task with other options)
    becomes a workflow of one node, with the node's inputs and outputs.

    Args:
        mentioning: Whether bodies of dynamic workflows say which tasks they name.

    Raises:
        CompileError: Something in it cannot be expressed. Types are checked later, by `wingbeat.compile`.
    """
    closing = _Closing(io, mentioning)
    if isinstance(entity, Workflow):
        root = closing.workflow(entity)
    elif isinstance(entity, Callee):
        root = closing.single(entity)
    else:
        raise CompileError(f"{entity!r} is neither a task nor a workflow.", hint="Decorate it with @task or @workflow.")
    return closing.closure(root), closing.locations


class _Closing:
    def __init__(self, io: BlobIO, mentioning: bool) -> None:
        self.io, self._mentioning = io, mentioning
        self.entities: dict[str, Entity] = {}
        self.locations: Locations = {}
        self._digests: dict[
            int, tuple[Callee, str]
        ] = {}  # the callees too: an id is only unique while its object lives
        self._open: list[Workflow[Any, Any]] = []
        self._own: set[str] = set()
        self._borrowed: dict[str, Borrowed] = {}

    def closure(self, root: str) -> Closure:
        """All that was added. Raises CompileError where a task is both borrowed and the author's own."""
        for digest in self._own & self._borrowed.keys():
            task, of = self.entities[digest].name, self._borrowed[digest].of
            raise CompileError(
                f"{task} is called as it is here, and as it is registered with {of}: they are the same.",
                hint="Call one of them.",
            )
        return borrowing(Closure(root=root, entities=self.entities), self._borrowed)

    def add(self, entity: Entity) -> str:
        digest = spec_digest(entity)
        self.entities[digest] = entity
        return digest

    def task(self, task: Task[..., Any]) -> str:
        spec = task.spec(self.io)
        if isinstance(task, Dynamic) and self._mentioning:
            stored = {each.name: store(each.definition, self.io) for each in references(task)}
            spec = msgspec.structs.replace(spec, mentions=mentions(task, self.io), references=stored)
        digest = self.add(spec)
        self._own.add(digest)
        return digest

    def reference(self, reference: Reference) -> str:
        """The digest of what others have registered; with all that it reaches."""
        definition = reference.definition
        closure = definition.closure
        for digest, entity in closure.entities.items():
            self.entities[digest] = entity
            if not isinstance(entity, TaskSpec):
                continue
            code = closure.borrowed.get(digest, Borrowed(reference.name, closure.bundle, closure.environment))
            other = self._borrowed.setdefault(digest, code)
            if (other.bundle, other.environment) != (code.bundle, code.environment):
                raise CompileError(
                    f"{entity.name} is called as it is registered with {other.of} and with {code.of}: the task is the same, and "
                    f"what is around it is not.",
                    hint="Refer to one version.",
                )
        if definition.plan is not None:
            return self.add(definition.plan)
        return closure.workflow.calls[0] if definition.kind is Kind.TASK else closure.root

    def callee(self, callee: Callee) -> str:
        """The digest of what a node calls."""
        known = self._digests.get(id(callee))
        if known is None:
            known = self._digests[id(callee)] = callee, self._callee(callee)
        return known[1]

    def _callee(self, callee: Callee) -> str:
        match callee:
            case Dynamic(on_failure=handler) if handler is not None:
                return self.single(callee)  # a handler belongs to a workflow
            case Task():
                return self.task(callee)
            case Workflow():
                return self.workflow(callee)
            case Reference():
                return self.reference(callee)
            case LaunchPlan(workflow=workflow):
                digest = self.callee(workflow) if isinstance(workflow, Workflow) else self.single(workflow)
                return self.add(callee.spec(self.io, digest, self.entities[digest].interface))
            case _:
                raise CompileError(f"{callee!r} is neither a task nor a workflow.")

    def workflow(self, workflow: Workflow[Any, Any]) -> str:
        if workflow in self._open:
            through = [f"by {each.name}" for each in self._open[self._open.index(workflow) + 1 :]]
            raise CompileError(
                f"{' '.join([workflow.name, 'calls itself', *through])} ({location_of(workflow.fn)}).",
                hint="A static workflow is finite. A dynamic one ('async def') may call itself, as its calls are made one by one.",
            )
        self._open.append(workflow)
        composition = workflow.compose(self.io)
        spec = composition.spec(tuple(self.callee(c) for c in composition.callees))
        self._open.pop()
        digest = self.add(spec)
        self.locations[digest] = {**composition.locations, "": location_of(workflow.fn)}
        return digest

    def single(self, callee: Callee) -> str:
        """A workflow of one node."""
        kind, target = callee.kind(self.io), callee.target
        calls: tuple[str, ...] = ()
        if isinstance(kind, GateSpec):
            interface, doc = kind.interface, ""
        else:
            assert target is not None
            own = isinstance(target, Dynamic) and target is callee  # its handler is that of the workflow made here
            called = self.task(target) if own else self.callee(target)  # type: ignore[arg-type]  # as said
            calls = (called,)
            entity = self.entities[called]
            interface, doc = entity.interface, entity.doc
            if kind is not None:
                interface = mapped(interface, kind)
        return self.add(self._single(callee, calls, interface, doc))

    def _single(self, callee: Callee, calls: tuple[str, ...], interface: Interface, doc: str) -> WorkflowSpec:
        node = NodeSpec(
            id="n0",
            call=0 if calls else -1,
            inputs={v.name: Promise(output=v.name) for v in interface.inputs},
            kind=callee.kind(self.io),
            override=callee.overridden(self.io),
        )
        outputs: dict[str, Binding] = {v.name: Promise(node="n0", output=v.name) for v in interface.outputs}
        handler = callee.on_failure if isinstance(callee, Dynamic) else None
        return WorkflowSpec(
            name=callee.name,
            interface=interface,
            calls=calls if handler is None else (*calls, self.callee(handler)),
            nodes=(node,),
            outputs=outputs,
            timeout_s=callee.timeout if isinstance(callee, Dynamic) else None,
            doc=doc,
            on_failure=None if handler is None else len(calls),
            concurrency=callee.concurrency if isinstance(callee, Dynamic) else None,
            publishes=callee.publishes if isinstance(callee, Dynamic) else {},
        )
