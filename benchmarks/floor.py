"""The floor: an engine with everything taken away but durability. One row a step, group commit, asyncio and sqlite3.

Run as a program, it does three steps, each in a forked process: python -m benchmarks.floor FILE.
"""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable
from typing import Any


class Floor:
    """Runs functions and journals what they gave; a step returns when that is durable."""

    def __init__(self, path: str, synchronous: str = "FULL") -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(f"PRAGMA synchronous={synchronous}")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS steps(workflow, step, value, PRIMARY KEY(workflow, step)) WITHOUT ROWID"
        )
        self._rows: list[tuple[str, int, Any]] = []
        self._waiting: list[asyncio.Future[None]] = []

    async def step(self, workflow: str, step: int, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function and journal its value."""
        loop = asyncio.get_running_loop()
        value = function(*args)
        future = loop.create_future()
        if not self._rows:
            loop.call_soon(self._commit)  # whoever comes before it runs shares the commit
        self._rows.append((workflow, step, value))
        self._waiting.append(future)
        await future
        return value

    def close(self) -> None:
        self._db.close()

    def _commit(self) -> None:
        rows, waiting = self._rows, self._waiting
        self._rows, self._waiting = [], []
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO steps VALUES (?, ?, ?)", rows)
        self._db.execute("COMMIT")
        for future in waiting:
            future.set_result(None)


def single_commits(path: str, synchronous: str, count: int) -> None:
    """What a chain cannot be faster than: one row, one commit, one after the other."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(f"PRAGMA synchronous={synchronous}")
    db.execute("CREATE TABLE IF NOT EXISTS steps(step INTEGER PRIMARY KEY, value)")
    for step in range(count):
        db.execute("INSERT INTO steps(value) VALUES (?)", (step,))
    db.close()


def fork_and_wait() -> None:
    """One process that does nothing."""
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


async def three_processes(path: str) -> None:
    """Three steps, each in a process of its own."""
    floor = Floor(path)
    for step in range(3):
        await floor.step("w", step, fork_and_wait)
    floor.close()


if __name__ == "__main__":
    asyncio.run(three_processes(sys.argv[1]))
