"""What a plan says of the calls of dynamic workflows is what happens when the execution is recovered."""

from functools import partial
from textwrap import dedent

import pytest

from wingbeat import ExecutionFailed, Kernel
from wingbeat.kernel import compile_file

HEAD = """
# HEAD
import os
from wingbeat import FailurePolicy, cond, map_task, task, workflow

@task
def one(x: int) -> int:
    return x + 1

@task(variables={"BASE": "2"})
def two(x: int) -> int:
    return x * int(os.environ["BASE"])

@task
def last(x: int) -> int:
    if not os.path.exists(os.environ["MENDED"]):
        raise ValueError("not yet")
    return x

@task
def flaky(x: int, mark: str) -> int:
    if not os.path.exists(mark):
        open(mark, "w").close()
        raise ValueError("not at first")
    return x
"""
ELSE = """
from wingbeat import task

@task
def far(x: int) -> int:
    return x
"""
ONE = ("return x + 1", "return 1 + x")
AGAIN = "its body runs again"
UNKNOWN = "kept if the body calls it again with the same task and inputs"
KEPT = "kept if the body calls it again with the same inputs"
FAILED = "it did not succeed (FAILED)"
CHANGED = "the code of flow.one changed"


class Project:
    """A file, an execution of its `main` that failed, and what comes after some edits."""

    def __init__(self, folder, kernel):
        self.folder, self.file, self.kernel = folder, folder / "flow.py", kernel

    def write(self, source):
        self.file.write_text(HEAD + dedent(source))
        (self.folder / "elsewhere.py").write_text(ELSE)

    def closure(self):
        return compile_file(str(self.file), "main", self.kernel.home)

    async def failed(self, inputs):
        execution = await self.kernel.launch(self.closure(), inputs, "old")
        with pytest.raises(ExecutionFailed):
            await execution.result()

    def edit(self, *edits):
        text = self.file.read_text()
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        self.file.write_text(text)

    async def plan(self, entity=None):
        plan = await self.kernel.recovery_plan("old", entity)
        assert plan.more == 0
        return {node.node: f"{node.decision.value} {node.reason}" for node in plan.nodes}

    async def ran(self, plan, entity=None):
        """Recover; of what the plan names, what was attempted, but for bodies."""
        (self.folder / "mended").touch()
        again = await self.kernel.recover("old", entity)
        await again.result()
        self.attempts, items = partial(self.kernel.attempts, again.id), partial(self.kernel.items, again.id)
        attempted = {node for node in plan if self.attempts(node) or items(node)}
        return {node for node in attempted if AGAIN not in plan[node] and "bodies" not in plan[node]}


@pytest.fixture
async def project(tmp_path, monkeypatch):
    monkeypatch.setenv("MENDED", str(tmp_path / "mended"))
    async with Kernel(tmp_path / "home", discover=False) as kernel:
        yield Project(tmp_path, kernel)


