"""What the kit for engines runs. It is imported where attempts run, as it is: the closures of the kit have no code bundle."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from wingbeat import Artifact, FailurePolicy, Resources, approve, task, workflow


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


@task(resources=Resources(cpu=2, mem="2Gi"))
def much(n: int) -> int:
    """Want more than others."""
    return n


@workflow
def twice(n: int) -> int:
    """Two nodes in a row."""
    return add_one(add_one(n))


@workflow(failure_policy=FailurePolicy.FAIL_IMMEDIATELY)
def at_once(n: int) -> int:
    """Two nodes in a row, and what becomes of one when the other fails."""
    return add_one(add_one(n))


@workflow
def greedy(n: int) -> int:
    """A node that wants much."""
    return much(n)


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


@task
def positive(n: int) -> int:
    """Fail below zero."""
    if n < 0:
        raise ValueError("as asked")
    return n


@task
def as_text(n: int, text: str) -> str:
    """Both in one."""
    return f"{n} {text}"


@task
def shouted(text: str) -> str:
    """In capitals."""
    return f"{text.upper()}!"


@workflow(publishes={"o0": Artifact("numbers", partitions={"city": "city", "n": "n"})})
def numbered(n: int, city: str) -> int:
    """What publishes an artifact."""
    return positive(n)


@task
def sign(n: int) -> str:
    """Little of it."""
    return "above" if n > 0 else "below"


@workflow(publishes={"o0": Artifact("signs", partitions={"city": "city"})})
def named(n: int, city: str) -> str:
    """What publishes the same for many inputs."""
    return sign(n)


@workflow
def outer(n: int) -> int:
    """What calls it."""
    return numbered(n, "sf")


@workflow
def told(n: int, text: str) -> str:
    """What takes two inputs."""
    return as_text(n, text)


@workflow
def shout(text: str) -> str:
    """What takes a text."""
    return shouted(text)
