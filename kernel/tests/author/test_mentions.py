"""What the body of a dynamic workflow is known to name before it runs, and that its own code is told from what it calls."""

import importlib
import itertools
import sys
from textwrap import dedent

import pytest

from wingbeat.author import mentions as module
from wingbeat.author.closing import close
from wingbeat.spec.codec import canonical, mention
from wingbeat.spec.entities import TaskSpec

COUNT = itertools.count()
MODULE = """
    import helpers
    from functools import partial
    from wingbeat import Environment, LaunchPlan, map_task, task, workflow

    @task
    def one(x: int) -> int: return x + 1
    @task(name="of.another.name", variables={"A": "1"}, environment=Environment(packages=["msgspec"]))
    def two(x: int) -> int: return x + 2
    @task
    def three(x: int) -> int: return plain(x)
    @task
    def four(x: int) -> int: return x + 4
    @task
    def unnamed(x: int) -> int: return five(x)
    @task
    def five(x: int) -> int: return x + 5
    @task
    def six(x: int) -> int: return x + 6
    @task
    def apart(x: int) -> int: return x
    @workflow
    def launched(x: int) -> int: return apart(x)
    def plain(x): return x + 3

    mapped, odd, plan = map_task(four), three.override(retries=2), LaunchPlan(launched)
    table = {"five": [five]}

    @workflow
    def static(x: int) -> int: return odd(x)

    @workflow
    async def inner(x: int) -> int:
        return await two(x) + (await body(x - 1) if x else 0)

    async def helper(x):
        return await mapped([x])

    @workflow
    async def body(x: int) -> int:
        '''Words.'''
        from later import unseen
        more = await helper(x) + await static(x) + await helpers.far(x) + await table["five"][0](x)
        return await one(x) + await inner(more) + await partial(six, x)() + await plan(x)

    @workflow
    def above(x: int) -> int: return body(x)
"""
HELPERS = """
    from wingbeat import task
    @task
    def far(x: int) -> int: return x
    @task
    def other(x: int) -> int: return x
"""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The specs of the tasks that an entity reaches, by name, in a project of these sources, as in a new process."""

    def of(source=MODULE, entity="above", **options):
        folder = tmp_path / str(next(COUNT))
        folder.mkdir()
        for name, text in {"flows": source, "helpers": HELPERS}.items():
            (folder / f"{name}.py").write_text(dedent(text))
            sys.modules.pop(name, None)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(folder))
            closure, _ = close(getattr(importlib.import_module("flows"), entity), None, **options)
        return {each.name: each for each in closure.entities.values() if isinstance(each, TaskSpec)}

    yield of
    for name in ("flows", "helpers"):
        sys.modules.pop(name, None)


def named(spec):
    return {each.name.rpartition(".")[2] for each in spec.mentions}


def test_a_body_says_which_tasks_it_names_also_through_workflows(made):
    body = made()["flows.body"]
    assert named(body) == {"one", "name", "three", "four", "five", "six", "far", "inner", "body"}
    assert [each.name for each in body.mentions] == sorted(each.name for each in body.mentions)


def test_a_mention_is_what_is_compared_of_the_task(made):
    mentions = {each.name: each for each in made()["flows.body"].mentions}
    (two,) = made(entity="two").values()
    assert mentions["of.another.name"] == mention(two)
    assert two.environment is not None
    assert mention(two).environment
    assert not mention(made(entity="one")["flows.one"]).environment


def test_only_bodies_say_so_and_not_what_a_running_body_calls(made):
    assert made(mentioning=False)["flows.body"].mentions == ()
    assert made(mentioning=False)["flows.body"].body == made()["flows.body"].body
    (one,) = made(entity="one").values()
    assert b"mentions" not in canonical(one)
    assert b'"body"' not in canonical(one)


@pytest.mark.parametrize(
    ("old", "new", "own", "whole"),
    [
        ("return x + 1", "return x + 9", False, True),  # a called task's code
        ("def plain(x): return x + 3", "def plain(x): return x + 9", False, True),  # what that reaches
        ("return await two(x)", "return 1 + await two(x)", False, True),  # a called body's
        ("return await mapped([x])", "return 1 + await mapped([x])", True, True),  # a helper's
        ("return await one(x)", "return 1 + await one(x)", True, True),
        ("'''Words.'''", "'''Other words.'''", False, False),
        ('variables={"A": "1"}', 'variables={"A": "2"}', False, False),
    ],
)
def test_the_own_code_of_a_body_is_without_that_of_what_it_calls(made, old, new, own, whole):
    assert old in MODULE
    one, other = made()["flows.body"], made(MODULE.replace(old, new))["flows.body"]
    assert (one.body != other.body, one.code != other.code) == (own, whole)


def test_what_cannot_be_compiled_is_not_known(made):
    body = made(MODULE.replace("def six(x: int) -> int:", "def six(x: 'int | 1 / 0') -> int:"))["flows.body"]
    assert "six" not in named(body)
    assert "one" in named(body)


def test_they_are_bounded(made, monkeypatch):
    monkeypatch.setattr(module, "MENTIONS_MAX", 3)
    assert len(made()["flows.body"].mentions) == 3
