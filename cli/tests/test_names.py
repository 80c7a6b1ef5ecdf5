"""Names without a place: an execution that is called so, or else what is registered where the settings say."""

import asyncio
from types import SimpleNamespace

import pytest

from wingbeat.base.errors import ConfigurationError, NotFound
from wingbeat.contracts.artifacts import Lineage
from wingbeat.spec.definition import Definition, Kind
from wingbeat_cli.commands.lineage import _lineage, _tell
from wingbeat_cli.commands.spec import _known

PLACE = "default/development"


class Known:
    """A kernel, its engine and its admin, which know these names."""

    def __init__(self, world, *names, admin=True):
        self.world, self.names, self.engine, self.has_admin = world, names, self, admin

    async def admin(self):
        if not self.has_admin:
            raise ConfigurationError("No admin is installed.")
        return self

    async def lineage(self, id):
        return Lineage(self._found(id))

    async def closure(self, id):
        self._found(id)
        return self.world.closure

    async def entity(self, reference):
        return SimpleNamespace(id=f"{self._found(reference)}@v1")

    async def entities(self, query):
        return SimpleNamespace(items=[])

    async def definition(self, reference):
        self._found(reference.partition("@")[0])
        return Definition(Kind.WORKFLOW, "flow", self.world.closure)

    def _found(self, name):
        if name not in self.names:
            raise NotFound(f"There is no {name}.")
        return name


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("roads", ("roads", f"{PLACE}/roads"), "roads"),
        ("roads", (f"{PLACE}/roads",), f"{PLACE}/roads"),
        ("roads@e1", ("roads", f"{PLACE}/roads@e1"), f"{PLACE}/roads@e1"),
        ("maps/production/roads", ("maps/production/roads",), "maps/production/roads"),
    ],
)
def test_lineage_is_of_an_execution_or_an_artifact_here(world, name, known, found):
    assert asyncio.run(_lineage(Known(world, *known), name)).id == found


def test_lineage_says_how_much_is_where_one_may_not_look(capsys):
    _tell(Lineage("e1", sources_elsewhere=1, effects_elsewhere=2))
    assert capsys.readouterr().out.splitlines() == [
        "e1 comes from:",
        "  1 execution or artifact where you may not look",
        "e1 led to:",
        "  2 executions or artifacts where you may not look",
    ]
    _tell(Lineage("e1"))
    assert capsys.readouterr() == ("", "e1 comes from nothing that is known, and nothing came of it\n")


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("flow", ("flow", f"{PLACE}/flow"), "flow"),
        ("flow", (f"{PLACE}/flow",), f"{PLACE}/flow@v1"),
        ("flow@v3", ("flow", f"{PLACE}/flow"), f"{PLACE}/flow@v3"),
        ("maps/production/flow", ("maps/production/flow",), "maps/production/flow@v1"),
    ],
)
def test_a_spec_is_of_an_execution_or_of_what_is_registered_here(world, name, known, found):
    assert asyncio.run(_known(Known(world, *known), name)).id == found


def test_what_is_neither_is_told_as_both(world):
    told = f"There is no x. There is no {PLACE}/x."
    for asked in (_known, _lineage):
        with pytest.raises(NotFound, match=told):
            asyncio.run(asked(Known(world), "x"))
    with pytest.raises(NotFound, match=r"There is no x\.$"):
        asyncio.run(_known(Known(world, admin=False), "x"))
