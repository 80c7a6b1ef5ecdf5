"""`wingbeat logs`: what the attempts of an execution wrote."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wingbeat_cli.group import HELP

if TYPE_CHECKING:
    from wingbeat.contracts.engine import ExecutionView, NodeView
    from wingbeat.kernel import Kernel

POLL_S = 0.2
CHUNK_BYTES = 1 << 16


@click.command("logs", context_settings=HELP)
@click.argument("id_", metavar="ID")
@click.argument("node", required=False)
@click.option(
    "--attempt", type=click.IntRange(0), help="Which attempt, from 0 on; by default the last one of each node."
)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on printing until it has ended.")
def command(id_: str, node: str | None, attempt: int | None, following: bool) -> int:
    """Print the logs of an execution, or of one of its nodes."""
    from wingbeat_cli.door import reading

    reading(lambda kernel: _print(kernel, id_, node, attempt, following))
    return 0


async def _print(kernel: Kernel, id_: str, node: str | None, attempt: int | None, following: bool) -> None:
    import asyncio

    execution = await kernel.get(id_)
    view = await execution.describe()
    printer = Printer(heading=node is None)
    while True:
        found = chosen(view, node)
        for each in found:
            for number in _numbers(each, attempt, all_of_them=following):
                printer.print(each, number, kernel.log_path(id_, each.id, number))
        if not following or _ended(view, found):
            break
        await asyncio.sleep(POLL_S)
        view = await execution.describe()
    if not printer.printed:
        _say_why(found)


def _ended(view: ExecutionView, nodes: list[NodeView]) -> bool:
    return view.phase.terminal or all(each.phase.terminal for each in nodes)


def chosen(view: ExecutionView, node: str | None) -> list[NodeView]:
    """The nodes that are meant. Raises `NotFound`."""
    from wingbeat.base.errors import NotFound

    if node is None:
        return list(view.nodes)
    found = [each for each in view.nodes if each.id == node] or [each for each in view.nodes if each.task == node]
    if not found:
        names = ", ".join(each.id for each in view.nodes[:20]) or "none"
        raise NotFound(f"execution {view.id} has no node {node}", hint=f"its nodes: {names}")
    return found


def _numbers(node: NodeView, attempt: int | None, *, all_of_them: bool) -> list[int]:
    numbers = [each.number for each in node.attempts]
    if attempt is not None:
        return [attempt] if attempt in numbers else []
    return numbers if all_of_them else numbers[-1:]


def _say_why(nodes: list[NodeView]) -> None:
    for each in nodes[:20]:
        why = f"taken from {each.source}" if each.source else "cached" if each.cache == "HIT" else each.phase.value
        sys.stderr.write(f"{each.id} {each.task}: no log ({why})\n")


class Printer:
    """Prints logs, each from where it was left.

    Attributes:
        printed: Whether there was a log at all.
    """

    def __init__(self, *, heading: bool) -> None:
        self._heading = heading
        self._offsets: dict[Path, int] = {}
        self._last: Path | None = None
        self.printed = False

    def print(self, node: NodeView, number: int, path: Path) -> None:
        """Print what is new in one log."""
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            return
        with stream:
            self.printed = True
            # Past its end, if the middle was taken out of a log that became too long: what is new comes behind it.
            stream.seek(min(self._offsets.get(path, 0), stream.seek(0, 2)))
            while chunk := stream.read(CHUNK_BYTES):
                if self._heading and self._last != path:
                    sys.stdout.write(f"==> {node.id} {node.task}, attempt {number} <==\n")
                    self._last = path
                # Through the text layer's own buffer would break what is no UTF-8.
                sys.stdout.flush()
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
            self._offsets[path] = stream.tell()
