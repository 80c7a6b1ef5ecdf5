"""Correct programs, in which no checker may find an error."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from msgspec import structs

from wingbeat import LaunchPlan, approve, case, cond, gather, map_task, sleep, task, wait_for_input, workflow
from wingbeat.spec.entities import TaskSpec, WrapperSpec


@dataclass
class Model:
    loss: float
    layers: list[int]


class Parts(NamedTuple):
    train: list[int]
    test: list[int]


@task
def inc(x: int) -> int:
    return x + 1


@task(retries=2)
def total(values: list[int]) -> int:
    return sum(values)


@task
def split(values: list[int], share: float = 0.5) -> Parts:
    return Parts(values, values)


@task
def pair(x: int) -> tuple[int, str]:
    return x, str(x)


@task
def fit(values: list[int]) -> Model:
    return Model(0.5, values)


@task
def note(text: str) -> None:
    assert text


@task
def scale(x: int, by: float, plus: float = 0.0) -> float:
    return x * by + plus


@task
def largest(values: list[float | None]) -> float:
    return max(value for value in values if value is not None)


@task
async def fetch(x: int) -> str:
    await asyncio.sleep(0)
    return str(x)


class Session:
    """What a plugin's wrapper fills in."""


class Sessions:
    """A plugin's configuration."""

    @property
    def provides(self) -> tuple[str, ...]:
        return ("right.Session",)

    def configure(self, task: TaskSpec) -> TaskSpec:
        return structs.replace(task, wrappers=(WrapperSpec("sessions", "right:Session"),))


@task(task_config=Sessions(), retries=2)
def queried(session: Session, n: int) -> int:
    return n


@workflow
def fan(n: int) -> int:
    several = [inc(n) for _ in range(3)]
    more = []
    for i in range(3):
        more.append(inc(i))
    known: list[int] = []
    known.append(total(more))
    by_name = {"a": inc(1)}
    inc(by_name["a"])
    for _ in range(3):
        n = inc(n)
    return total([total(several), total(known), n, 3])


@workflow
def fields(values: list[int]) -> float:
    parts = split(values)
    train, test = split(parts.train, share=0.1)
    number, text = pair(total(test))
    note(text).after(inc(number))
    note(fetch(number))
    return fit(train).loss


@workflow
def nothing() -> None:
    note("a").after(queried(3))


@workflow
def branches(x: int) -> int:
    found = cond((x > 3) & (x < 9), lambda: inc(x), lambda: fan(x))
    chosen = case([(x > 3, lambda: inc(x)), (x == 3, lambda: 7)], default=lambda: inc(inc(x)))
    return total([found, chosen])


@workflow
def maps(xs: list[int]) -> float:
    plain = map_task(inc)(xs)
    bound = map_task(partial(scale, by=2.0), concurrency=4, min_success_ratio=0.5)(xs)
    map_task(partial(scale, 2))(by=[1.0, 2.0])
    map_task(note)(map_task(fetch)(plain))
    return largest(bound)


@workflow
def gates(x: int) -> float:
    approve("go on")
    sleep("1h")
    rate = wait_for_input("rate", float)
    later = sleep(timedelta(hours=1), inc(x))
    return scale(approve("these", later), by=rate)


@workflow
def others(x: int) -> int:
    nothing()
    return total([fan(x), PLAN(n=x), search(n=3), inc.override(retries=3)(x), SEARCH(n=2)])


@workflow
async def search(n: int) -> int:
    scores = await gather(*(inc(seed) for seed in range(n)))
    best = max(scores)
    while best < 3:
        best += await inc(best)
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(inc(i)) for i in range(n)]
    best = max(best, *(each.result() for each in made))
    calls = [asyncio.create_task(inc(s)) for s in range(n)]
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    first, second = await gather(inc(1), fetch(2))
    return done.pop().result() + best + first + len(second)


@workflow
async def steps(n: int) -> float:
    n = n // 2 if await inc(n) > 3 else 3 * n + 1
    await note("a")
    await nothing()
    n = await fan(n) + await PLAN(n=n) + await search(n) + await SEARCH(n=n)
    n = await inc.override(retries=n)(n)
    n = await cond(n > 3, lambda: inc(n), lambda: fan(n))
    n = max(await map_task(inc)([n, n]))
    names: list[str] = await map_task(fetch)([n])
    await approve("go on")
    rate: float = await wait_for_input("rate", float)
    model = await fit([len(names)])
    helped = await refined(n) + await later(n)
    return rate + model.loss + await approve("this", model.loss) + helped


async def refined(n: int) -> int:
    return await inc(n)


def later(n: int) -> "asyncio.Future[int]":
    return asyncio.ensure_future(refined(n))


PLAN = LaunchPlan(fan, name="plan")
SEARCH = LaunchPlan(search, name="search")


def test_of_a_user() -> None:
    assert inc(1) == 2
    assert fan(3) > 0
    assert asyncio.run(search(3)) > 3
    assert fit([1]).layers == [1]


SUM = inc(1) + asyncio.run(search(3)) + len(asyncio.run(fetch(1)).upper())
