"""A workflow whose tasks run in processes of their own: a delivery is taken in when its file has come.

The service imports this module, but the tasks do not run in it: what they import or how long they work cannot disturb
the service, and when the service is restarted they go on.
"""

import csv
import time
from pathlib import Path

from wingbeat import NonRetryable, task, workflow


@task(retries=2, timeout=3600)
def arrived(path: str) -> str:
    """Wait until the supplier has put the file there; returns what is in it."""
    while not Path(path).exists():
        time.sleep(0.02)
    return Path(path).read_text()


@task
def stock(text: str) -> dict[str, int]:
    """How many of each item came."""
    counts: dict[str, int] = {}
    for item, count in csv.reader(text.splitlines()):
        if not count.strip().isdecimal():
            raise NonRetryable(f"{count!r} of {item} is no count")
        counts[item] = counts.get(item, 0) + int(count)
    return counts


@task
def pieces(counts: dict[str, int]) -> int:
    """All of them together."""
    return sum(counts.values())


@workflow
def delivery(path: str) -> int:
    return pieces(stock(arrived(path)))
