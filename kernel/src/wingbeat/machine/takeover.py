"""Taking over what a node gave in the execution that is recovered, when one like it starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from wingbeat.base.ids import digest
from wingbeat.machine.fact import NodeSucceeded
from wingbeat.machine.graph import HANDLER, is_item
from wingbeat.spec.codec import canonical, task_identity
from wingbeat.spec.literal import Literals
from wingbeat.types import ValueMismatch

if TYPE_CHECKING:
    from wingbeat.machine.step import Machine

_NUMBER = re.compile(r"-\d+(~\d+)?(?=\.|$)")
"""How often a body had taken the path of a call before: which of them is which may follow from what ended first."""

Alike = dict[tuple[str, str, str], list[str]]
"""Ids of what may be taken over: by their path without numbers, what they called, and a digest of its inputs."""


def take_over(m: Machine, address: int, at: float) -> bool:
    """Take the outputs of a node or item from the execution that is recovered, if they hold here too: of the same id, or of another
    call on the same path of a body. Each is taken once."""
    id, task = m.graph.id(address), m.graph.task(address)
    called = "-" in id and not is_item(address)
    if id not in m.state.reusable and not called:
        return False
    if task is None or task.dynamic or HANDLER in id.split("."):  # a handler handles what has failed now
        return False
    identity = task_identity(task)
    try:
        inputs = m.values(address)
    except ValueMismatch:
        return False
    others = _others(m, id, identity, inputs) if called else ()
    for name in chain((id,), others):
        found = m.state.reusable.get(name)
        if found is not None and found.identity == identity and found.inputs == inputs:
            taken = name if name != id else ""
            m.say(NodeSucceeded(address, at, found.outputs, source=m.state.source, taken=taken))
            m.succeeded(address, at)
            return True
    return False


def _others(m: Machine, id: str, identity: str, inputs: Literals) -> Iterator[str]:
    """Calls on the same path, of the same with the same inputs; looked for when that of the same id does not hold."""
    if m.alike is None:
        m.alike = _alike(m)
    yield from m.alike.get((_NUMBER.sub("-", id), identity, digest(canonical(inputs))), ())


def _alike(m: Machine) -> Alike:
    found: Alike = {}
    for name, each in m.state.reusable.items():
        if "-" in name:
            key = _NUMBER.sub("-", name), each.identity, digest(canonical(each.inputs))
            found.setdefault(key, []).append(name)
    return found
