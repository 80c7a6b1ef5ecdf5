"""What is told of one's own executions names nobody else's."""

from types import SimpleNamespace

import msgspec
import pytest

from wingbeat.base.errors import JournalDamaged, NotFound
from wingbeat.contracts.access import Grant, Role
from wingbeat.contracts.engine import ExecutionView, NodeView
from wingbeat.engine.engine import LocalEngine
from wingbeat.spec.phase import ExecutionPhase, NodePhase
from wingbeat_admin.server.hiding import ASKED_MAX, GONE, HIDDEN, Hiding
from wingbeat_admin.server.policy import Caller, all_powerful

HOLDERS = "gated-maps-production/n0/0, gated-eta-production/n0.7/12"
HELD = f"n0: waiting for pool 'gpu': 2 of 2 slots are held by {HOLDERS}; 1 is before it"
OWN = HELD.replace("gated-eta-production/n0.7/12", HIDDEN)


class Engine:
    """Executions are where their names say; counts how often it is asked."""

    def __init__(self):
        self.asked = 0

    async def describe(self, id, *, nodes):
        self.asked += 1
        assert not nodes
        kind, _, project = id.partition("-")
        if id == "broken":
            raise JournalDamaged(id)
        if kind != "run":
            raise NotFound(id)
        return SimpleNamespace(labels={"project": project, "domain": "production"})


def hiding(project="maps"):
    engine = Engine()
    return engine, Hiding(engine, Caller("me", (Grant("me", Role.VIEWER, project, "production"),)))


async def test_who_is_elsewhere_is_not_named():
    engine, hidden = hiding()
    told = "held by run-maps/n0/0, run-eta/n1/load[3]/2 (since 9), run-eta/n0, which computes the same; "
    told += "see a/b/3, /data/run-eta/x/1, broken/n0/0"
    said = f"held by run-maps/n0/0, {HIDDEN} (since 9), {HIDDEN}, which computes the same; see a/b/3, /data/run-eta/x/1, {HIDDEN}"
    assert await hidden.text(told) == said
    assert engine.asked == 4, "each once"
    assert await hidden.text("taken from a/n0/0", ours=True) == f"taken from {GONE}"
    missed = "nothing is kept of task run-eta/production/flow.train: it was never computed; limit 'run-eta/production/nightly'"
    assert await hidden.text(missed, ours=True) == missed, "names of what is registered"
    assert await Hiding(engine, all_powerful()).text(told) == told
    assert engine.asked == 4


async def test_many_are_not_looked_up():
    engine, hidden = hiding()
    text = await hidden.text(", ".join(f"x{n}/n0/0" for n in range(500)))
    assert (engine.asked, text.count(HIDDEN)) == (ASKED_MAX, 500 - ASKED_MAX)


async def test_nodes_name_nobody_else_and_stay_as_they_are():
    _, hidden = hiding()
    nodes = [
        NodeView("n0", "f", NodePhase.QUEUED, reason="waiting for pool 'gpu': 1 of 1 slots are held by run-eta/n0/0"),
        NodeView("n1", "f", NodePhase.SUCCEEDED, source="run-eta/n0/0", of="maps/production/f@v1"),
        NodeView("n2", "f", NodePhase.SUCCEEDED, source="gone/n0/0", of="maps/production/f@v1"),
        NodeView("n2", "f", NodePhase.SUCCEEDED, source="run-maps/n0/0"),
        NodeView("n3", "f", NodePhase.QUEUED, reason="waiting for run-eta/n0.7, which computes the same"),
        NodeView("n4", "f", NodePhase.FAILED, reason="no file run-eta/n0/0"),
    ]
    view = ExecutionView("mine", "w", ExecutionPhase.RUNNING, 0.0, nodes)
    found = (await hidden.view(view)).nodes
    assert found[0].reason == f"waiting for pool 'gpu': 1 of 1 slots are held by {HIDDEN}"
    assert [each.source for each in found[1:4]] == [HIDDEN, GONE, "run-maps/n0/0"]
    assert found[4].reason == f"waiting for {HIDDEN}, which computes the same"
    assert found[5] == nodes[5], "what somebody's own code has said"


@pytest.mark.parametrize(("path", "method"), [("waiting", "explain_waiting"), ("cache?node=n0", "explain_cache")])
async def test_over_the_server(server, monkeypatch, path, method):
    async def told(*_):
        return HELD

    monkeypatch.setattr(LocalEngine, method, told)
    url = f"/executions/{server.execution(server.own)}/{path}"
    viewer = await server.key("viewer", ("viewer", *server.own))
    answers = [msgspec.json.decode((await server.call(key, "GET", url)).content) for key in (viewer, server.owner)]
    assert answers == [OWN, HELD]
