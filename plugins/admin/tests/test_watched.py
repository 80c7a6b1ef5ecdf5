"""What is said of triggers that can never fire, or never cease."""

import enum

import pytest

from wingbeat import Artifact, Newest, OnArtifact, OnSuccess, OnVersion, task, workflow
from wingbeat.base.errors import InputError, NotFound
from wingbeat.contracts.artifacts import ArtifactEntry
from wingbeat.spec.identity import parse_identity, parse_name
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin_stage import launchplan
from wingbeat.testing.conformance.admin_stage import workflow as defined
from wingbeat.types import Simple
from wingbeat_admin.local import artifacts
from wingbeat_admin.local.schema import open_file
from wingbeat_admin.local.store import Store
from wingbeat_admin.local.watched import of_registered, warnings_of

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
    assert said(store, "c", inputs={"n": Newest(ROADS)}) == []
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


@pytest.mark.parametrize("options", [{"trigger": OnArtifact(ROADS, input="text")}, {"inputs": {"text": Newest(ROADS)}}])
def test_an_artifact_of_another_type_is_refused_with_both_types(store, options):
    told = "'text' takes str, and 'o0' of eta/production/build@v1 is int"
    assert said(store, "before", flows.shout, **options) != [], "nothing publishes it yet"
    put(store, defined(build, "build"))
    with pytest.raises(InputError, match=told):
        said(store, "plan", flows.shout, **options)


def test_a_version_that_is_there_is_of_a_type_too(store):
    with store.transaction() as db:
        entry = ArtifactEntry(f"{ROADS}@e1", "e1", "o0", "eta/production/gone@v1", Simple("int"), 0.0, {"city": "SF"})
        artifacts.add(db, parse_name(ROADS), entry)
    assert said(store, "a", inputs={"n": Newest(ROADS)}) != []
    with pytest.raises(InputError, match=f"takes str, and 'o0' of {ROADS}@e1 is int"):
        said(store, "b", flows.shout, inputs={"text": Newest(ROADS)})
    assert said(store, "c", flows.shout, inputs={"text": Newest(ROADS, partitions={"city": "LA"})}) != []


def registered(store, *definitions, within=None):
    ids = [parse_identity(f"eta/production/{each.name}@v1") for each in definitions]
    with store.transaction():
        return of_registered(store, store.register(ids, definitions, 0.0, "me"), definitions, within)


def test_who_registers_is_told_already(store):
    plan = launchplan(flows.twice, "plan", trigger=OnSuccess("eta/production/build"), **N)
    other = launchplan(flows.twice, "other", trigger=OnSuccess("maps/production/none"), **N)
    wrong = launchplan(flows.shout, "wrong", inputs={"text": Newest(ROADS)})
    told = "nothing is registered as {} yet: it waits for that"
    assert [each.warnings for each in registered(store, plan)] == [(told.format("eta/production/build"),)]
    assert [each.warnings for each in registered(store, defined(build, "build"), plan)] == [(), ()]
    assert [each.warnings for each in registered(store, other)] == [(told.format("maps/production/none"),)]
    assert [each.warnings for each in registered(store, other, within=("eta/*",))] == [()], (
        "nobody looks there for them"
    )
    with pytest.raises(InputError, match="Launch plan wrong: The artifact .* takes str"):
        registered(store, wrong)
    with pytest.raises(NotFound):
        store.entity(parse_name("eta/production/wrong"), "")


def test_what_is_there_already_is_not_refused_later(store):
    wrong = launchplan(flows.shout, "wrong", inputs={"text": Newest(ROADS)})
    registered(store, wrong)
    registered(store, defined(build, "build"))
    (again,) = registered(store, wrong)
    assert not again.created
    assert "takes str" in again.warnings[0]


def test_what_starts_itself_is_told(store):
    endless = "its own executions start it again, and there is no end to it"
    assert endless in said(store, "me", trigger=OnSuccess("eta/production/me"), **N)
    assert said(store, "made", build, trigger=OnArtifact(ROADS), inputs={"city": City.SF}) == [endless]


def test_a_circle_is_told_by_what_it_names_itself(store):
    assert said(store, "first", trigger=OnSuccess("eta/production/third"), active=True, **N) != []
    assert said(store, "second", trigger=OnSuccess("eta/production/first"), active=True, **N) == []
    (told,) = said(store, "third", trigger=OnSuccess("eta/production/second"), active=True, **N)
    assert told == "its own executions start it again, by way of eta/production/second, and there is no end to it"
