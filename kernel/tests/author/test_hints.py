"""What an error tells an author to write compiles, in the place of what was wrong."""

import functools
import re
import textwrap

import pytest

from wingbeat import CompileError
from wingbeat.author.closing import close

FLOW = """
    from datetime import date

    @task
    def taken(v: bool) -> int: return 1
    @task
    def said(v: str) -> int: return 1
    @task
    def maybe(n: int) -> int | None: return n
    @task
    def full(v: list[int]) -> bool: return bool(v)
    @task
    def placed(v: Point) -> bool: return True
    @task
    def late(v: date | None) -> int: return 1
    @task
    def some(v: int | None) -> bool: return bool(v)
    quiet = False

    @workflow
    def flow(
        x: int, z: int, s: str, b: bool, r: float, raw: bytes, ox: int | None, os: str | None, ob: bool | None, od: date | None,
        xs: list[int], p: Point,
    ) -> int:
"""
MISTAKES = [  # what is between « and » is replaced by what the hint says
    "return «number(1) if x else number(2)»",
    "return «number(1) if s else number(2) if z else number(3)»",
    "return «number(1) if not b else number(2)»",
    "return «number(1) if p.y else number(2)»",
    "return «number(1) if number(x) else number(2)»",
    "return «number(1) if not (x > 3) else number(2)»",
    "«if x: return number(1)»",
    "«if not x: return number(1)»",
    "«if r: return number(1)»",
    "«if raw: return number(1)»",
    "«if s: return number(1)»",
    "«if not s: return number(1)»",
    "«if b: return number(1)»",
    "«if ox: return number(1)»",
    "«if not ox: return number(1)»",
    "«if os: return number(1)»",
    "«if ob: return number(1)»",
    "«if not ob: return number(1)»",
    "«if od: return number(1)»",
    "«if xs[0]: return number(1)»",
    "«if x and z > 3: return number(1)»",
    "«if not (x and z): return number(1)»",
    "«if quiet or x: return number(1)»",
    "«if b and not yes(x): return number(1)»",
    "«if (x or\n        z): return number(1)»",
    "«if 1 < x < 3: return number(1)»",
    "«if x in (1, 2): return number(1)»",
    "«if s not in ['a', 'b']: return number(1)»",
    "«if number(x) > 3: return number(1)»",
    "«match x:\n        case 1: return number(1)»",
    "return cond(«not x», lambda: number(1), lambda: number(2))",
    "return cond(«not b», lambda: number(1), lambda: number(2))",
    "return cond(«x and s», lambda: number(1), lambda: number(2))",
    "return cond(«x > 1 and z», lambda: number(1), lambda: number(2))",
    "return cond(«1 < x < 9», lambda: number(1), lambda: number(2))",
    "return cond(«x in [1]», lambda: number(1), lambda: number(2))",
    "return case([(«not x», lambda: number(1))], default=lambda: number(2))",
    "return number(«x or 1»)",
    "return number(«x and z»)",
    "return said(«s or 'none'»)",
    "return taken(«not x»)",
    "return taken(«0 < x < 3»)",
    "return taken(«x in [1, 2]»)",
    "return taken(«yes(x) and yes(z)»)",
    "«if xs: return number(1)»",  # a list, a record: a task has to look at them
    "«if not p: return number(1)»",
    "return number(«ox or 1»)",
    "return «cond(x > 1, lambda: number(1))»",
    "return «case([(x > 1, lambda: number(1))])»",
    "return «case([(x > 1, lambda: number(1))], lambda: number(2))»",
    "return «wait_for_input('go', 'int')»",
    "return «wait_for_input('go')»",
    "return «wait_for_input(int, 'go')»",
    "return «approve(x, 'go')»",
]
TASKS = {"xs": "full", "p": "placed", "ox": "some"}


