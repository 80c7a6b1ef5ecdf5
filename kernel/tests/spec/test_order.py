"""Calls stand behind what they follow, and as the author wrote them otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wingbeat.spec.entities import NodeSpec, Promise
from wingbeat.spec.order import Circle, in_order


def nodes(count, edges):
    """Nodes of which some follow others, half of them as they are given a value of those."""
    found = []
    for i in range(count):
        above = sorted({a for a, b in edges if b == i})
        inputs = {f"x{a}": Promise(f"n{a}", "o0") for a in above if (a + i) % 2}
        found.append(NodeSpec(f"n{i}", 0, inputs, after=tuple(f"n{a}" for a in above if not (a + i) % 2)))
    return found


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 12))
    rank = draw(st.permutations(range(count)))
    pairs = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=20))
    return count, {(a, b) for a, b in pairs if rank[a] < rank[b]}


@given(graphs())
def test_each_stands_behind_what_it_follows(graph):
    count, edges = graph
    found = [int(node.id[1:]) for node in in_order(nodes(count, edges))]
    assert sorted(found) == list(range(count))
    assert all(found.index(a) < found.index(b) for a, b in edges)
    if all(a < b for a, b in edges):
        assert found == list(range(count))


def test_a_circle_is_told_without_what_follows_it():
    with pytest.raises(Circle) as caught:
        in_order(nodes(5, {(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)}))
    assert caught.value.nodes == ["n1", "n2", "n3"]
