"""What is said of triggers that can never fire, or never cease."""

import enum

import pytest

from wingbeat import Artifact, Newest, OnArtifact, OnSuccess, OnVersion, task, workflow
from wingbeat.base.errors import InputError
from wingbeat.spec.identity import parse_identity
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import launchplan
from wingbeat.testing.conformance.admin_stage import workflow as defined
from wingbeat_admin.local.schema import open_file
from wingbeat_admin.local.store import Store
from wingbeat_admin.local.watched import warnings_of

ROADS = "eta/production/roads"


class City(enum.Enum):
    SF = "sf"
    LA = "la"


@task
def survey(city: City) -> int:
    return 1


@workflow(publishes={"o0": Artifact("roads", partitions={"city": "city"})})
def build(city: City) -> int:
    return survey(city)


@pytest.fixture
def store(tmp_path):
    found = Store(open_file(tmp_path / "admin.sqlite"))
    yield found
    found.close()


def put(store, definition):
    id = parse_identity(f"eta/production/{definition.name}@v1")
    store.register([id], [definition], 0.0, "me")
    return id


def said(store, name, flow=flows.twice, *, active=False, **options):
    plan = launchplan(flow, name, **options)
    id = put(store, plan)
    found = warnings_of(store, id, plan, plan.plan)
    if active:
        store.activate(id, getattr(plan.plan.trigger, "workflow", "else"), None, 0.0)
    return found


N = {"inputs": {"n": 1}}


def test_what_is_not_there_yet_is_told(store):
    told = "nothing is registered as eta/production/none yet: it waits for that"
    assert said(store, "a", trigger=OnSuccess("eta/production/none"), **N) == [told]
    assert said(store, "b", trigger=OnVersion("eta/production/none"), **N) == [told]
    (artifact,) = said(store, "c", trigger=OnArtifact(ROADS), **N)
    assert artifact == "nothing that is registered in eta/production publishes roads yet"


def test_what_is_there_and_fits_is_not(store):
    put(store, defined(build, "build"))
    assert said(store, "a", trigger=OnSuccess("eta/production/build", inputs={"n": "o0"})) == []
    assert said(store, "b", trigger=OnArtifact(ROADS, partitions={"city": "SF"}, input="n")) == []


@pytest.mark.parametrize(
    ("options", "why", "hint"),
    [
        ({"trigger": OnArtifact(ROADS, partitions={"town": "sf"}), **N}, "has no key 'town'", "Its keys are: city."),
        ({"trigger": OnArtifact(ROADS, partitions={"city": "sf"}), **N}, "is never 'sf'", "It is one of SF, LA."),
        ({"inputs": {"n": Newest(ROADS, partitions={"city": "sf"})}}, "is never 'sf'", "It is one of SF, LA."),
    ],
)
def test_keys_and_values_that_no_partition_has_are_refused(store, options, why, hint):
    put(store, defined(build, "build"))
    with pytest.raises(InputError, match=why) as caught:
        said(store, "plan", **options)
    assert caught.value.hint == hint


def test_what_starts_itself_is_told(store):
    endless = "its own executions start it again, and there is no end to it"
    assert endless in said(store, "me", trigger=OnSuccess("eta/production/me"), **N)
    assert said(store, "made", build, trigger=OnArtifact(ROADS), inputs={"city": City.SF}) == [endless]


def test_a_circle_is_told_by_what_it_names_itself(store):
    assert said(store, "first", trigger=OnSuccess("eta/production/third"), active=True, **N) != []
    assert said(store, "second", trigger=OnSuccess("eta/production/first"), active=True, **N) == []
    (told,) = said(store, "third", trigger=OnSuccess("eta/production/second"), active=True, **N)
    assert told == "its own executions start it again, by way of eta/production/second, and there is no end to it"
