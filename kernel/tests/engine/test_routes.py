"""Tasks and the executors that run them."""

from collections.abc import Sequence

import pytest
from msgspec import structs

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.executor import Capabilities
from wingbeat.engine.routes import Routes
from wingbeat.engine.rules import LABEL, Rule
from wingbeat.spec.container import ContainerSpec
from wingbeat.spec.entities import Closure, Entry, Interface, TaskSpec, WrapperSpec
from wingbeat.spec.gang import GangSpec, RoleSpec

ABLE = {
    "process": Capabilities(),
    "boxes": Capabilities(functions=False, containers=True),
    "cluster": Capabilities(containers=True, gangs=True),
}


def task(**options) -> TaskSpec:
    return TaskSpec("m.f", Interface(), Entry("m", "f"), **options)


def routes(default: str = "process", rules: Sequence[Rule] = (), **able: Capabilities) -> Routes:
    return Routes(able or ABLE, frozenset(), default, rules=rules)


def closure(*tasks: TaskSpec) -> Closure:
    return Closure("", {str(n): task for n, task in enumerate(tasks)})


def labels(default: str = "process", rules: Sequence[Rule] = (), **given: str) -> dict[str, str]:
    return routes(default, rules).labels(closure(), given)


CONTAINER = ContainerSpec("debian:12", ("true",))
GANG = GangSpec((RoleSpec("worker", 2),))


@pytest.mark.parametrize(
    ("options", "says", "hint"),
    [
        ({"container": CONTAINER}, "runs in a container, which the executor 'process' cannot", "boxes, cluster"),
        ({"gang": GANG}, "wants several processes for an attempt, which the executor 'process' cannot", "cluster"),
        ({"executor": "boxes"}, "is a Python function, which the executor 'boxes' cannot", "cluster, process"),
        ({"executor": "box"}, "is to run on the executor 'box', which is not installed", "boxes, cluster, process"),
    ],
)
def test_a_task_that_its_executor_cannot_run_is_refused_with_those_that_can(options, says, hint):
    with pytest.raises(ConfigurationError, match=f"Task m.f {says}") as told:
        routes().check(closure(task(), task(**options)), labels())
    assert f": {hint}." in told.value.hint


def test_what_they_can_run_is_not_refused():
    routes().check(
        closure(task(), task(executor="boxes", container=CONTAINER), task(executor="cluster", gang=GANG)), labels()
    )
    routes().check(closure(task(container=CONTAINER, gang=GANG)), labels(default="cluster"))


def test_it_says_so_when_nobody_can():
    with pytest.raises(ConfigurationError) as told:
        routes(process=Capabilities()).check(closure(task(container=CONTAINER)), labels())
    assert told.value.hint.startswith("Executors that can: none is installed.")


SPARK = WrapperSpec("spark", "m:W")


@pytest.mark.parametrize(
    ("options", "given", "expected"),
    [
        ({}, {}, "process"),
        ({"executor": "boxes"}, {}, "boxes"),
        ({"wrappers": (SPARK,)}, {}, "cluster"),
        ({"wrappers": (SPARK,), "executor": "process"}, {}, "cluster"),  # the configuration wins
        ({"container": CONTAINER}, {"project": "eta"}, "process"),
        ({"container": CONTAINER}, {"project": "eta", "domain": "production"}, "boxes"),
        ({"name": "eta.train_gbm"}, {}, "gpus"),
        ({"name": "eta.trained"}, {}, "process"),
    ],
)
def test_the_first_rule_that_fits_a_task_decides(options, given, expected):
    rules = [
        Rule("cluster", type="spark"),
        Rule("boxes", type="container", project="eta", domain="prod*"),
        Rule("gpus", task="*.train_*"),
        Rule("never", task="eta.train_gbm"),
    ]
    made = structs.replace(task(), **options)
    assert routes().executor(made, labels(rules=rules, **given)) == expected


def test_an_execution_is_routed_by_what_was_configured_at_its_launch():
    before = labels(default="boxes", rules=[Rule("cluster", task="m.*")])
    assert routes(default="process").executor(task(), before) == "cluster"
    assert routes(default="boxes").executor(task(), labels()) == "process"


def test_what_is_not_configured_leaves_no_label():
    assert labels(project="eta") == {"project": "eta"}
    assert LABEL not in labels(rules=[Rule("boxes", project="other")], project="eta")
