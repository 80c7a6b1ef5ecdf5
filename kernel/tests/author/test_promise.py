"""What a workflow's body may not do with a promise, and what it is told."""

import pytest

from wingbeat import CompileError, task, workflow
from wingbeat.author.closing import close


@task
def one(n: int) -> int:
    return n


BODIES = {
    "range": range,
    "int": int,
    "float": float,
    "floor": lambda n: n // 2,
    "power": lambda n: 2**n,
    "not": lambda n: not n,
    "truth of a comparison": lambda n: bool(n < 3),
    "truth": bool,
    "text": "{}".format,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_needs_the_value_is_refused_with_the_line(body):
    @workflow
    def flow(n: int) -> int:
        body(n)
        return one(n)

    with pytest.raises(CompileError, match=r"not known before the workflow runs .*test_promise\.py:\d+"):
        close(flow, None)
