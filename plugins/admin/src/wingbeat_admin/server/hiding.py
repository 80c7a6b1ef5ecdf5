"""Executions that the caller may not see, in what is told of those that they may: who holds a slot of a pool that several projects
share, or whose result of a shared task was taken. That somebody does is told; which execution it is, is not."""

from __future__ import annotations

import re

import msgspec

from wingbeat.base.errors import NotFound
from wingbeat.contracts.engine import Engine, ExecutionView, NodeView
from wingbeat.spec.labels import place_of
from wingbeat_admin.places import is_within
from wingbeat_admin.server.policy import Caller

HIDDEN = "an attempt of another project"
ASKED_MAX = 100
"""So many executions are looked at for one answer; others are not named."""
_ATTEMPT = re.compile(r"(?<![\w./-])([a-z0-9][a-z0-9-]*)/[^\s,;()]+/\d+")
"""``execution/node/attempt``."""


class Hiding:
    """Leaves out attempts of executions where a caller may not look."""

    def __init__(self, engine: Engine, caller: Caller) -> None:
        self._engine, self._places = engine, caller.places()
        self._seen: dict[str, bool] = {}

    async def text(self, told: str) -> str:
        """The same without them."""
        if self._places is None:
            return told
        seen = {found[1]: await self._may_see(found[1]) for found in _ATTEMPT.finditer(told)}
        return _ATTEMPT.sub(lambda found: found[0] if seen[found[1]] else HIDDEN, told)

    async def view(self, view: ExecutionView) -> ExecutionView:
        """The same without them."""
        if self._places is None:
            return view
        self._seen[view.id] = True
        return msgspec.structs.replace(view, nodes=[await self._node(each) for each in view.nodes])

    async def _node(self, node: NodeView) -> NodeView:
        if not node.source and "held by" not in node.reason:
            return node
        return msgspec.structs.replace(node, source=await self.text(node.source), reason=await self.text(node.reason))

    async def _may_see(self, id: str) -> bool:
        if id not in self._seen:
            if len(self._seen) >= ASKED_MAX:
                return False
            try:
                labels = (await self._engine.describe(id, nodes=False)).labels
            except NotFound:  # it is none, as in a path of somebody's own
                self._seen[id] = True
            else:
                project, _, domain = place_of(labels).partition("/")
                self._seen[id] = is_within(self._places, project, domain)
        return self._seen[id]
