"""Progress on standard error: a live table on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from wingbeat.base.units import format_duration
from wingbeat_cli.render.board import FAILURE, TERMINAL, Board, Row, short

if TYPE_CHECKING:
    from wingbeat.contracts.engine import ExecutionView
    from wingbeat.contracts.observer import Published

LIVE_DELAY_S = 0.2
"""What ends sooner is not worth the import of a terminal library."""
ITEMS_EVERY_S = 5.0
ITEMS_TOLD_MAX = 10
GATES_MAX = 10
IDLE_S = 0.3
"""How long nothing but gates is under way before that is said."""

AGAIN_S = 10.0
"""Where every line stays, a node says how far it is no more often than this."""


class Screen(Protocol):
    """Where progress is shown."""

    def begin(self, view: ExecutionView) -> None:
        """Start, with the names of the nodes."""

    def take(self, event: Published) -> None:
        """Show an event."""

    @property
    def advancing(self) -> bool:
        """Whether it may be of use to call `advance`."""

    def advance(self, view: ExecutionView) -> None:
        """Show how far nodes are."""

    @property
    def children(self) -> list[str]:
        """The child executions that are under way."""

    def note(self, text: str) -> None:
        """Say something beside the progress."""

    def close(self) -> None:
        """Leave the terminal in order. May be called twice."""


def screen_for(stream: TextIO | None = None) -> Screen:
    """The screen that suits a stream, by default standard error."""
    import os

    target = stream or sys.stderr
    return LiveScreen(target) if target.isatty() and os.environ.get("TERM") != "dumb" else PlainScreen(target)


class PlainScreen:
    """A line for each change of a node; of a map a line now and then, and its first failures."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._board: Board | None = None
        self._idle: Any = None
        self._asked: set[str] = set()
        self._failures: Counter[str] = Counter()

    def begin(self, view: ExecutionView) -> None:
        """Say which execution this is."""
        self._board = Board(view)
        count = len(self._board.rows)
        self.note(f"execution {view.id}: {view.workflow}, {count} node{'s' if count != 1 else ''}")

    def take(self, event: Published) -> None:
        """Print the change, if it is one that people want to see."""
        assert self._board is not None
        known = self._board.rows.get(event.node)
        before = known.phase if known is not None else ""
        row = self._board.take(event)
        if row is not None and row.phase == before and before in FAILURE:
            pass  # the workflow whose only call had failed, and that is told by the same id
        elif row is not None and row.id != event.node:
            self._item(row, event)
        elif row is not None and row.owner:
            if event.phase in FAILURE:
                self._failure(row, change(row, event))
        elif row is not None:
            self._stream.write(change(row, event) + "\n")
        elif event.kind == "execution" and event.phase in TERMINAL:
            board = self._board
            self.note(f"{board.phase}  {board.counts()}  {format_duration(max(board.now - board.began_at, 0.0))}")
        self._look(self._board)

    def _item(self, row: Row, event: Published) -> None:
        """An item of a map: its failure, or that the map has gone on."""
        items = row.items
        assert items is not None
        if event.phase in FAILURE or event.phase == "RETRYABLE_FAILED":
            again = ", will be tried again" if event.phase == "RETRYABLE_FAILED" else ""
            self._failure(row, f"{event.node} {row.task} failed{again}: {short(event.reason)}")
        elif event.phase in TERMINAL and not row.owner and event.at - items.said_at >= ITEMS_EVERY_S:
            items.said_at = event.at
            self._stream.write(f"{row.id} {row.task}: {items.text()}\n")
            self._stream.flush()

    def _failure(self, row: Row, text: str) -> None:
        """A failure somewhere in a map: the first few are told."""
        whole = row.owner.rpartition(".")[0] or row.id
        self._failures[whole] += 1
        if self._failures[whole] <= ITEMS_TOLD_MAX:
            self._stream.write(f"{text}\n")
        elif self._failures[whole] == ITEMS_TOLD_MAX + 1:
            self._stream.write(f"{whole}: further failures of its items are only counted\n")

    def _look(self, board: Board) -> None:
        """Say which gates are to be answered, once, when it turns out that nothing else goes on."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if board.only_waits and any(row.id not in self._asked for row in board.waiting()):
            import asyncio

            self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._ask, board)

    def _ask(self, board: Board) -> None:
        gates = [row for row in board.waiting() if row.id not in self._asked]
        self._asked |= {row.id for row in gates}
        self.note("nothing goes on until it is answered:")
        for row in gates[:GATES_MAX]:
            self.note(f"  {board.answer(row)}")
        if len(gates) > GATES_MAX:
            self.note(f"  and {len(gates) - GATES_MAX} more; wingbeat describe execution {board.id} lists them")

    @property
    def advancing(self) -> bool:
        """See `Screen.advancing`."""
        return self._board is not None and self._board.advancing

    @property
    def children(self) -> list[str]:
        """See `Screen.children`."""
        return [] if self._board is None else list(self._board.children.values())

    def advance(self, view: ExecutionView) -> None:
        """Print a line for each node that is further, but not for the same node again before `AGAIN_S`."""
        assert self._board is not None
        import time

        now = time.monotonic()
        for row in self._board.advance(view):
            if now - row.told_at >= AGAIN_S:
                row.told_at = now
                self._stream.write(f"{row.id} {row.task} {row.phase} {row.progress}\n")
        self._stream.flush()

    def note(self, text: str) -> None:
        """Print a line."""
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is open."""
        if self._idle is not None:
            self._idle.cancel()
        self._stream.flush()


