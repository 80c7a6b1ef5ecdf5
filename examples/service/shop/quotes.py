"""A workflow whose tasks run in the service itself, in its event loop: they use what the service holds.

They are as durable as others: what was answered is journaled, and is not asked again after a restart. But nothing isolates
them, so they must never block. Only the service can allow this, by giving them to its kernel (`inline=`, see `app.py`).
"""

import asyncio

from wingbeat import NonRetryable, task, workflow

PRICES = {"apple": 0.4, "pear": 0.55, "quince": 1.2}
"""Stands for what a service holds: a pool of connections, a model in memory, a client with a token."""


@task(retries=3)
async def price(item: str) -> float:
    """The price of one piece."""
    await asyncio.sleep(0)  # stands for the query
    if item not in PRICES:
        raise NonRetryable(f"there is no {item}")
    return PRICES[item]


@task
async def times(each: float, count: int) -> float:
    return round(each * count, 2)


@workflow
def quote(item: str, count: int = 1) -> float:
    return times(price(item), count)


INLINE = (price, times)