CHAIN = """
    @workflow
    async def main(n: int) -> int:
        return await last(await two(await one(n)))
"""
NESTED = """
    @workflow
    async def inner(x: int) -> int:
        return await one(x) + await two(x)

    @workflow
    async def main(n: int) -> int:
        return await last(await inner(n) + await two(n))
"""
STATIC = """
    @workflow
    def both(x: int) -> int:
        return two(one(x))

    @workflow
    async def main(n: int) -> int:
        return await last(await both(n))
"""
MAPS = """
    @workflow
    async def main(n: int) -> int:
        return await last(sum(await map_task(one)([1, 2, n])) + sum(await map_task(two)([1, 2])))
"""
SCOPES = """
    @workflow
    async def inner(x: int) -> int:
        return await one(x) + await two(x)

    @workflow(failure_policy=FailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
    def kept(x: int) -> int:
        return two(inner(x))

    @workflow
    def main(n: int) -> int:
        return last(kept(n))
"""
INDIRECT = """
    @workflow
    async def main(n: int) -> int:
        found = [globals()[name] for name in ("on" + "e", "tw" + "o")]
        return await last(await found[1](await found[0](n)))
"""
ELSEWHERE = """
    @workflow
    async def main(n: int) -> int:
        from elsewhere import far

        return await last(await far(n))
"""
OVERRIDE = """
    @workflow
    async def main(n: int) -> int:
        return await last(await two.override(variables={"BASE": "3"})(n))
"""
RETRIED = """
    @workflow(retries=1)
    async def main(n: int) -> int:
        return await last(await one(await flaky(n, os.environ["MENDED"] + ".not")))
"""
RECURSIVE = """
    @workflow
    async def even(x: int) -> int:
        return await two(x) + (await odd(x - 1) if x else 0)

    @workflow
    async def odd(x: int) -> int:
        return await one(x) + await even(x - 1)

    @workflow
    async def main(n: int) -> int:
        return await last(await even(n - 1))
"""
BRANCHED = """
    @workflow
    def either(x: int) -> int:
        return cond(x > 0, lambda: two(x), lambda: two(0))

    @workflow
    async def main(n: int) -> int:
        return await last(await one(await either(n)))
"""
PROGRAMS = {
    "nothing changed but what failed": (CHAIN, [], {
        "n0": f"OPEN {AGAIN}; 2 of 3 calls may be kept",
        "n0.one-0": f"OPEN {KEPT}",
        "n0.two-0": f"OPEN {KEPT}",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "a called task changed": (CHAIN, [ONE], {
        "n0": f"OPEN {AGAIN}; 1 of 3 calls may be kept",
        "n0.one-0": f"RUNS {CHANGED}",
        "n0.two-0": f"OPEN {KEPT}",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "the body changed": (CHAIN, [("await two(await one(n))", "await one(n) + await two(n + 1)")], {
        "n0": f"OPEN the code of its body changed; {AGAIN}; 2 of 3 calls may be kept",
        "n0.one-0": f"OPEN {KEPT}",
        "n0.two-0": f"OPEN {KEPT}",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "the interface of a called task changed": (CHAIN, [
        ("def two(x: int) -> int", "def two(x: int) -> float"),
        ("def last(x: int)", "def last(x: float)"),
        ("    return x\n", "    return int(x)\n"),
    ], {
        "n0": f"OPEN {AGAIN}; 1 of 3 calls may be kept",
        "n0.one-0": f"OPEN {KEPT}",
        "n0.two-0": "RUNS the interface of flow.two changed",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "a dynamic workflow in a dynamic workflow": (NESTED, [ONE], {
        "n0": f"OPEN {AGAIN}; 2 of 4 calls may be kept",
        "n0.inner-0": f"OPEN {AGAIN}; 1 of 2 calls may be kept",
        "n0.inner-0.one-0": f"RUNS {CHANGED}",
        "n0.inner-0.two-0": f"OPEN {KEPT}",
        "n0.two-0": f"OPEN {KEPT}",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "the body of the inner one changed": (NESTED, [("await one(x) + await two(x)", "await two(x) + await one(x)")], {
        "n0": f"OPEN {AGAIN}; 3 of 4 calls may be kept",
        "n0.inner-0": f"OPEN the code of its body changed; {AGAIN}; 2 of 2 calls may be kept",
        "n0.inner-0.one-0": f"OPEN {KEPT}",
        "n0.inner-0.two-0": f"OPEN {KEPT}",
        "n0.two-0": f"OPEN {KEPT}",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "one task of a workflow that is called": (STATIC, [ONE], {
        "n0": f"OPEN {AGAIN}; 1 of 3 calls may be kept",
        "n0.both-0.n0": f"RUNS {CHANGED}",
        "n0.both-0.n1": "OPEN kept if n0.both-0.n0 gives the same",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "one of two maps": (MAPS, [ONE], {
        "n0": f"OPEN {AGAIN}; 1 of 3 calls may be kept",
        "n0.one-0": f"RUNS {CHANGED}",
        "n0.two-0": "OPEN an item is kept if its inputs are the same then",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "a dynamic workflow in a static one with an end of its own": (SCOPES, [ONE], {
        "n0": "OPEN its nodes that succeeded are kept where nothing changed",
        "n0.n0": f"OPEN {AGAIN}; 1 of 2 calls may be kept",
        "n0.n0.one-0": f"RUNS {CHANGED}",
        "n0.n0.two-0": f"OPEN {KEPT}",
        "n0.n1": "OPEN kept if its inputs are the same then",
        "n1": f"RUNS {FAILED}",
    }),
    "tasks that the body does not name": (INDIRECT, [("# HEAD", "# changed")], {
        "n0": f"OPEN {AGAIN}; 2 of 3 calls may be kept",
        "n0.one-0": f"OPEN {UNKNOWN}",
        "n0.two-0": f"OPEN {UNKNOWN}",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "a task of another module that is imported in the body": (ELSEWHERE, [("# HEAD", "# changed")], {
        "n0": f"OPEN {AGAIN}; 1 of 2 calls may be kept",
        "n0.far-0": f"OPEN {UNKNOWN}",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "a task with other variables in its call": (OVERRIDE, [ONE], {
        "n0": f"OPEN {AGAIN}; 1 of 2 calls may be kept",
        "n0.two-0": "OPEN kept if the body calls it again with the same variables and inputs",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "what succeeded when it was called again": (RETRIED, [ONE], {
        "n0": f"OPEN {AGAIN}; 1 of 3 calls may be kept",
        "n0.flaky-0": f"OPEN {KEPT}",
        "n0.one-0": f"RUNS {CHANGED}",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "bodies that call themselves and each other": (RECURSIVE, [ONE], {
        "n0": f"OPEN {AGAIN}; 2 of 4 calls may be kept",
        "n0.even-0": f"OPEN {AGAIN}; 2 of 3 calls may be kept",
        "n0.even-0.two-0": f"OPEN {KEPT}",
        "n0.even-0.odd-0": f"OPEN {AGAIN}; 1 of 2 calls may be kept",
        "n0.even-0.odd-0.one-0": f"RUNS {CHANGED}",
        "n0.even-0.odd-0.even-0": f"OPEN {AGAIN}; 1 of 1 calls may be kept",
        "n0.even-0.odd-0.even-0.two-0": f"OPEN {KEPT}",
        "n0.last-0": f"RUNS {FAILED}",
    }),
    "the arms of a branch that is called": (BRANCHED, [ONE], {
            "n0": f"OPEN {AGAIN}; 1 of 3 calls may be kept",
            "n0.either-0.n0": "OPEN its conditions are evaluated again",
        "n0.either-0.n1": "OPEN kept if its arm is taken and its inputs are the same then",
        "n0.either-0.n2": "RUNS it was skipped",
        "n0.one-0": f"RUNS {CHANGED}",
        "n0.last-0": f"RUNS {FAILED}",
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
async def test_what_the_plan_says_of_calls_is_what_is_done(project, name):
    source, edits, expected = PROGRAMS[name]
    project.write(source)
    await project.failed({"n": 3})
    project.edit(*edits)
    closure = project.closure()
    plan = await project.plan(closure)
    assert plan == expected
    run = {node for node, said in plan.items() if said.startswith("RUNS") and said != "RUNS it was skipped"}
    assert await project.ran(plan, closure) == run


async def test_without_a_new_version_tasks_are_the_same_by_definition(project):
    project.write(INDIRECT)
    await project.failed({"n": 3})
    project.file.unlink()
    plan = await project.plan()
    assert plan == {
        "n0": f"OPEN {AGAIN}; 2 of 3 calls may be kept",
        "n0.one-0": f"OPEN {KEPT}",
        "n0.two-0": f"OPEN {KEPT}",
        "n0.last-0": f"RUNS {FAILED}",
    }
    assert await project.ran(plan) == {"n0.last-0"}


async def test_what_the_plan_cannot_know_is_decided_when_it_runs(project):
    project.write(INDIRECT)
    await project.failed({"n": 3})
    project.edit(ONE)
    closure = project.closure()
    plan = await project.plan(closure)
    assert plan["n0.one-0"] == f"OPEN {UNKNOWN}"
    assert await project.ran(plan, closure) == {"n0.one-0", "n0.last-0"}


async def test_the_bodies_of_items_are_counted(project):
    project.write("""
        @workflow
        async def each(x: int) -> int:
            return await one(x) + await two(x)

        @task
        def total(xs: list[int]) -> int:
            return sum(xs)

        @workflow
        def main(n: int) -> int:
            return last(total(map_task(each)([1, 2, n])))
    """)
    await project.failed({"n": 3})
    project.edit(ONE)
    closure = project.closure()
    plan = await project.plan(closure)
    assert plan == {
        "n0": "OPEN the bodies of its 3 items run again; 3 of 6 calls may be kept",
        "n1": "OPEN kept if n0 gives the same",
        "n2": f"RUNS {FAILED}",
    }
    assert await project.ran(plan, closure) == {"n2"}
    for item in range(3):
        assert project.attempts(f"n0.{item}.one-0")
        assert not project.attempts(f"n0.{item}.two-0")


HELPERS = """
    import time
    from wingbeat import gather

    @task
    def late(x: int, n: int) -> int:
        time.sleep(0.4 * (n - 1 - x))
        return x

    @workflow
    async def main(n: int) -> int:
        async def each(x):
            return await one(await late(x, n))

        found = await gather(*(each(x) for x in range(n)))
        return await last(sum(found))
"""


async def test_calls_of_helpers_are_kept_though_what_they_wait_for_ends_in_another_order(project):
    """The numbers of their keys follow from that order."""
    project.write(HELPERS)
    await project.failed({"n": 3})
    plan = await project.plan()
    assert plan["n0.each.one-2"] == f"OPEN {KEPT}"
    assert await project.ran(plan) == {"n0.last-0"}


async def test_of_calls_that_are_alike_each_is_taken_over_once(project):
    project.write("""
        import random
        from wingbeat import gather

        @task
        def drawn(x: int) -> float:
            return random.random()

        @workflow
        async def main(n: int) -> int:
            found = await gather(*(drawn(n) for _ in range(3)))
            assert len(set(found)) == 3
            return await last(n)
    """)
    await project.failed({"n": 3})
    assert await project.ran(await project.plan()) == {"n0.last-0"}


STEPS = """
    @task
    def check(x: int) -> int:
        return x

    @workflow
    def main(n: int) -> int:
        return last(two(one(n)))
"""


async def test_nodes_of_a_static_workflow_are_kept_behind_a_call_that_was_put_before_them(project):
    project.write(STEPS)
    await project.failed({"n": 3})
    project.edit(("    return last(two(one(n)))", "    check(n)\n    return last(two(one(n)))"))
    closure = project.closure()
    plan = await project.plan(closure)
    assert plan == {
        "n0": "RUNS it is new",
        "n1": "REUSED it was n0",
        "n2": "REUSED it was n1",
        "n3": f"RUNS {FAILED}",
    }
    assert await project.ran(plan, closure) == {"n0", "n3"}


async def test_what_has_its_node_still_keeps_it_and_others_take_what_is_left(project):
    project.write("""
        @workflow
        def main(n: int) -> int:
            a, b, c = two(n), one(n), map_task(one)([n, 2])
            return last(two(b))
    """)
    await project.failed({"n": 3})
    project.edit(("a, b, c = two(n), one(n), map_task(one)([n, 2])", "a, c, b = two(n), map_task(one)([n, 2]), one(n)"))
    closure = project.closure()
    plan = await project.plan(closure)
    assert plan == {
        "n0": "REUSED ",
        "n1": "OPEN an item is kept if its inputs are the same then",
        "n2": "REUSED it was n1",
        "n3": "REUSED ",
        "n4": f"RUNS {FAILED}",
    }
    assert await project.ran(plan, closure) == {"n4"}


async def test_a_checkpoint_goes_with_its_node(project):
    project.write("""
        from wingbeat import current

        @task
        def begun(x: int) -> int:
            found = current().checkpoint.load("mark")
            current().checkpoint.save("mark", b"here")
            if not os.path.exists(os.environ["MENDED"]):
                raise ValueError("not yet")
            return 1 if found == b"here" else 0

        @task
        def check(x: int) -> int:
            return x

        @workflow
        def main(n: int) -> int:
            return begun(n)
    """)
    await project.failed({"n": 3})
    project.edit(("    return begun(n)", "    check(n)\n    return begun(n)"))
    closure = project.closure()
    (project.folder / "mended").touch()
    assert await (await project.kernel.recover("old", closure)).result() == 1
