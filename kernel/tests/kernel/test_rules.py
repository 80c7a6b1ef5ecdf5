"""Executors by configuration: by task, by the kind of a task, by project and domain; also of what is called while it runs."""

import pytest

from wingbeat import ExecutionFailed, Kernel, LaunchPlan, task, workflow
from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.executor import Call, Suspended
from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat.testing.fakes import ScriptedExecutor, success
from wingbeat.testing.plans import Job, make_closure


@task
def one(x: int) -> int:
    return x


@workflow
def flow(x: int) -> int:
    return one(one(x))


plan = LaunchPlan(flow, name="plan")


@workflow
def above(x: int) -> int:
    return plan(x)


@workflow
async def dynamic(x: int) -> int:
    return await one(x)


class Two:
    """Two executors: what ran on which."""

    __name__ = "two"
    wrappers = ("sparkling",)

    def __init__(self) -> None:
        self.made = {name: ScriptedExecutor(lambda _: success(7)) for name in ("left", "right")}

    @hookimpl
    def wingbeat_register(self, registrar):
        for name, executor in self.made.items():
            registrar.executor(name, lambda _, executor=executor: executor)
        for name in self.wrappers:
            registrar.wrapper(name, "two.wrapper:Wrapper")

    def ran(self) -> dict[str, list[str]]:
        return {name: sorted(executor.submitted) for name, executor in self.made.items()}


@pytest.fixture
def two():
    return Two()


@pytest.fixture
def kernel_at(tmp_path, two):
    def make(*, rules=(), **kernel) -> Kernel:
        settings = {"kernel": {"executor": "left", "rules": list(rules), **kernel}}
        return Kernel(tmp_path / "home", discover=False, plugins=[two], settings=settings)

    return make


async def test_the_executor_of_a_task_is_configured(kernel_at, two):
    async with kernel_at(rules=[{"task": "*.one", "project": "eta", "executor": "right"}]) as kernel:
        await (await kernel.launch(flow, {"x": 1}, "a")).result()
        await (await kernel.launch(flow, {"x": 1}, "b", labels={"project": "eta"})).result()
        await (await kernel.launch(flow, {"x": 1}, "c", labels={"project": "other"})).result()
    assert two.ran() == {"left": ["a/n0/0", "a/n1/0", "c/n0/0", "c/n1/0"], "right": ["b/n0/0", "b/n1/0"]}


async def test_a_child_execution_is_of_the_project_of_its_parent(kernel_at, two):
    async with kernel_at(rules=[{"domain": "production", "executor": "right"}]) as kernel:
        assert await (await kernel.launch(above, {"x": 1}, labels={"domain": "production"})).result() == 7
    assert len(two.ran()["right"]) == 2
    assert not two.ran()["left"]


async def test_a_new_configuration_is_for_new_executions(kernel_at, two):
    left = two.made["left"]
    left.behaviour = lambda _: None
    async with kernel_at() as kernel:
        await kernel.launch(flow, {"x": 1}, "a")
    left.behaviour = lambda _: success(7)
    async with kernel_at(executor="right") as kernel:
        assert await (await kernel.get("a")).result() == 7
        assert await (await kernel.launch(flow, {"x": 2}, "b")).result() == 7
    assert left.recovered == ["a/n0/0"]
    assert two.ran()["left"] == ["a/n0/0", "a/n1/0"]
    assert two.ran()["right"] == ["b/n0/0", "b/n1/0"]


async def test_a_rule_whose_executor_is_not_installed_is_told_when_the_home_is_opened(kernel_at):
    rules = [{"executor": "right", "project": "p"}, {"task": "*.one", "executor": "rigth"}]
    with pytest.raises(ConfigurationError, match=r"rule 2 of kernel\.rules names the executor 'rigth'") as told:
        async with kernel_at(rules=rules):
            raise AssertionError("it is open")
    assert told.value.hint == "Installed: left, process, right."


async def test_a_rule_for_a_type_that_is_not_known_is_warned_of_when_the_home_is_opened(kernel_at, caplog):
    rules = [{"type": type_, "executor": "right"} for type_ in ("python", "cont*", "sparkling", "pyhton")]
    async with kernel_at(rules=rules):
        pass
    (said,) = caplog.messages
    assert said.startswith("The rule 4 of kernel.rules is for tasks of the type 'pyhton', which nothing here is known")
    assert said.endswith("Known are: python, container, sparkling")


async def test_a_plugin_that_could_not_name_its_wrapper_counts_by_its_own_name(kernel_at, two, caplog):
    two.wrappers, two.wingbeat_plugin = (), hookimpl(lambda: PluginInfo(api=(0, 2)))
    async with kernel_at(rules=[{"type": "two", "executor": "right"}]):
        pass
    assert caplog.messages == []


@pytest.mark.parametrize(("name", "target", "message"), [
    ("python", "two.wrapper:Wrapper", "offers a wrapper 'python', which is what tasks without one are called"),
    ("sparkling", "two.wrapper", "its wrapper 'sparkling' is at 'two.wrapper', which is no place"),
])  # fmt: skip
async def test_a_wrapper_that_cannot_be_told_from_others_is_refused(kernel_at, two, name, target, message):
    two.wingbeat_register = hookimpl(lambda registrar: registrar.wrapper(name, target))
    with pytest.raises(ConfigurationError, match=message):
        async with kernel_at():
            raise AssertionError("it is open")


async def test_an_executor_that_is_not_installed_is_told_with_those_that_are(kernel_at):
    async with kernel_at() as kernel:
        with pytest.raises(
            ConfigurationError, match="far is to run on the executor 'rigth', which is not installed"
        ) as told:
            await kernel.launch(make_closure({"far": Job(executor="rigth")}), {})
        assert told.value.hint == "Installed: left, process, right."


async def test_a_call_whose_executor_is_not_installed_fails_the_body_that_made_it(kernel_at, two):
    called = make_closure({"far": Job(executor="moon")})
    two.made["left"].behaviour = lambda _: Suspended((Call("far-0", called.root, {}),), closures=(called,))
    async with kernel_at() as kernel:
        with pytest.raises(
            ExecutionFailed, match=r"jobs\.far is to run on the executor 'moon', which is not installed"
        ):
            await (await kernel.launch(dynamic, {"x": 1})).result()


async def test_a_rule_that_is_none_is_refused_with_its_place(tmp_path):
    with pytest.raises(ConfigurationError, match=r"kernel\.rules = .*unknown field `taks`.*given to the kernel"):
        async with Kernel(
            tmp_path, discover=False, settings={"kernel": {"rules": [{"taks": "x", "executor": "process"}]}}
        ):
            pass
