"""`wingbeat logs`: what the attempts of an execution wrote."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from wingbeat_cli.arguments import execution_argument
from wingbeat_cli.attempts import meant, told
from wingbeat_cli.group import HELP

if TYPE_CHECKING:
    from wingbeat.contracts.engine import ExecutionView, NodeView
    from wingbeat.kernel import Kernel

POLL_S = 0.2
CHUNK_BYTES = 1 << 16
TIME = re.compile(rb"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
ITEMS_MAX = 20
"""How many items of a map are printed at once."""
NAMED_MAX = 20
"""Of so many nodes it is said why they have no log."""
ENDED = "it was cached or recovered, printed nothing, or has not run"
"""All that is known of an item without a log, once it is not under way."""


@click.command("logs", context_settings=HELP)
@execution_argument()
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
    await kernel.bring_logs(id_)
    chosen = Chosen(view, node, kernel)
    printer = Printer(heading=chosen.several)
    while True:
        for each in chosen.nodes:
            before = None
            for number in _numbers(kernel, id_, each, attempt, all_of_them=following):
                path = kernel.log_path(id_, each.id, number)
                printer.print(each, number, path, before)
                for member, log in kernel.member_logs(id_, each.id, number).items():
                    printer.print(each, number, log, member=member)
                before = path if before is not None or _is_turn(path) else None
        if not following or _ended(view, chosen.nodes):
            break
        await asyncio.sleep(POLL_S)
        view = await execution.describe()
        await kernel.bring_logs(id_)
        chosen = Chosen(view, node, kernel)
    if not printer.printed:
        _check_attempt(id_, chosen.nodes, attempt)
        _say_why(chosen.nodes)
    for map_, count in chosen.hidden:
        sys.stderr.write(f"{map_} has {count} more items with logs: wingbeat logs {id_} {map_}.N prints one\n")


def _ended(view: ExecutionView, nodes: list[NodeView]) -> bool:
    return view.phase.terminal or all(each.phase.terminal for each in nodes)


class Chosen:
    """The nodes whose logs are meant, items of maps among them.

    Attributes:
        hidden: Maps, and how many of their items are left out.

        several: Whether a heading has to say whose log it is.

    Raises:
        NotFound: There is no such node.
    """

    def __init__(self, view: ExecutionView, node: str | None, kernel: Kernel) -> None:
        self.hidden: list[tuple[str, int]] = []
        self._view, self._kernel = view, kernel
        named = list(view.nodes) if node is None else self._named(node)
        own = [each for each in named if each.items is None]
        for each in named:
            if each.items is not None:
                own += self._items(each, {found.id for found in own})
        self.nodes = own or named
        self.several = node is None or len(self.nodes) > 1

    def _named(self, node: str) -> list[NodeView]:
        view = self._view
        found = [each for each in view.nodes if each.id == node] or [each for each in view.nodes if each.task == node]
        head, _, tail = node.rpartition(".")
        above = next((each for each in view.nodes if each.id == head), None)
        if not found and above is not None and above.items is not None and tail.isdecimal():
            if int(tail) >= above.items.total:
                raise self._unknown(node, f"{head} has {above.items.total} items, from 0 on")
            found = [each for each in view.nodes if each.id.startswith(f"{node}.")] or [_item(above, int(tail))]
        if not found:
            raise self._unknown(node, f"its nodes: {', '.join(each.id for each in view.nodes[:20]) or 'none'}")
        return found

    def _unknown(self, node: str, hint: str) -> Exception:
        from wingbeat.base.errors import NotFound

        return NotFound(f"execution {self._view.id} has no node {node}", hint=hint)

    def _items(self, node: NodeView, there: set[str]) -> list[NodeView]:
        """Items of a map that have logs: those that failed, then the first ones."""
        assert node.items is not None
        logged = self._kernel.items(self._view.id, node.id)
        failed = [each.item for each in node.items.failures if each.item in logged]
        order = list(dict.fromkeys([*failed, *sorted(logged)]))
        shown = sorted(order[:ITEMS_MAX])
        if len(order) > len(shown):
            self.hidden.append((node.id, len(order) - len(shown)))
        return [_item(node, item) for item in shown if f"{node.id}.{item}" not in there]


def _item(node: NodeView, item: int) -> NodeView:
    """An item of a map that has ended, of which nothing else is known here."""
    from wingbeat.contracts.engine import NodeView as View

    return View(f"{node.id}.{item}", node.task, node.phase, reason=ENDED)


def _numbers(kernel: Kernel, execution: str, node: NodeView, attempt: int | None, *, all_of_them: bool) -> list[int]:
    """Attempts of which there may be logs: those that are known, and those that left a folder."""
    numbers = sorted({*(each.number for each in node.attempts), *kernel.attempts(execution, node.id)})
    if attempt is not None:
        return meant(node, numbers, attempt)
    return numbers if all_of_them else numbers[-1:]


def _is_turn(log: Path) -> bool:
    """Whether an attempt was a turn of a body: it ended where it had to wait, and the next one says again what it said."""
    from wingbeat.runtime.files import SUSPENDED

    return log.with_name(SUSPENDED).exists()


def _check_attempt(execution: str, nodes: list[NodeView], attempt: int | None) -> None:
    """Raise NotFound if none of these nodes ever had this attempt, as far as that is known of all."""
    from wingbeat.base.errors import NotFound

    if attempt is None or not nodes or any(each.reason == ENDED or attempt < len(each.attempts) for each in nodes):
        return
    had = [f"{_name(each)}: {_attempts(each)}" for each in nodes[:NAMED_MAX]]
    whose = _name(nodes[0]) if len(nodes) == 1 else "any node"
    raise NotFound(f"execution {execution} has no attempt {attempt} of {whose}", hint=f"attempts of {'; '.join(had)}")


def _attempts(node: NodeView) -> str:
    """Those that there are, by their numbers."""
    count = len(node.attempts)
    if not count:
        return f"none ({_why(node)})"
    return "0" if count == 1 else f"0 to {count - 1}"


def _say_why(nodes: list[NodeView]) -> None:
    for each in nodes[:NAMED_MAX]:
        sys.stderr.write(f"{_name(each)}: no log ({_why(each)})\n")


def _name(node: NodeView) -> str:
    return f"{node.id} {node.task}".rstrip()


def _why(node: NodeView) -> str:
    """Why there is no log of a node."""
    if node.reason == ENDED:
        return ENDED
    return f"taken from {node.source}" if node.source else "cached" if node.cache == "HIT" else node.phase.value


class Printer:
    """Prints logs, each from where it was left.

    Attributes:
        printed: Whether there was a log at all.
    """

    def __init__(self, *, heading: bool) -> None:
        self._heading = heading
        self._offsets: dict[Path, int] = {}
        self._again: dict[Path, Path] = {}
        self._last: Path | None = None
        self.printed = False

    def print(self, node: NodeView, number: int, path: Path, before: Path | None = None, *, member: str = "") -> None:
        """Print what is new in one log.

        Args:
            before: The log of the turn before, which was printed: what this one says again is left out.

            member: Which process of a gang wrote it, if it was not the first one.
        """
        self._heading = self._heading or bool(member)
        if before is not None and path not in self._offsets:
            self._again[path] = before
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            return
        with stream:
            self.printed = True
            # Past its end, if the middle was taken out of a log that became too long: what is new comes behind it.
            stream.seek(min(self._offsets.get(path, 0), stream.seek(0, 2)))
            if path in self._again and not self._said_again(stream, path):
                return
            while chunk := stream.read(CHUNK_BYTES):
                if self._heading and self._last != path:
                    who = f", {member}" if member else ""
                    sys.stdout.write(f"==> {node.id} {node.task}, attempt {told(node, number)}{who} <==\n")
                    self._last = path
                # Through the text layer's own buffer would break what is no UTF-8.
                sys.stdout.flush()
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
            self._offsets[path] = stream.tell()

    def _said_again(self, stream: BinaryIO, path: Path) -> bool:
        """Go behind what a log says again of the log before; whether it says something else there."""
        at = stream.tell()
        with self._again[path].open("rb") as other:
            other.seek(at)
            for line in stream:
                said, whole = other.readline(), line.endswith(b"\n")
                if not (_said(line) == _said(said) if whole else said.startswith(line)):
                    del self._again[path]
                    stream.seek(at)
                    return True
                at += len(line) if whole else 0  # the rest of a line may still come
        self._offsets[path] = at
        return False


def _said(line: bytes) -> bytes:
    """A line without the time that a logger puts before it, which is another in each turn."""
    return TIME.sub(b"", line, count=1)
