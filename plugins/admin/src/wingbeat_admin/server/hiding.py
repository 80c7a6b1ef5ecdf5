"""Executions that the caller may not see, in what is told of those that they may: who holds a slot of a pool that several projects
share, or whose result of a shared task was taken. That somebody does is told; which execution it is, is not."""

from __future__ import annotations

import re

import msgspec

from wingbeat.base.errors import NotFound, SetAside, WingbeatError
from wingbeat.contracts.engine import Engine, ExecutionView, NodeView
from wingbeat.spec.labels import place_of
from wingbeat_admin.places import is_within
from wingbeat_admin.server.policy import Caller

HIDDEN, GONE = "an attempt of another project", "an attempt that is gone"
ASKED_MAX = 100
"""So many executions are looked at for one answer; others are not named."""
_ATTEMPT = re.compile(r"(?<![\w./-])([a-z0-9][a-z0-9-]*)/[^\s,;()]+(?:/\d+\b|(?=, which computes the same))")
"""``execution/node/attempt``, or without the attempt who computes something. A name, ``project/domain/name``, is none."""
_NAMING = ("held by", "which computes the same")
"""What the engine says of others, in the reason of a node."""


class Hiding:
    """Leaves out attempts of executions where a caller may not look."""

    def __init__(self, engine: Engine, caller: Caller) -> None:
        self._engine, self._places = engine, caller.places()
        self._instead: dict[str, str] = {}

    async def text(self, told: str, *, ours: bool = False) -> str:
        """The same without them. `ours`: no words of users are in it, so what looks like one was one, though it may be gone."""
        if self._places is None:
            return told
        for found in _ATTEMPT.finditer(told):
            await self._look(found[1])
        return _ATTEMPT.sub(lambda found: self._shown(found, ours=ours), told)

    async def view(self, view: ExecutionView) -> ExecutionView:
        """The same without them."""
        if self._places is None:
            return view
        self._instead[view.id] = ""
        return msgspec.structs.replace(view, nodes=[await self._node(each) for each in view.nodes])

    async def _node(self, node: NodeView) -> NodeView:
        source = await self.text(node.source, ours=True) if node.of else node.source  # else it is of the same place
        named = any(words in node.reason for words in _NAMING)
        reason = await self.text(node.reason) if named else node.reason
        return msgspec.structs.replace(node, source=source, reason=reason)

    def _shown(self, found: re.Match[str], *, ours: bool) -> str:
        instead = self._instead.get(found[1], HIDDEN)
        return instead if instead and (ours or instead != GONE) else found[0]

    async def _look(self, id: str) -> None:
        """Find out what is said in place of an execution; nothing if it may be named."""
        if id in self._instead or len(self._instead) >= ASKED_MAX:
            return
        try:
            labels = (await self._engine.describe(id, nodes=False)).labels
        except WingbeatError as error:  # it cannot be read now, or is none at all, as in a path of somebody's own
            self._instead[id] = GONE if isinstance(error, NotFound) and not isinstance(error, SetAside) else HIDDEN
        else:
            project, _, domain = place_of(labels).partition("/")
            self._instead[id] = "" if is_within(self._places, project, domain) else HIDDEN
