"""What the kit for engines runs. It is imported where attempts run, as it is: the closures of the kit have no code bundle."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from wingbeat import approve, task, workflow


@task
def add_one(n: int) -> int:
    """Add one."""
    return n + 1


@task
def fail_below(n: int, least: str) -> int:
    """Fail until there is a file `least`, which says from which number on it succeeds."""
    path = Path(least)
    if not path.exists() or n < int(path.read_text()):
        raise ValueError("as asked")
    return n


@task
def wait_for(path: str) -> int:
    """Go on when there is a file."""
    while not Path(path).exists():
        time.sleep(0.01)
    return 7


@workflow
def twice(n: int) -> int:
    """Two nodes in a row."""
    return add_one(add_one(n))


@workflow
def fails(n: int, least: str) -> int:
    """A node that succeeds, and one that may not."""
    return fail_below(add_one(n), least)


@workflow
def gated(n: int) -> int:
    """A node behind an approval."""
    return add_one(approve("go", n))


@task
def year_of(at: datetime) -> int:
    """Of a moment."""
    return at.year


@workflow
def dated(at: datetime) -> int:
    """A node that takes a moment."""
    return year_of(at)


@workflow
def endless(path: str) -> int:
    """A node that waits."""
    return wait_for(path)
