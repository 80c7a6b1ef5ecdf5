"""Executions a second that a collection looks through, and that it lets go of."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from benchmarks.harness import Line, Timing, folder, one_core, rate, report, timed

from wingbeat import Kernel

EXECUTIONS, AT_ONCE, BATCH = 10_000, 1000, 200


def raw(home: Path) -> list[Timing]:
    """Their rows, deleted by their keys in a copy of the journal."""
    source, copy = sqlite3.connect(home / "home" / "journal.sqlite"), sqlite3.connect(home / "copy.sqlite")
    source.backup(copy)
    copy.execute("PRAGMA journal_mode=WAL")
    ids = [id for (id,) in copy.execute("SELECT id FROM executions")]
    with timed() as timing:
        for start in range(0, len(ids), BATCH):
            part = ids[start : start + BATCH]
            marks = ",".join("?" * len(part))
            with copy:
                for statement in ("facts WHERE execution", "executions WHERE id"):
                    copy.execute(f"DELETE FROM {statement} IN ({marks})", part)  # noqa: S608  # question marks
    return [timing]


async def fill(home: Path) -> None:
    """Executions of two steps that have ended."""
    from benchmarks.programs import noop

    async with Kernel(home / "home", inline=[noop.inc, noop.total], discover=False, settings=kept(90)) as kernel:
        for start in range(0, EXECUTIONS, AT_ONCE):
            inputs = ({"n": start + i} for i in range(AT_ONCE))
            launched = await asyncio.gather(*(kernel.launch(noop.three, each) for each in inputs))
            await asyncio.gather(*(execution.wait() for execution in launched))


def kept(days: float) -> dict[str, dict[str, Any]]:
    """For how long executions are kept."""
    return {"retention": {"days": days, "spare_hours": 0, "every_hours": 0}}


async def measure() -> list[Line]:
    """A look at all of them, which stay; then they go."""
    with folder() as home:
        await fill(home)
        limit = raw(home)
        times = []
        for days in (90, 1e-9):
            async with Kernel(home / "home", discover=False, settings=kept(days)) as kernel:
                with timed() as timing:
                    found = await kernel.collect()
                times.append(timing)
                assert found.executions == (EXECUTIONS if days < 1 else 0)
    what = f"sqlite3: rows deleted by their keys, {BATCH} executions at once"
    return [
        rate("retention: executions looked through", EXECUTIONS, times[:1], raw=limit, raw_what=what, goal=None),
        rate("retention: executions let go of", EXECUTIONS, times[1:], raw=limit, raw_what=what, goal=None),
    ]


if __name__ == "__main__":
    one_core()
    report(asyncio.run(measure()))
