"""In what a task differs from the one that an earlier execution called, in words; exactly, or as far as that is known. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from wingbeat.spec.codec import mention, task_identity
from wingbeat.spec.entities import TaskSpec
from wingbeat.spec.mention import Mention
from wingbeat.spec.plan import Plan, PlanNode, ScopeKind

_PARTS = ("code", "interface", "environment", "container", "wrappers", "gang", "variables")


def difference(old: TaskSpec, new: TaskSpec) -> str:
    """In what a task differs that decides over its outputs; empty if in nothing."""
    if task_identity(old) == task_identity(new):
        return ""
    return _difference(mention(old), mention(new))


def body_difference(old: TaskSpec, new: TaskSpec | Mention) -> str:
    """In what the body of a dynamic workflow differs, apart from what it calls; empty if in nothing."""
    before, after = mention(old), mention(new) if isinstance(new, TaskSpec) else new
    if before.name == after.name and before.code != after.code:
        if not before.body or not after.body:  # it was compiled before bodies had digests of their own
            return f"the code of {after.name}, or of what it calls, changed"
        if before.body != after.body:
            return "the code of its body changed"
    return _difference(before, msgspec.structs.replace(after, code=before.code))


def _difference(old: Mention, new: Mention) -> str:
    if old.name != new.name:
        return f"it called {old.name} before"
    changed = next((part for part in _PARTS if getattr(old, part) != getattr(new, part)), None)
    return f"the {changed} of {new.name} changed" if changed else ""


class Fate(Struct, frozen=True):
    """What becomes of what a task gave.

    Attributes:
        difference: In what it differs now; then it runs again.

        same: What else has to be the same for it to be kept.

        called: Whether it is kept only if a body calls it again.
    """

    difference: str = ""
    same: str = "inputs"
    called: bool = False


class Fixed:
    """The tasks of a workflow that is known: `plan`. Those of the bodies in it are not, unless nothing has changed (`same`)."""

    def __init__(self, plan: Plan, *, same: bool) -> None:
        self.plan, self._same = plan, same

    def task(self, node: PlanNode, old: TaskSpec) -> Fate:
        """What becomes of what `old` gave to a node."""
        return Fate(difference(old, self.plan.tasks[node.task]))

    def body(self, node: PlanNode, old: TaskSpec) -> str:
        """In what the body of a node differs that was `old`."""
        return body_difference(old, self.plan.tasks[node.task])

    def called(self, node: PlanNode) -> Named:
        """What is known of the tasks that the body of a node calls."""
        return Named(self.plan.tasks[node.task].mentions, same=self._same)

    def inside(self, node: PlanNode) -> Fixed:
        """What is known of the tasks of a node that is a workflow with an end of its own."""
        assert isinstance(node.kind, ScopeKind)
        return Fixed(node.kind.plan, same=self._same)


class Named:
    """The tasks that a body calls, of which those are known that its code names. As `Fixed`."""

    plan = None

    def __init__(self, mentions: Iterable[Mention], *, same: bool) -> None:
        self._same = same
        self._mentions: dict[str, list[Mention]] = {}
        for each in mentions:
            self._mentions.setdefault(each.name, []).append(each)
        self._told: dict[int, tuple[TaskSpec, Fate]] = {}  # bodies call the same again and again

    def task(self, node: PlanNode, old: TaskSpec) -> Fate:
        """See `Fixed`."""
        known = self._told.get(id(old))
        if known is None:
            known = self._told[id(old)] = old, self._fate(mention(old))
        return known[1]

    def _fate(self, old: Mention) -> Fate:
        if self._same:
            return Fate(called=True)
        found = self._mentions.get(old.name, ())
        if not found:
            return Fate(same="task and inputs", called=True)
        # Variables may be those of an override, which only the body knows.
        differences = [_difference(old, msgspec.structs.replace(new, variables=old.variables)) for new in found]
        if "" not in differences:
            return Fate(differences[0])
        own = any(new.variables == old.variables for new in found)
        return Fate(same="inputs" if own else "variables and inputs", called=True)

    def body(self, node: PlanNode, old: TaskSpec) -> str:
        """See `Fixed`."""
        differences = [] if self._same else [body_difference(old, new) for new in self._mentions.get(old.name, ())]
        return differences[0] if differences and "" not in differences else ""

    def called(self, node: PlanNode) -> Named:
        """See `Fixed`. What is named through a body that is named is among it."""
        return self

    def inside(self, node: PlanNode) -> Named:
        """See `Fixed`."""
        return self


Known = Fixed | Named