def code_in(hint):
    """The code that a hint shows, with calls where authors put theirs."""
    found = re.search(r"(?:W|w)rite '(.+?)'(?:;|,| there|\.$)", hint)
    assert found, f"no code in: {hint}"
    code = (
        found[1].replace("), …]", ")]").replace("…", "number(1)").replace("condition,", "x > 1,").replace("NAME", "go")
    )
    return re.sub(r"TASK\((\w+)\)", lambda task: f"{TASKS[task[1]]}({task[1]})", code).replace("value", "x")


def body(mistake):
    lines = textwrap.indent(f"{mistake}\nreturn number(0)".replace("\n        ", "\n    "), " " * 4)
    return f"{textwrap.dedent(FLOW).rstrip()}\n{lines}\n"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_a_hint_says_compiles_where_the_mistake_was(project, mistake):
    with pytest.raises(CompileError) as caught:
        project.closed(body(mistake.replace("«", "").replace("»", "")))
    statement = "return " if mistake.startswith("«") else ""
    project.closed(body(re.sub("«.+»", lambda _: statement + code_in(caught.value.hint), mistake, flags=re.DOTALL)))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("while x: x = number(x)", "How often a loop runs is known beforehand"),
        ("assert x", "Let the task that takes the value look at it, and raise"),
        ("[number(1) for i in range(3) if x > i]", "Let a task choose, and 'map_task' call"),
        ("max(x, z)", "Let a task do what needs the value"),
        ("if ox > 3: pass", "Let a task look at it and give a bool"),
        ("if s > 3: pass", "Let a task look at it and give a bool"),
        ("if b and ox is not None: pass", "Let a task look at the value and give a bool"),
        ("for i in xs: number(i)", "map_task(TASK)(LIST)"),
        ("one, two = xs", "Take its items by index"),
    ],
)
def test_what_no_comparison_says_is_told_to_be_done_otherwise(project, statement, told):
    with pytest.raises(CompileError) as caught:
        project.closed(body(statement))
    assert told in caught.value.hint
    assert "make the workflow dynamic: 'async def'" in caught.value.hint
    assert "'cond(x" not in caught.value.hint


@pytest.mark.parametrize(
    ("option", "instead"),
    [
        ("Resources(mem=«'2Gi' if attempt > 1 else '1Gi'»)", "where(attempt > 1, '2Gi', '1Gi')"),
        ("Resources(mem=«'2Gi' if 0 < attempt < 3 else '1Gi'»)", "where((0 < attempt) & (attempt < 3), '2Gi', '1Gi')"),
        ("Resources(cpu=«2 if not attempt > 1 else 1»)", "where(~(attempt > 1), 2, 1)"),
    ],
)
def test_what_is_chosen_by_an_if_in_an_option_is_written_with_where(project, option, instead):
    source = "from wingbeat import where\n@task(resources=lambda attempt: {})\ndef flow(x: int) -> int: return x\n"
    with pytest.raises(CompileError) as caught:
        project.closed(source.format(option.replace("«", "").replace("»", "")))
    assert f"Write '{instead}'." in caught.value.hint
    project.closed(source.format(re.sub("«.+»", lambda _: instead, option)))


def test_a_condition_in_code_without_a_source_is_told_in_general():
    from wingbeat import task, workflow

    @task
    def one(n: int) -> int:
        return n

    flow = workflow(eval("lambda n: one(1) if n else one(2)", {"one": one}))
    flow.fn.__annotations__.update({"n": int, "return": int})
    with pytest.raises(CompileError) as caught:
        close(flow, None)
    assert "Let a task do what needs the value" in caught.value.hint


def test_a_line_of_the_users_is_named_and_not_one_of_a_library(said):
    assert "int(), float() or an index made of a promise" in said("""
        import statistics
        @workflow
        def flow(x: float) -> float:
            return real(statistics.fmean([x, x]))  # here
    """)
    assert "a path made of a promise" in said("""
        import os.path
        @workflow
        def flow(x: str) -> str:
            return os.path.join("a", x)  # here
    """)


def test_values_in_messages_have_no_address():
    from wingbeat.author.source import shown

    assert [shown(each) for each in (lambda: 1, len, int, 3, functools.partial)] == [
        "a lambda", "the function len", "the class int", "3", "the class partial",
    ]  # fmt: skip
