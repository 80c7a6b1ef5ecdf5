"""Ids of nodes: those of a plan, and those of what was opened while it ran."""

import random

from wingbeat.compile.flatten import flatten
from wingbeat.machine.graph import Graph
from wingbeat.testing.graphs import Graphs
from wingbeat.testing.plans import Job, make_plan


def test_an_id_is_found_also_when_its_node_was_opened_after_somebody_asked():
    inner = make_plan({"a": Job(), "b": Job(takes=("a",))})
    graph = Graph(make_plan({"outer": Job()}))
    assert graph.find("outer") == 0
    assert graph.find("outer.b") is None
    first = graph.open(inner, "outer", 0)
    assert graph.find("outer.b") == first + 1
    second = graph.open(inner, "other", -1)
    assert [graph.find(graph.id(node)) for node in range(len(graph.nodes))] == list(range(len(graph.nodes)))
    assert graph.id(second) == "other.a"


def test_upstream_and_downstream_say_the_same():
    for seed in range(50):
        graphs = Graphs(random.Random(seed))
        plan = flatten(graphs.closure(2))
        for i, node in enumerate(plan.nodes):
            assert list(node.upstream) == sorted(set(node.upstream))
            assert all(i in plan.nodes[u].downstream for u in node.upstream)
            expected = [j for j, other in enumerate(plan.nodes) if i in other.upstream]
            assert set(node.downstream) - set(expected) <= ({node.arm[0]} if node.arm else set())
