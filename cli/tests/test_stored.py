"""Values that lists are asked by are written as the options of a launch: where their types are known."""

import asyncio
from types import SimpleNamespace

import pytest

from wingbeat.base.errors import NotFound
from wingbeat.contracts.artifacts import ArtifactEntry, ArtifactPage
from wingbeat.spec.artifacts import PublishSpec
from wingbeat.spec.definition import Definition, Kind
from wingbeat.spec.entities import Closure, Interface, Variable, WorkflowSpec
from wingbeat.types import Simple
from wingbeat.types.model import EnumType, UnionType
from wingbeat_cli.stored import Stored, stored, stored_conditions, stored_keys

CITY, INT, BOOL = EnumType("City", ("SF", "LosAngeles")), Simple("int"), Simple("bool")
INTERFACE = Interface(
    (Variable("city", CITY), Variable("n", INT), Variable("dry", BOOL), Variable("d", Simple("timedelta"))),
    (Variable("o0", CITY),),
)


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("sf", CITY, Stored("SF")),
        ("LosAngeles", CITY, Stored("LosAngeles")),
        ("losangeles", UnionType((CITY, Simple("none"))), Stored("LosAngeles")),
        ("rome", CITY, Stored("rome", "x is one of SF, LosAngeles")),
        ("b|A", EnumType("Flags", ("A", "B"), flag=True), Stored("B|A")),
        ("yes", BOOL, Stored("true")),
        ("0", BOOL, Stored("false")),
        ("maybe", BOOL, Stored("maybe", "x is true or false")),
        ("SF", Simple("str"), Stored("SF")),
        ("1", INT, Stored("1")),
        ("9h", Simple("timedelta"), Stored("PT9H")),
        ("-90s", UnionType((Simple("timedelta"), Simple("none"))), Stored("-PT1M30S")),
        ("PT9H", Simple("timedelta"), Stored("PT9H")),
        ("2026-03-29", Simple("datetime"), Stored("2026-03-29")),
        ("soon", Simple("timedelta"), Stored("soon", "x: expected a duration as 90s or 1h30m, got 'soon'")),
    ],
)
def test_a_value_is_asked_by_as_it_is_kept(text, kind, expected):
    assert stored("x", text, kind) == expected


class Admin:
    """What is registered as `build`, and what it has published."""

    workflow = WorkflowSpec("build", INTERFACE, publishes={"o0": PublishSpec("roads", {"place": "city"})})

    async def entity(self, reference):
        if reference != "maps/production/build":
            raise NotFound(f"Nothing is registered as {reference}.")
        return SimpleNamespace(interface=INTERFACE)

    async def definition(self, _id):
        return Definition(Kind.WORKFLOW, "build", Closure("d", {"d": self.workflow}))

    async def artifacts(self, query):
        if query.name != "roads":
            return ArtifactPage([])
        id = "maps/production/roads@e1"
        return ArtifactPage([ArtifactEntry(id, "e1", "o0", "maps/production/build@v1", CITY, 0.0, {"place": "SF"})])


@pytest.mark.parametrize(
    ("entity", "given", "texts"),
    [
        ("maps/production/build", ["inputs.city=sf", "inputs.dry!=no"], ["inputs.city=SF", "inputs.dry!=false"]),
        ("maps/production/build", ["outputs.o0 = losangeles"], ["outputs.o0=LosAngeles"]),
        ("maps/production/build", ["inputs.city>sf", "inputs.other=sf"], ["inputs.city>sf", "inputs.other=sf"]),
        ("maps/production/build", ["inputs.d>9h", "inputs.d=10m"], ["inputs.d>PT9H", "inputs.d=PT10M"]),
        ("maps/production/gone", ["inputs.city=sf"], ["inputs.city=sf"]),
        ("", ["inputs.city=sf"], ["inputs.city=sf"]),
    ],
)
def test_conditions_go_by_the_types_of_what_is_registered(entity, given, texts):
    found = asyncio.run(stored_conditions(Admin(), entity, given))
    assert [(each.text, each.known) for each in found] == [(text, "") for text in texts]


def test_what_no_value_is_like_is_told_with_those_that_there_are():
    (found,) = asyncio.run(stored_conditions(Admin(), "maps/production/build", ["inputs.city=rome"]))
    assert found == Stored("inputs.city=rome", "inputs.city is one of SF, LosAngeles")


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("roads", {"place": "sf", "other": "sf"}, {"place": Stored("SF"), "other": Stored("sf")}),
        ("roads", {"place": "rome"}, {"place": Stored("rome", "place is one of SF, LosAngeles")}),
        ("", {"place": "sf"}, {"place": Stored("sf")}),
        ("none", {"place": "sf"}, {"place": Stored("sf")}),
    ],
)
def test_keys_go_by_the_inputs_of_what_publishes(name, given, expected):
    assert asyncio.run(stored_keys(Admin(), Admin(), ("maps", "production", name), given)) == expected
