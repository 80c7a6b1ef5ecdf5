"""Wrong programs, line by line: what mypy finds with the plugin, and what pyright finds without one.

A comment names the codes of the errors; nothing is said where a checker does not see the mistake.
"""

import asyncio
from functools import partial
from typing import reveal_type

from right import PLAN, Model, fan, fetch, fit, inc, note, scale, search, total

from wingbeat import approve, case, cond, map_task, sleep, task, wait_for_input, workflow


@workflow
def arguments(n: int) -> int:
    inc("a")  # mypy: arg-type; pyright: reportArgumentType
    inc()  # mypy: call-arg; pyright: reportCallIssue
    inc(n, by=1)  # mypy: call-arg; pyright: reportCallIssue
    inc.override(retries=1)("a")  # mypy: arg-type; pyright: reportArgumentType
    inc(fetch(n))  # mypy: arg-type
    fan(total([fetch(n)]))  # mypy: list-item
    inc(fit([n]).loss)  # mypy: arg-type
    inc(fit([n]).lost)  # mypy: attr-defined
    inc(approve("a", fetch(n)))  # mypy: arg-type
    inc(sleep(1, 2.5))  # mypy: arg-type
    inc(wait_for_input("a", str))  # mypy: arg-type
    inc(PLAN(n="a"))
    return inc(cond(n > 3, lambda: inc(n), lambda: fetch(n)))  # mypy: arg-type


@workflow
def results(n: int) -> str:
    found: str = inc(n)  # mypy: assignment
    chosen: str = case([(n > 3, lambda: inc(n))], default=lambda: fan(n))  # mypy: assignment
    total([found, chosen])  # mypy: list-item, list-item; pyright: reportArgumentType
    return search(n)  # mypy: return-value


@workflow
def maps(xs: list[int]) -> list[int]:
    map_task(inc)(3)  # mypy: arg-type
    map_task(inc)(["a"])  # mypy: list-item
    map_task(inc)(y=xs)  # mypy: call-arg
    map_task(scale)(xs)  # mypy: call-arg
    map_task(partial(scale, by=1.0))(xs, by=[1.0])  # mypy: call-arg
    map_task(partial(scale, by="a"))(xs)  # mypy: arg-type; pyright: reportArgumentType
    total(map_task(fetch)(xs))  # mypy: arg-type
    total(map_task(inc, min_successes=1)(xs))  # mypy: arg-type
    return map_task(partial(scale, by=1.0))(xs)  # mypy: return-value


@workflow
async def body(n: int) -> int:
    inc(n)  # mypy: unused-coroutine
    n = inc(n)  # mypy: assignment
    if inc(n):  # mypy: truthy-bool
        note("a")  # mypy: unused-coroutine
    name: str = await fan(n)  # mypy: assignment
    inc(await fetch(n))  # mypy: arg-type, unused-coroutine
    n = await cond(n > 3, lambda: inc(n), lambda: 3)  # mypy: arg-type, return-value; pyright: reportGeneralTypeIssues
    n = await map_task(inc)([n])  # mypy: assignment
    n = max(map_task(inc)([n]))  # mypy: call-overload
    n = await approve("a", name)  # mypy: assignment
    await asyncio.gather(inc("a"))  # mypy: arg-type; pyright: reportArgumentType
    return await fetch(n)  # mypy: return-value


@task
def revealed(n: int) -> Model:
    return inc(n)  # mypy: return-value


@workflow
def reveals(n: int) -> None:
    reveal_type(inc(n))  # mypy: "int"; pyright: "Any"
    reveal_type(fetch(n))  # mypy: "str"; pyright: "Any"
    reveal_type(search(n))  # mypy: "int"; pyright: "Any"
    reveal_type(PLAN(n=n))  # mypy: "int"; pyright: "Any"
    reveal_type(note("a"))  # mypy: "Any"; pyright: "Any"
    reveal_type(inc.override(retries=1)(n))  # mypy: "int"; pyright: "Any"
    reveal_type(cond(n > 1, lambda: inc(n), lambda: fetch(n)))  # mypy: "int | str"; pyright: "Any"
    reveal_type(case([(n > 1, lambda: inc(n))], default=lambda: None))  # mypy: "int | None"; pyright: "Any | None"
    reveal_type(map_task(inc)([n]))  # mypy: "list[int]"; pyright: "Any"
    reveal_type(map_task(note)(["a"]))  # mypy: "Any"; pyright: "Any"
    reveal_type(map_task(partial(scale, by=1.0), min_successes=1)([n]))  # mypy: "list[float | None]"; pyright: "Any"
    reveal_type(approve("a", 3))  # mypy: "int"; pyright: "Any"
    reveal_type(wait_for_input("a", list[int]))  # mypy: "list[int]"; pyright: "Any"


@workflow
async def awaits(n: int) -> None:
    call = inc(n)
    reveal_type(call)  # mypy: "Coroutine[Any, Any, int]", unused-coroutine; pyright: "Any"
    reveal_type(await inc(n))  # mypy: "int"; pyright: "Any"
    reveal_type(await fetch(n))  # mypy: "str"; pyright: "Any"
    reveal_type(await search(n))  # mypy: "int"; pyright: "Any"
    reveal_type(await map_task(search)([n]))  # mypy: "list[int]"; pyright: "Any"
    reveal_type(await approve("a"))  # mypy: "None"; pyright: "Any"
    reveal_type(await asyncio.gather(inc(n), fetch(n)))  # mypy: "tuple[int, str]"; pyright: "Unknown"
    reveal_type(inc.plain(n))  # mypy: "int"; pyright: "int"


def somewhere(n: int) -> None:
    reveal_type(inc(n))  # mypy: "int"; pyright: "Any"
    reveal_type(search(n))  # mypy: "Any"; pyright: "Any"


reveal_type(inc(3))  # mypy: "int"; pyright: "Any"
call, calls = search(3), map_task(fetch)([3])
reveal_type(call)  # mypy: "Coroutine[Any, Any, int]", unused-coroutine; pyright: "Any"
reveal_type(calls)  # mypy: "Coroutine[Any, Any, list[str]]", unused-coroutine; pyright: "Any"
