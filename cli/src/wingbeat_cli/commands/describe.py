"""`wingbeat describe`: one thing in full."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wingbeat_cli.arguments import execution_argument
from wingbeat_cli.entities import KINDS, entity
from wingbeat_cli.group import HELP, output_option

if TYPE_CHECKING:
    from wingbeat.contracts.engine import ExecutionView
    from wingbeat.kernel import Kernel
    from wingbeat.spec.entities import Closure
    from wingbeat_cli.render.report import History


@click.group("describe", context_settings=HELP)
def command() -> None:
    """Show one thing in full."""


@command.command("execution")
@execution_argument()
@output_option()
def execution(id_: str, output: str) -> int:
    """Show an execution: its inputs, outputs, nodes and attempts, and what went wrong."""
    from wingbeat_cli.door import reading

    reading(lambda kernel: _show(kernel, id_, output))
    return 0


for kind in KINDS:
    command.add_command(entity(kind))


async def _show(kernel: Kernel, id_: str, output: str) -> None:
    from wingbeat_cli.door import is_driven
    from wingbeat_cli.follow import plain_outputs, plain_values
    from wingbeat_cli.render import document, report
    from wingbeat_cli.render.table import coloured, echo

    view = await (await kernel.get(id_)).describe()
    closure = await kernel.engine.closure(id_)
    inputs = plain_values(kernel, view.inputs, closure, inputs=True)
    outputs = await plain_outputs(kernel, view)
    if output != "table":
        document.dump(document.details(view, outputs, inputs), output)
    else:
        history = await _history(kernel, view, closure)
        driven = view.phase.terminal or is_driven()
        echo(report.describe(view, outputs, inputs, history, driven=driven, colour=coloured(sys.stdout)))


async def _history(kernel: Kernel, view: ExecutionView, closure: Closure) -> History:
    """Of items of maps that have ended, what is going to be told and only the journal knows."""
    from wingbeat_cli.render.board import FAILURE
    from wingbeat_cli.render.report import ITEMS_MAX, History

    maps = [(node.id, node.items) for node in view.nodes if node.items is not None]
    wanted = {f"{id_}.{each.item}" for id_, items in maps for each in items.failures if not each.reason}
    chosen_max = ITEMS_MAX + 1 if maps and _has_formulas(closure) else 0  # one more tells that there are more
    found, known = History(), {node.id for node in view.nodes}
    found.children = await _children(kernel, view)
    if not wanted and not chosen_max:
        return found
    async for event in kernel.engine.events(view.id):
        if event.node in wanted and event.kind == "node" and event.phase in FAILURE and event.reason:
            found.reasons[event.node] = event.reason
        if len(found.chosen) < chosen_max and "chosen" in event.evidence and event.node not in known:
            found.chosen.append((event.node, event.attempt, event.evidence["chosen"]))
        if len(found.reasons) == len(wanted) and len(found.chosen) == chosen_max:
            break
    return found


async def _children(kernel: Kernel, view: ExecutionView) -> dict[str, str]:
    """Of maps with failed items, the execution that the first of those was, where it was one."""
    from wingbeat.base.errors import NotFound
    from wingbeat.base.ids import child_execution_id
    from wingbeat_cli.render.report import first_failed

    found = {}
    for item in filter(None, map(first_failed, view.nodes)):
        child = child_execution_id(view.id, item)
        try:
            await kernel.engine.describe(child, nodes=False)
        except NotFound:
            continue
        found[item] = child
    return found


def _has_formulas(closure: Closure) -> bool:
    """Whether there are options that depend on the call: else nobody has to look for what they came to."""
    from wingbeat.spec.entities import TaskSpec, WorkflowSpec

    entities = closure.entities.values()
    overrides = [node.override for each in entities if isinstance(each, WorkflowSpec) for node in each.nodes]
    tasks = [each for each in entities if isinstance(each, TaskSpec)]
    return any(each is not None and each.formulas for each in (*tasks, *overrides))
