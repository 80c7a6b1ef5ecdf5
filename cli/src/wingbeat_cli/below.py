"""Gates in child executions, and in theirs: who follows the parent learns what waits there, and how it is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from wingbeat.base.errors import NotFound
from wingbeat.base.ids import child_execution_id
from wingbeat_cli.render.report import answers

if TYPE_CHECKING:
    from wingbeat.contracts.engine import Engine, ExecutionView

LOOKED_AT_MAX = 50
"""How many executions are looked at, at a time."""
TOLD_MAX = 10
"""How many gates are told."""


class Below:
    """What waits in the child executions of one that is followed; each gate is told once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._told: set[str] = set()

    async def told(self, children: Iterable[str]) -> list[str]:
        """Lines for the gates that have come to wait since the last call."""
        lines = []
        async for view in self._looked_at(children):
            for name, type_, command in answers(view):
                if command in self._told:
                    continue
                if len(self._told) < TOLD_MAX:
                    lines.append(f"{view.workflow} waits for {name!r} ({type_}), in a child execution: {command}")
                elif len(self._told) == TOLD_MAX:
                    lines.append(
                        "more gates wait in child executions: wingbeat describe execution ID, of each, lists them"
                    )
                self._told.add(command)
        return lines

    async def _looked_at(self, children: Iterable[str]) -> AsyncIterator[ExecutionView]:
        """These executions, then those that they wait for, as far as they are there and there are not too many."""
        todo = list(children)[:LOOKED_AT_MAX]
        for name in todo:  # which grows
            try:
                view = await self._engine.describe(name)
            except NotFound:
                continue
            yield view
            todo += _waited_for(view)[: LOOKED_AT_MAX - len(todo)]


def _waited_for(view: ExecutionView) -> list[str]:
    """Executions for which nodes may wait: such nodes run, and have no attempt, gate or items."""
    return [
        child_execution_id(view.id, node.id)
        for node in view.nodes
        if node.phase.value == "RUNNING" and not node.attempts and node.gate is None and node.items is None
    ]
