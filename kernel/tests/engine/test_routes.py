"""Tasks and the executors that run them."""

from collections.abc import Sequence

import pytest
from msgspec import structs
from msgspec.structs import replace

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.executor import Capabilities
from wingbeat.contracts.secrets import SourceRef
from wingbeat.engine.routes import Routes
from wingbeat.engine.rules import LABEL, Rule
from wingbeat.spec.container import ContainerSpec
from wingbeat.spec.entities import (
    Closure,
    Entry,
    Interface,
    NodeSpec,
    OverrideSpec,
    SecretSpec,
    TaskSpec,
    WorkflowSpec,
    WrapperSpec,
)
from wingbeat.spec.gang import GangSpec, RoleSpec

ABLE = {
    "process": Capabilities(secrets=True),
    "boxes": Capabilities(functions=False, containers=True),
    "cluster": Capabilities(containers=True, gangs=True),
    "shared": Capabilities(isolates=False, secrets=True),
}
SOURCE = SourceRef("vault", "vault:Source", {"address": "here"})
SECRETS = (SecretSpec("key"), SecretSpec("db/password", env="DB_PASSWORD"))


def task(**options) -> TaskSpec:
    return TaskSpec("m.f", Interface(), Entry("m", "f"), **options)


def routes(default: str = "process", rules: Sequence[Rule] = (), **able: Capabilities) -> Routes:
    return Routes(able or ABLE, frozenset(), default, rules=rules, secrets=lambda: SOURCE)


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
        ({"executor": "boxes"}, "is a Python function, which the executor 'boxes' cannot", "cluster, process, shared"),
        (
            {"executor": "box"},
            "is to run on the executor 'box', which is not installed",
            "boxes, cluster, process, shared",
        ),
        (
            {"executor": "cluster", "secrets": SECRETS},
            "has secrets, which the executor 'cluster' cannot",
            "process, shared",
        ),
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


def test_the_source_of_secrets_is_for_tasks_that_have_any():
    assert routes().source(task(), labels()) is None
    assert routes().source(task(secrets=SECRETS), labels()) is SOURCE
    routes().check(closure(task(executor="shared", secrets=SECRETS[:1])), labels())


def test_a_token_is_asked_of_who_issues_it():
    issuer = SourceRef("issuer", "m:C")
    asked = []
    made = Routes(ABLE, frozenset(), secrets=lambda: SOURCE, tokens=lambda *about: asked.append(about) or issuer)
    token = SecretSpec("@token", env="WINGBEAT_API_KEY")
    both, alone = task(secrets=(*SECRETS, token)), task(secrets=(token,))
    assert made.source(both, labels(), "e/n/0", 7.0) == replace(SOURCE, tokens=issuer)
    assert made.source(alone, labels(), "e/n/0", 7.0) is issuer
    assert made.source(task(secrets=SECRETS), labels()) is SOURCE
    assert asked == [("e/n/0", 7.0)] * 2
    with pytest.raises(ConfigurationError, match=r"Task m.f has secrets. This engine knows nobody who issues '@token'"):
        routes().check(closure(alone), labels())
    with pytest.raises(ConfigurationError, match=r"'@token' in the variable WINGBEAT_API_KEY.*'shared'") as told:
        made.check(closure(task(executor="shared", secrets=(token,))), labels())
    assert told.value.hint == "Leave it out: what runs there is the program's own."


def test_a_variable_needs_a_process_of_ones_own():
    with pytest.raises(
        ConfigurationError, match=r"'db/password' in the variable DB_PASSWORD.*'shared' runs it in"
    ) as told:
        routes().check(closure(task(executor="shared", secrets=SECRETS)), labels())
    assert "current().secret('db/password')" in told.value.hint


def test_without_a_source_what_has_secrets_is_refused_and_nothing_else():
    def none():
        raise ConfigurationError("There is no source of secrets 'vault'.", hint="Installed: environment, file.")

    for secrets in (None, none):
        made = Routes(ABLE, frozenset(), "process", secrets=secrets)
        made.check(closure(task()), labels())
        with pytest.raises(ConfigurationError, match=r"Task m\.f has secrets"):
            made.check(closure(task(secrets=SECRETS)), labels())


@pytest.mark.parametrize(
    ("override", "says"),
    [
        (OverrideSpec(executor="box"), "on the executor 'box'"),
        (OverrideSpec(executor="cluster", secrets=SECRETS), "has secrets, which"),
    ],
)
def test_what_a_call_wants_is_checked_too(override, says):
    workflow = WorkflowSpec("m.w", Interface(), ("0",), (NodeSpec("n0", override=override),))
    routes().check(closure(task()), labels())
    with pytest.raises(ConfigurationError, match=says):
        routes().check(Closure("1", {"0": task(), "1": workflow}), labels())
