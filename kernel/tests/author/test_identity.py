"""Questions about promises that Python answers itself are found before they lead astray; all others are left alone."""

import re

import pytest

from wingbeat import CompileError

HEAD = """
@task
def maybe(x: int) -> int | None:
    return None

@task
def pairs(x: int) -> tuple[int, int]:
    return x, x

LIMIT = None
PLAIN = {"a": None}
"""


@pytest.mark.parametrize(
    "body",
    [
        "return number(1) if x is None else number(2)",
        "y = maybe(x)\nif y is not None:\n    return number(1)\nreturn number(2)",
        "return cond(x is True, lambda: number(1), lambda: number(2))",
        "return number(1) if None is maybe(x) else number(2)",
        "if isinstance(x, int):\n    return number(1)\nreturn number(2)",
        "if hasattr(maybe(x), 'real'):\n    return number(1)\nreturn number(2)",
        "if type(x) is int:\n    return number(1)\nreturn number(2)",
        "a, b = pairs(x)\nif b is None:\n    return number(1)\nreturn number(2)",
        "y = z = number.override(retries=1)(x)\nif z is None:\n    return number(1)\nreturn number(2)",
        "ys = map_task(number)([x])\nreturn number(1 if ys is None else 2)",
        "return cond(x > 1, lambda: number(1 if x is None else 2), lambda: number(2))",
        "if (y := maybe(x)) is None or y is None:\n    return number(1)\nreturn number(2)",
        "if sleep('1s') is None:\n    return number(1)\nreturn number(2)",
    ],
)
def test_what_asks_about_a_promise_is_refused_with_its_line(project, body):
    with pytest.raises(
        CompileError, match=r"asks about the promise, not about its value, .* \(flows_\w+\.py:\d+\): "
    ) as told:
        project.closed(HEAD + source(body))
    (asked,) = re.findall("'(.*)' asks", told.value.message)
    assert asked in body
    assert "make the workflow dynamic" in told.value.hint


@pytest.mark.parametrize(
    "body",
    [
        "if LIMIT is None:\n    return number(x)\nreturn number(1)",
        "y = PLAIN.get('a')\nif y is None:\n    return number(x)\nreturn number(1)",
        "return number([n for n in (1, None) if n is not None][0])",
        "y = maybe(x) if LIMIT else None\nif y is None:\n    return number(x)\nreturn number(1)",
        "picked = (lambda x: 1 if x is None else 2)(None)\nreturn number(picked)",
        "isinstance = lambda *_: True\nif isinstance(x, int):\n    return number(x)\nreturn number(1)",
        "maybe = dict\nif maybe() is None:\n    return number(x)\nreturn number(1)",
        "type = id\nreturn number(x) if type(x) is LIMIT else number(1)",
        "def helper(x):\n    return 1 if x is None else 2\nreturn number(helper(None))",
    ],
)
def test_what_is_known_may_be_asked_for(project, body):
    project.closed(HEAD + source(body))


def source(body):
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"\n@workflow\ndef flow(x: int) -> int:\n{lines}\n"


@pytest.mark.parametrize(
    ("option", "asked"),
    [
        ("resources=lambda error: Resources(mem='64Mi' if error is None else '256Mi')", "error is None"),
        ("retries=lambda inputs: 1 if inputs.x is not None else 2", "inputs.x is not None"),
        ("timeout=lambda attempt: 1 if isinstance(attempt, int) else 2", "isinstance(attempt, int)"),
    ],
)
def test_so_it_is_in_functions_of_options(project, option, asked):
    text = f"from wingbeat import Resources\n\n@task({option})\ndef odd(x: int) -> int:\n    return x\n"
    with pytest.raises(CompileError, match=re.escape(f"'{asked}' asks about what stands for the value")):
        project.closed(text + source("return odd(x)"))
