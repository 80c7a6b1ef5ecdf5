"""A NamedTuple of one field is still a NamedTuple."""

from typing import NamedTuple

from wingbeat import task, workflow
from wingbeat.author.closing import close
from wingbeat.compile.check import check


class Made(NamedTuple):
    model: int


@task
def make() -> Made:
    return Made(1)


@task
def use(n: int) -> int:
    return n


@workflow
def whole() -> Made:
    return make()


@workflow
def part() -> int:
    made = make()
    return use(made.model)


@workflow
def unpacked() -> int:
    (model,) = make()
    return use(model)


@workflow
def passed_on() -> int:
    return use(whole())


def test_one_named_output_can_be_returned_named_unpacked_and_passed_on():
    for entity in (whole, part, unpacked, passed_on):
        closure, locations = close(entity, None)
        check(closure, locations)
    assert whole() == Made(1)
