"""Three tasks, as in the first minute with Wingbeat."""

from wingbeat import task, workflow


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def double(values: list[int]) -> list[int]:
    return [value * 2 for value in values]


@task
def total(values: list[int]) -> int:
    return sum(values)


@workflow
def hello(n: int) -> int:
    return total(double(numbers(n)))
