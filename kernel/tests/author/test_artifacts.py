"""What workflows publish and launch plans take, as authors write it."""

import enum
from datetime import date

import pytest

from wingbeat import Artifact, CompileError, LaunchPlan, Newest, OnArtifact, OnVersion, task, workflow
from wingbeat.author.closing import close
from wingbeat.compile.check import check
from wingbeat.runtime.storageio import StorageIO
from wingbeat.spec.artifacts import NewestSpec, PublishSpec
from wingbeat.spec.triggers import OnArtifactSpec, OnVersionSpec

IO = StorageIO(None, "")
ROADS = "maps/production/roads"


class Size(enum.Enum):
    SMALL = 1


@task
def survey(city: str) -> list[str]:
    return [city]


@task
def fit(roads: list[str], city: str, rounds: int = 1) -> str:
    return f"{city} {len(roads)} {rounds}"


def spec(plan):
    closure, _ = close(plan.workflow, IO)
    return plan.spec(IO, closure.root, closure.workflow.interface)


def published(flow):
    closure, locations = close(flow, IO)
    check(closure, locations)
    return closure.workflow.publishes


def test_a_workflow_publishes_outputs_under_names():
    @workflow(publishes={"o0": Artifact("roads", partitions={"city": "city"})})
    def build(city: str) -> list[str]:
        return survey(city)

    assert published(build) == {"o0": PublishSpec("roads", {"city": "city"})}


def test_so_does_a_dynamic_one_but_not_where_it_is_called(dynamic):
    assert published(dynamic) == {"o0": PublishSpec("roads")}

    @workflow
    def outer(city: str) -> list[str]:
        return dynamic(city)

    assert published(outer) == {}


@workflow(publishes={"o0": Artifact("roads")})
async def anew(city: str) -> list[str]:
    return await survey(city)


@pytest.fixture
def dynamic():
    return anew


def test_keys_are_of_simple_types():
    @workflow(publishes={"o0": Artifact("a", partitions={"n": "n", "day": "day", "size": "size", "big": "big"})})
    def fine(n: int, day: date, size: Size, big: bool) -> list[str]:
        return survey("sf")

    assert published(fine)

    @workflow(publishes={"o0": Artifact("a", partitions={"x": "x"})})
    def coarse(x: float) -> list[str]:
        return survey("sf")

    with pytest.raises(CompileError, match=r"float is no value of a key.*test_artifacts\.py"):
        published(coarse)


@pytest.mark.parametrize(
    ("publishes", "told"),
    [
        ({"o1": Artifact("roads")}, "none of its outputs; these are: o0"),
        ({"o0": Artifact("r", partitions={"z": "zip"})}, "'zip'"),
    ],
)
def test_what_there_is_not_cannot_be_published(publishes, told):
    @workflow(publishes=publishes)
    def build(city: str) -> list[str]:
        return survey(city)

    with pytest.raises(CompileError, match=told):
        published(build)


@pytest.mark.parametrize("wrong", ["", "a/b", "a b", "../x", "x" * 300])
def test_names_that_are_none(wrong):
    with pytest.raises(CompileError, match=r"test_artifacts\.py"):
        Artifact(wrong)
    with pytest.raises(CompileError, match=r"test_artifacts\.py"):
        Newest(wrong)
    with pytest.raises(CompileError, match=r"test_artifacts\.py"):
        OnArtifact(wrong)


def test_one_name_is_published_once():
    with pytest.raises(CompileError, match="two outputs"):

        @workflow(publishes={"o0": Artifact("roads"), "o1": Artifact("roads")})
        def build(city: str) -> tuple[list[str], list[str]]:
            return survey(city), survey(city)

    with pytest.raises(CompileError, match="takes artifacts"):
        workflow(publishes={"o0": "roads"})(lambda: None)


def test_a_launch_plan_takes_the_newest():
    found = spec(LaunchPlan(fit, name="p", inputs={"roads": Newest(ROADS, partitions={"city": "sf"}), "city": "sf"}))
    assert found.newest == {"roads": NewestSpec(ROADS, {"city": "sf"})}
    assert found.interface.input("roads").required
    with pytest.raises(CompileError, match="'road'"):
        _ = LaunchPlan(fit, name="p", inputs={"road": Newest(ROADS)}).signature
    with pytest.raises(CompileError, match="fixed"):
        LaunchPlan(fit, name="p", inputs={"roads": Newest(ROADS)}, fixed={"roads": []})


def test_triggers_give_values_keys_and_versions():
    trigger = OnArtifact(ROADS, partitions={"year": "2026"}, input="roads", keys={"city": "city"})
    assert spec(LaunchPlan(fit, name="p", trigger=trigger)).trigger == OnArtifactSpec(
        ROADS, {"year": "2026"}, "roads", {"city": "city"}
    )
    version = OnVersion(ROADS, event="activated", input="city")
    inputs = {"roads": Newest(ROADS)}
    assert spec(LaunchPlan(fit, name="p", inputs=inputs, trigger=version)).trigger == OnVersionSpec(
        ROADS, "activated", "city"
    )


@pytest.mark.parametrize(
    ("trigger", "told"),
    [
        (OnArtifact(ROADS, input="roads"), "nobody gives 'city'"),
        (OnArtifact(ROADS, input="road", keys={"c": "city"}), "gives 'road'"),
        (OnArtifact(ROADS, input="roads", keys={"c": "city", "n": "rounds"}), "'rounds' takes int"),
        (OnVersion(ROADS, input="rounds"), "'rounds' takes int"),
    ],
)
def test_what_a_trigger_gives_has_to_fit(trigger, told):
    with pytest.raises(CompileError, match=told):
        spec(LaunchPlan(fit, name="p", trigger=trigger))


def test_an_event_that_is_none():
    with pytest.raises(CompileError, match="registered or activated"):
        OnVersion(ROADS, event="deleted")
