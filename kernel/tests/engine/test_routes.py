"""Tasks and the executors that run them."""

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.executor import Capabilities
from wingbeat.engine.routes import Routes
from wingbeat.spec.container import ContainerSpec
from wingbeat.spec.entities import Entry, Interface, TaskSpec
from wingbeat.spec.gang import GangSpec, RoleSpec

ABLE = {
    "process": Capabilities(),
    "boxes": Capabilities(functions=False, containers=True),
    "cluster": Capabilities(containers=True, gangs=True),
}


def task(**options) -> TaskSpec:
    return TaskSpec("m.f", Interface(), Entry("m", "f"), **options)


def routes(default: str = "process", **able: Capabilities) -> Routes:
    return Routes(able or ABLE, frozenset(), default)


CONTAINER = ContainerSpec("debian:12", ("true",))
GANG = GangSpec((RoleSpec("worker", 2),))


@pytest.mark.parametrize(
    ("options", "says", "hint"),
    [
        ({"container": CONTAINER}, "runs in a container, which the executor 'process' cannot", "boxes, cluster"),
        ({"gang": GANG}, "wants several processes for an attempt, which the executor 'process' cannot", "cluster"),
        ({"executor": "boxes"}, "is a Python function, which the executor 'boxes' cannot", "cluster, process"),
        ({"executor": "box"}, "wants the executor 'box', which is not installed", "boxes, cluster, process"),
    ],
)
def test_a_task_that_its_executor_cannot_run_is_refused_with_those_that_can(options, says, hint):
    with pytest.raises(ConfigurationError, match=f"Task m.f {says}") as told:
        routes().check([task(), task(**options)])
    assert f": {hint}." in told.value.hint


def test_what_they_can_run_is_not_refused():
    routes().check([task(), task(executor="boxes", container=CONTAINER), task(executor="cluster", gang=GANG)])
    routes(default="cluster").check([task(container=CONTAINER, gang=GANG)])


def test_it_says_so_when_nobody_can():
    with pytest.raises(ConfigurationError) as told:
        routes(process=Capabilities()).check([task(container=CONTAINER)])
    assert told.value.hint.startswith("Executors that can: none is installed.")
