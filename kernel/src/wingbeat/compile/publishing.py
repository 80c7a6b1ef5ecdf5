"""Whether a workflow can publish what it says."""

from __future__ import annotations

from collections.abc import Iterator

from wingbeat.spec.entities import WorkflowSpec
from wingbeat.types import EnumType, LiteralType, LiteralValues, Simple, describe

_KEYS = ("str", "int", "bool", "date", "datetime")
"""Types of what may be the value of a key of a partition."""


def publishing_findings(workflow: WorkflowSpec, where: str) -> Iterator[str]:
    """What is wrong with the artifacts that a workflow publishes."""
    for output, artifact in workflow.publishes.items():
        what = f"{workflow.name} publishes {output!r} as {artifact.name!r}"
        if workflow.interface.output(output) is None:
            there = ", ".join(v.name for v in workflow.interface.outputs) or "none"
            yield f"{what}, which is none of its outputs; these are: {there}{where}."
        for key, name in artifact.partitions.items():
            variable = workflow.interface.input(name)
            if variable is None:
                yield f"{what}, with the key {key!r} of its input {name!r}, and there is none{where}."
            elif not _fits(variable.type):
                told = f"a {describe(variable.type)} is no value of a key"
                yield f"{what}, with the key {key!r} of its input {name!r}: {told}{where}."


def _fits(type_: LiteralType) -> bool:
    return isinstance(type_, EnumType | LiteralValues) or (isinstance(type_, Simple) and type_.name in _KEYS)
