"""Failure handlers: what they are given, and the workflow of one call that gives it to them."""

from __future__ import annotations

from collections.abc import Iterator

from wingbeat.spec.entities import (
    Closure,
    Interface,
    LaunchPlanSpec,
    NodeSpec,
    Promise,
    TaskSpec,
    Variable,
    WorkflowSpec,
)
from wingbeat.types import Failure, LiteralType, compatible, describe, literal_type

ERROR = "error"
"""The input of a handler that is given the `Failure`."""

_NO_INPUT = f"give it a default, or leave it out; what went wrong is given to '{ERROR}: Failure'"


def handler_findings(closure: Closure, workflow: WorkflowSpec, where: str) -> Iterator[str]:
    """What is wrong with a workflow's failure handler; `where` the workflow is defined."""
    if workflow.on_failure is None:
        return
    if not 0 <= workflow.on_failure < len(workflow.calls):
        yield f"{workflow.name}: on_failure names nothing{where}."
        return
    handler = closure.entities[workflow.calls[workflow.on_failure]]
    if isinstance(handler, LaunchPlanSpec):
        yield f"{workflow.name}: on_failure is {handler.name}, which is neither a task nor a workflow{where}."
        return
    for variable in handler.interface.inputs:
        given = _given(workflow, variable)
        if given is None:
            if not variable.required:
                continue
            todo = f"name it {ERROR!r}: that is given what went wrong" if _is_failure(variable.type) else _NO_INPUT
            wrong = f"{workflow.name} has no such input; {todo}"
        elif reason := compatible(given.type, variable.type):
            error = variable.name == ERROR
            source = "it is given the failure" if error else f"{workflow.name} takes {describe(given.type)}"
            wrong = f"{source}: {reason}" + ("; declare it 'error: Failure'" if error else "")
        else:
            continue
        what = f"its failure handler {handler.name} takes {variable.name!r} as {describe(variable.type)}"
        yield f"{workflow.name}: {what}, but {wrong}{where}."


def handling(closure: Closure, workflow: WorkflowSpec) -> WorkflowSpec:
    """A workflow that calls the failure handler with what it is given: those are its inputs, typed as they are given.

    It has no outputs.
    """
    assert workflow.on_failure is not None
    digest = workflow.calls[workflow.on_failure]
    handler = closure.entities[digest]
    assert isinstance(handler, TaskSpec | WorkflowSpec)
    given = [v for variable in handler.interface.inputs if (v := _given(workflow, variable)) is not None]
    node = NodeSpec(id="n0", inputs={v.name: Promise(output=v.name) for v in given})
    return WorkflowSpec(name=handler.name, interface=Interface(tuple(given)), calls=(digest,), nodes=(node,))


def _is_failure(type_: LiteralType) -> bool:
    return compatible(literal_type(Failure), type_) is None


def _given(workflow: WorkflowSpec, variable: Variable) -> Variable | None:
    """What a handler's input is given."""
    if variable.name == ERROR:
        return Variable(ERROR, literal_type(Failure))
    own = workflow.interface.input(variable.name)
    return Variable(own.name, own.type) if own is not None else None
