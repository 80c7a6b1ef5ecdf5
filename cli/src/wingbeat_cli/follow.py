"""Stay with an execution until it has ended: show progress, abort on Ctrl-C, print what came out."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from wingbeat_cli.below import Below
from wingbeat_cli.errors import EXIT_OF_PHASE, FAILED, INTERRUPTED
from wingbeat_cli.render import document
from wingbeat_cli.render.progress import Screen, screen_for
from wingbeat_cli.render.report import failure, values
from wingbeat_cli.render.table import echo

if TYPE_CHECKING:
    from wingbeat.contracts.engine import ExecutionView
    from wingbeat.kernel import Execution, Kernel
    from wingbeat.spec.entities import Closure
    from wingbeat.spec.literal import Literal, Literals


LOOK_S = 0.5
LOOK_SHARE = 20
"""A look is followed by a pause of at least so many times its length."""


async def follow(
    kernel: Kernel,
    execution: Execution,
    output: str,
    *,
    note: str = "",
    source: tuple[str, str] | None = None,
    again: bool = True,
) -> int:
    """Follow an execution to its end, print it, and return the exit status. Ctrl-C aborts the execution.

    Args:
        output: ``table``, ``json`` or ``yaml``.

        note: What to say first, for example that it was resumed.

        source: The file and the entity that it came from, if they are known.

        again: Whether the same command goes on with the same execution; it is said to who leaves at once.
    """
    screen = screen_for()
    try:
        if note:
            screen.note(note)
        with Interrupts(execution, screen, again=again):
            view = await execution.describe()
            if view.phase.value == "QUEUED" and view.reason:
                screen.note(view.reason)
            screen.begin(view)
            looking = asyncio.create_task(look(kernel, execution, screen))
            try:
                async for event in execution.events():
                    screen.take(event)
                await execution.wait()
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
            view = await execution.describe()
    finally:
        screen.close()
    await show(kernel, view, output, source)
    return EXIT_OF_PHASE.get(view.phase.value, FAILED)


def left(kernel: Kernel, told: dict[str, Any], output: str) -> int:
    """Leave an execution to whoever runs it: print its id, or what else is told of it; say so if nobody does now. Returns the exit
    status."""
    if output == "table":
        echo([told["id"]])
    else:
        document.dump(told, output)
    if kernel.holds:
        sys.stderr.write(
            "no process runs this home now: 'wingbeat serve' does, and any command that stays goes on with it\n"
        )
    return 0


async def look(kernel: Kernel, execution: Execution, screen: Screen) -> None:
    """Look now and then how far nodes are, and what child executions wait for, which are no events: the longer a look takes,
    the less often."""
    clock, pause, below = asyncio.get_running_loop().time, LOOK_S, Below(kernel.engine)
    while True:
        await asyncio.sleep(pause)
        began = clock()
        if screen.advancing:
            screen.advance(await execution.describe())
        if children := screen.children:
            for line in await below.told(children):
                screen.note(line)
        pause = max(LOOK_S, LOOK_SHARE * (clock() - began))


async def show(kernel: Kernel, view: ExecutionView, output: str, source: tuple[str, str] | None = None) -> None:
    """Print the outcome: an object, or the outputs and what went wrong."""
    outputs = await plain_outputs(kernel, view)
    if output != "table":
        document.dump(document.execution(view, outputs), output)
    else:
        echo(values(outputs or {}, f"wingbeat get execution {view.id} -o json has all"))
    if view.phase.value != "SUCCEEDED":
        echo(failure(view, source), sys.stderr)


async def plain_outputs(kernel: Kernel, view: ExecutionView) -> dict[str, Any] | None:
    """The outputs as plain data; None where there are none yet."""
    if view.outputs is None:
        return None
    return plain_values(kernel, view.outputs, await kernel.engine.closure(view.id))


def plain_values(kernel: Kernel, literals: Literals, closure: Closure, *, inputs: bool = False) -> dict[str, Any]:
    """Values as plain data. Of a server elsewhere, those that are in its storage only are named: ``{"stored": URI}``."""
    from wingbeat_cli.door import is_elsewhere

    if not is_elsewhere():
        return kernel.plain(literals, closure, inputs=inputs)
    found: dict[str, Any] = {}
    interface = closure.workflow.interface
    for name in (v.name for v in (interface.inputs if inputs else interface.outputs) if v.name in literals):
        try:
            found |= kernel.plain({name: literals[name]}, closure, inputs=inputs)
        except FileNotFoundError:
            found[name] = {"stored": _uri(literals[name])}
    return found


def _uri(literal: Literal) -> str:
    from wingbeat.spec.literal import Inline, Offloaded

    if isinstance(literal, Offloaded):
        return literal.uri
    value = literal.value if isinstance(literal, Inline) else None
    return str(value.get("uri", "")) if isinstance(value, dict) else ""


class Interrupts:
    """While it is entered, Ctrl-C aborts the execution in order, and a second one leaves at once.

    Args:
        again: Whether the same command goes on with the execution.
    """

    def __init__(self, execution: Execution, screen: Screen, *, again: bool = True) -> None:
        self._execution, self._screen, self._again = execution, screen, again
        self._abort: asyncio.Task[None] | None = None
        self._before: Any = None

    def __enter__(self) -> Self:
        # Who started us without Ctrl-C, as a shell does in the background, keeps it so.
        if (before := signal.getsignal(signal.SIGINT)) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self.interrupt)
            self._before = before
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, self._before)  # the loop would leave Python's own
        if self._abort is not None:
            self._abort.cancel()

    def interrupt(self) -> None:
        """Take one Ctrl-C."""
        if self._abort is not None:
            self._leave()
        self._screen.note("aborting; Ctrl-C again leaves at once")
        self._abort = asyncio.get_running_loop().create_task(self._execution.abort("interrupted by Ctrl-C"))

    def _leave(self) -> None:
        looks_on = f"'wingbeat watch execution {self._execution.id}' looks on while it is aborted"
        self._screen.note(f"left; nothing is lost, {'the same command goes on' if self._again else looks_on}")
        self._screen.close()
        sys.stdout.flush()
        # Nothing is waited for: every fact is in the journal, and what still runs is adopted by the next kernel.
        os._exit(INTERRUPTED)
