"""Look on: at executions as they come and go, or at one until it has ended. Nothing is run, and nothing aborted, by that."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING

from wingbeat_cli.errors import EXIT_OF_PHASE, FAILED, INTERRUPTED

if TYPE_CHECKING:
    from wingbeat.contracts.engine import Change, Engine, Summary
    from wingbeat.contracts.observer import Published
    from wingbeat.kernel import Kernel
    from wingbeat_cli.render.listing import ListScreen

LOOK_S = 0.5
"""Time between two looks into a home: nobody tells who only reads."""
PAGE = 100
LOOKED_THROUGH_MAX = 1000
"""Among so many of the newest executions those are looked for that a list begins with."""


async def until_interrupted(work: Coroutine[None, None, int]) -> int:
    """Do it to its end, or until Ctrl-C, which ends it in order; the exit status."""
    task = asyncio.ensure_future(work)
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:  # who started us without Ctrl-C keeps it so
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return INTERRUPTED
    finally:
        if before is not signal.SIG_IGN:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, before)


async def watch_executions(engine: Engine, wanted: Callable[[Summary], bool], screen: ListScreen, limit: int) -> int:
    """Show the newest executions that are wanted, and then every change of those that are; without an end."""
    try:
        number = await last_number(engine)
        for each in reversed(await _newest(engine, wanted, limit)):
            screen.take(each)
        while True:
            async for changes in engine.changes(number):
                for change in changes:
                    number = change.number
                    if wanted(change.execution):
                        screen.take(change.execution)
            await asyncio.sleep(LOOK_S)
    finally:
        screen.close()


async def watch_execution(kernel: Kernel, id_: str, output: str) -> int:
    """Show one execution until it has ended; the exit status is that of its phase."""
    from wingbeat_cli.follow import look, show
    from wingbeat_cli.render import document
    from wingbeat_cli.render.progress import screen_for

    execution = await kernel.get(id_)
    if output != "table":
        async for event in events_of(kernel.engine, id_):
            document.dump(document.event(event), output)
        view = await kernel.engine.describe(id_, nodes=False)
        return EXIT_OF_PHASE.get(view.phase.value, FAILED)
    screen = screen_for(sys.stdout)
    try:
        screen.begin(await execution.describe())
        looking = asyncio.create_task(look(kernel, execution, screen))
        try:
            async for event in events_of(kernel.engine, id_):
                screen.take(event)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
    finally:
        screen.close()
    view = await execution.describe()
    await show(kernel, view, output)
    return EXIT_OF_PHASE.get(view.phase.value, FAILED)


async def events_of(engine: Engine, id_: str) -> AsyncIterator[Published]:
    """What happened and happens in an execution, until it has ended: also of an engine that tells only what there is now."""
    cursor = -1
    while True:
        ended = (await engine.describe(id_, nodes=False)).phase.terminal
        async for event in engine.events(id_, cursor):
            cursor = event.cursor
            yield event
        if ended:
            return
        await asyncio.sleep(LOOK_S)


async def last_number(engine: Engine) -> int:
    """The number of the last change there is: found in a few dozen looks, at a page each, however long the history."""
    low, step = 0, 1
    while found := await _behind(engine, low + step - 1):
        low, step = found[-1].number, 2 * step
    high = low + step - 1  # behind which there is none
    while low < high:
        middle = (low + high) // 2
        if found := await _behind(engine, middle):
            low = found[-1].number
        else:
            high = middle
    return low


async def _behind(engine: Engine, number: int) -> list[Change]:
    """The first changes behind a number."""
    changes = engine.changes(number)
    try:
        return await anext(changes, [])
    finally:
        if isinstance(changes, AsyncGenerator):
            await changes.aclose()


async def _newest(engine: Engine, wanted: Callable[[Summary], bool], limit: int) -> list[Summary]:
    found: list[Summary] = []
    after, looked = "", 0
    while len(found) < limit and looked < LOOKED_THROUGH_MAX:
        page = await engine.executions(after=after, limit=PAGE)
        found += filter(wanted, page)
        looked += len(page)
        if len(page) < PAGE:
            break
        after = page[-1].id
    return found[:limit]
