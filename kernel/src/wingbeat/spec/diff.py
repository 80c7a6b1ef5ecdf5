"""What differs between two specs, in words of what people wrote: names instead of digests, nodes by their ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from wingbeat.spec.codec import spec_digest
from wingbeat.spec.entities import Closure, Entity, LaunchPlanSpec, TaskSpec, WorkflowSpec

_KEYS = ("id", "name")
"""By what the parts of a list are told apart: nodes, and inputs and outputs."""


class Difference(Struct, frozen=True):
    """One thing that differs.

    Attributes:
        entity: What it is of: ``task m.f``, ``workflow m.w``, ``launch plan p``; empty for the code bundle and the environment.

        path: Where in it, as ``retry.count``; empty for an entity that is there in one of the two only.

        old: What it was, as plain data; UNSET if it was not there.

        new: What it is; UNSET if it is not there any more.
    """

    entity: str
    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        at = f"{self.entity}: {self.path}" if self.entity and self.path else self.entity or self.path
        if self.old is UNSET:
            return f"{at}: added" if not self.path else f"{at}: {_shown(self.new)}, which was not there"
        if self.new is UNSET:
            return f"{at}: removed" if not self.path else f"{at}: no longer {_shown(self.old)}"
        if _is_digest(self.old) and _is_digest(self.new):
            return f"{at}: changed"
        return f"{at}: {_shown(self.old)} → {_shown(self.new)}"


def differences(
    old: Closure, new: Closure, *, old_plan: LaunchPlanSpec | None = None, new_plan: LaunchPlanSpec | None = None
) -> list[Difference]:
    """What differs between two closures, entity by entity; empty if nothing does.

    Args:
        old_plan: The launch plan that the old one is of, if it is; it is compared like all else.

        new_plan: That of the new one.
    """
    before, after = _named(_with_plan(old, old_plan)), _named(_with_plan(new, new_plan))
    found: list[Difference] = []
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            found.append(Difference(name, "", name, UNSET))
        elif name not in before:
            found.append(Difference(name, "", UNSET, name))
        else:
            found += _differences(name, "", before[name], after[name])
    for part in ("bundle", "environment", "format"):
        found += _differences("", part, getattr(old, part), getattr(new, part))
    return found


def _with_plan(closure: Closure, plan: LaunchPlanSpec | None) -> Closure:
    return closure if plan is None else replace(closure, entities={**closure.entities, spec_digest(plan): plan})


def _task_run(closure: Closure) -> str:
    """The digest of the task that the workflow at the root only stands around, as a task that is run by itself has one."""
    root = closure.entities[closure.root]
    if not isinstance(root, WorkflowSpec) or len(root.calls) != 1:
        return ""
    called = closure.entities.get(root.calls[0])
    return root.calls[0] if isinstance(called, TaskSpec) and called.name == root.name else ""


def _named(closure: Closure) -> dict[str, dict[str, Any]]:
    """The entities as plain data, by what people call them, the root first. What they refer to is named, too."""
    kinds = {TaskSpec: "task", WorkflowSpec: "workflow", LaunchPlanSpec: "launch plan"}
    digests = [closure.root, *sorted(digest for digest in closure.entities if digest != closure.root)]
    names: dict[str, str] = {}
    for digest in digests:
        entity = closure.entities[digest]
        name, count = f"{kinds[type(entity)]} {entity.name}", 1
        while (found := name if count == 1 else f"{name} ({count})") in names.values():
            count += 1
        names[digest] = found
    if task := _task_run(closure):  # nobody has written that workflow
        names[closure.root] = names[task]
        digests.remove(closure.root)
    return {names[digest]: _plain(closure.entities[digest], names) for digest in digests}


def _plain(entity: Entity, names: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(entity)
    if isinstance(entity, WorkflowSpec):
        calls = [names.get(digest, digest) for digest in entity.calls]
        for node in found.get("nodes", ()):
            number = node.get("call", 0)
            node["call"] = calls[number] if 0 <= number < len(calls) else ""
        if entity.on_failure is not None:
            found["on_failure"] = calls[entity.on_failure]
        found["calls"] = calls
    if isinstance(entity, LaunchPlanSpec):
        found["workflow"] = names.get(entity.workflow, entity.workflow)
    return found


def _differences(entity: str, path: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            below = f"{path}.{key}" if path else str(key)
            yield from _differences(entity, below, old.get(key, UNSET), new.get(key, UNSET))
        return
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        before, after = _keyed(old), _keyed(new)
        if before is not None and after is not None:
            yield from _differences(entity, path, before, after)
            shared = [[key for key in one if key in other] for one, other in ((before, after), (after, before))]
            if shared[0] != shared[1]:
                yield Difference(entity, f"{path}, in order", list(before), list(after))
            return
    if old != new or type(old) is not type(new):  # 1 is not True, nor 1.0
        yield Difference(entity, path, old, new)


def _keyed(items: list[Any] | tuple[Any, ...]) -> dict[str, Any] | None:
    """The items by their id or name, if each has one of its own."""
    for key in _KEYS:
        keyed = {item[key]: item for item in items if isinstance(item, dict) and isinstance(item.get(key), str)}
        if len(keyed) == len(items):
            return keyed
    return None


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("sha256:")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) and value else msgspec.json.encode(value).decode()
    return text if len(text) <= 200 else f"{text[:197]}…"


__all__ = ["Difference", "differences"]
