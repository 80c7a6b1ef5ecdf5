"""Which tasks the body of a dynamic workflow names: those that it may call, as far as can be known before it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from wingbeat.author.compose import Callee
from wingbeat.author.dynamicflow import Dynamic
from wingbeat.author.fingerprint import own_code
from wingbeat.author.reference import Reference
from wingbeat.author.task import Task
from wingbeat.author.workflow import Workflow
from wingbeat.spec.codec import mention
from wingbeat.spec.mention import Mention
from wingbeat.types import BlobIO

MENTIONS_MAX = 1000


def mentions(body: Dynamic[..., Any], io: BlobIO) -> tuple[Mention, ...]:
    """The tasks that `body` and the workflows that it names name, the first `MENTIONS_MAX`, in the order of their names.

    What a launch plan launches is not among them: it is an execution of its own.
    """
    found: set[Mention] = set()
    for task in _named(body):
        if isinstance(task, Reference):
            continue
        try:
            found.add(mention(task.spec(io)))
        except Exception:  # noqa: BLE001, S112  # it runs the author's annotations; what cannot be compiled cannot be called
            continue
        if len(found) == MENTIONS_MAX:
            break
    return tuple(sorted(found, key=msgspec.structs.astuple))


def references(body: Dynamic[..., Any]) -> list[Reference]:
    """What others have registered that `body` and the workflows that it names name, in the order of the ids."""
    return sorted((each for each in _named(body) if isinstance(each, Reference)), key=lambda each: each.name)


def _named(body: Dynamic[..., Any]) -> Iterator[Task[..., Any] | Reference]:
    """Each once, however workflows name each other."""
    seen: dict[int, Callee] = {}  # the objects too: an id is only unique while its object lives
    todo: list[Dynamic[..., Any] | Workflow[..., Any]] = [body]
    while todo:
        for value in own_code(todo.pop().fn).named:
            callee = getattr(value, "callee", value)  # of a map that is not called yet
            target = callee.target if isinstance(callee, Callee) else None
            if target is None or id(target) in seen:
                continue
            seen[id(target)] = target
            if isinstance(target, Dynamic | Workflow):
                todo.append(target)
            if isinstance(target, Task | Reference):
                yield target
