"""Tasks that do nothing, in the shapes that the benchmarks need."""

from wingbeat import approve, map_task, task, workflow


@task
def inc(x: int) -> int:
    return x + 1


@task
def total(values: list[int]) -> int:
    return sum(values)


@workflow
def wide(n: int) -> int:
    return total([inc(n) for _ in range(10_000)])


@workflow
def wide_1000(n: int) -> int:
    return total([inc(n) for _ in range(1_000)])


@workflow
def wide_200(n: int) -> int:
    return total([inc(n) for _ in range(200)])


@workflow
def chain(n: int) -> int:
    for _ in range(1_000):
        n = inc(n)
    return n


@workflow
def chain_500(n: int) -> int:
    for _ in range(500):
        n = inc(n)
    return n


@workflow
def three(n: int) -> int:
    return inc(inc(inc(n)))


@workflow
def mapped(values: list[int]) -> list[int]:
    return map_task(inc)(values)


@workflow
async def loop_50(n: int) -> int:
    for _ in range(50):
        n = await inc(n)
    return n


@workflow
def wide_then_gate(n: int) -> int:
    return approve("go on", total([inc(n) for _ in range(100_000)]))


@workflow
def gate(n: int) -> int:
    return approve("go on", n)