def change(row: Row, event: Published) -> str:
    """One change of a node as a line: ``n3 train SUCCEEDED 12.3 s``."""
    name = f"{row.id} {row.task}".rstrip()
    if event.phase == "RETRYABLE_FAILED":
        return f"{name} attempt {row.attempts - 2} failed, will be tried again: {short(event.reason)}"
    _, _, phase, seconds, notes = row.cells(event.at)
    if phase == "RUNNING":
        if row.gate is not None:
            return f"{name} RUNNING: {row.reason}" + (f" ({row.gate.type})" if row.gate.type else "")
        if row.items is not None:
            return f"{name} RUNNING: {row.items.total} item{'s' if row.items.total != 1 else ''}"
        return f"{name} RUNNING" + (f" (attempt {row.attempts - 1})" if row.attempts > 1 else "")
    notes = f": {notes}" if notes and row.reason else f" ({notes})" if notes else ""
    return " ".join(part for part in (name, phase, seconds) if part) + notes


def live(stream: TextIO, draw: Callable[[], Any]) -> Any:
    """What draws on a terminal again and again, until it is stopped: a `rich.live.Live`."""
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream, highlight=False)
    drawing = Live(get_renderable=draw, console=console, refresh_per_second=8, redirect_stdout=False)
    drawing.start(refresh=True)
    return drawing


class LiveScreen:
    """A table that is drawn again and again; only its last state stays."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._board: Board | None = None
        self._live: Any = None
        self._timer: Any = None
        self._closed = False

    def begin(self, view: ExecutionView) -> None:
        """Draw, as soon as it turns out that it takes a while."""
        import asyncio

        self._board = Board(view)
        self.note(f"execution {view.id}: {view.workflow}")
        self._timer = asyncio.get_running_loop().call_later(LIVE_DELAY_S, self._start)

    def _start(self) -> None:
        self._live = live(self._stream, self._draw)

    def _draw(self) -> Any:
        import time

        from rich.text import Text

        height = self._live.console.height if self._live is not None else 24
        now = self._board.now if self._board and self._board.phase in TERMINAL else time.time()
        return Text.from_ansi("\n".join(self._lines(now, height - 3)), no_wrap=True, overflow="ellipsis")

    def _lines(self, now: float, limit: int) -> list[str]:
        from wingbeat_cli.render.table import coloured

        return self._board.lines(now, limit, colour=coloured(self._stream)) if self._board else []

    def take(self, event: Published) -> None:
        """Keep it for the next time the table is drawn."""
        assert self._board is not None
        self._board.take(event)

    @property
    def advancing(self) -> bool:
        """See `Screen.advancing`; nothing is shown before it is drawn."""
        return self._live is not None and self._board is not None and self._board.advancing

    @property
    def children(self) -> list[str]:
        """See `Screen.children`."""
        return [] if self._board is None else list(self._board.children.values())

    def advance(self, view: ExecutionView) -> None:
        """Keep it for the next time the table is drawn."""
        assert self._board is not None
        self._board.advance(view)

    def note(self, text: str) -> None:
        """Print a line above the table."""
        if self._live is not None:
            self._live.console.print(text, markup=False)
            return
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def close(self) -> None:
        """Draw the last state and give the terminal back."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._live is not None:
            self._live.stop()
        elif self._board is not None:
            self._stream.write("\n".join(self._lines(self._board.now, 20)) + "\n")
        self._stream.flush()
