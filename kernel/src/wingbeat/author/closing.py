"""From a workflow (or a single task) to its closure: everything that it reaches, by digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wingbeat.author.source import Location, location_of
from wingbeat.author.task import Task
from wingbeat.author.workflow import Workflow
from wingbeat.base.errors import CompileError
from wingbeat.spec.codec import spec_digest
from wingbeat.spec.entities import Binding, Closure, Entity, NodeSpec, Promise, WorkflowSpec
from wingbeat.types import BlobIO

Locations = dict[str, Mapping[str, Location]]
"""The user's line of each node, by digest of the workflow."""


def close(entity: Task[Any, Any] | Workflow[Any, Any], io: BlobIO) -> tuple[Closure, Locations]:
    """The closure of a workflow, and where its nodes stand in the user's code. A task becomes a workflow of one node.

    Raises:
        CompileError: Something in it cannot be expressed. Types are checked later, by `wingbeat.compile`.
    """
    closing = _Closing(io)
    if isinstance(entity, Task):
        root = closing.single(entity)
    elif isinstance(entity, Workflow):
        root = closing.workflow(entity)
    else:
        raise CompileError(f"{entity!r} is neither a task nor a workflow.", hint="Decorate it with @task or @workflow.")
    return Closure(root=root, entities=closing.entities), closing.locations


class _Closing:
    def __init__(self, io: BlobIO) -> None:
        self.io = io
        self.entities: dict[str, Entity] = {}
        self.locations: Locations = {}
        self._digests: dict[int, str] = {}
        self._open: list[Workflow[Any, Any]] = []

    def add(self, entity: Entity) -> str:
        digest = spec_digest(entity)
        self.entities[digest] = entity
        return digest

    def callee(self, callee: Any) -> str:
        digest = self._digests.get(id(callee))
        if digest is None:
            digest = self.add(callee.spec(self.io)) if isinstance(callee, Task) else self.workflow(callee)
            self._digests[id(callee)] = digest
        return digest

    def workflow(self, workflow: Workflow[Any, Any]) -> str:
        if workflow in self._open:
            raise CompileError(f"{workflow.name} calls itself.", hint="A static workflow is finite; use a dynamic one.")
        self._open.append(workflow)
        composition = workflow.compose(self.io)
        spec = composition.spec(tuple(self.callee(c) for c in composition.callees))
        self._open.pop()
        digest = self.add(spec)
        self.locations[digest] = {**composition.locations, "": location_of(workflow.fn)}
        return digest

    def single(self, task: Task[Any, Any]) -> str:
        spec = task.spec(self.io)
        interface = spec.interface
        node = NodeSpec(id="n0", inputs={v.name: Promise(output=v.name) for v in interface.inputs})
        outputs: dict[str, Binding] = {v.name: Promise(node="n0", output=v.name) for v in interface.outputs}
        workflow = WorkflowSpec(
            name=task.name, interface=interface, calls=(self.add(spec),), nodes=(node,), outputs=outputs, doc=spec.doc
        )
        return self.add(workflow)
