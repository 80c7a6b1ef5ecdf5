"""The transition tables, walked: every pair is listed, or refused."""

import itertools

import pytest

from wingbeat.machine import transitions
from wingbeat.spec.phase import AttemptPhase, ExecutionPhase, NodePhase

WALKS = [
    (ExecutionPhase, transitions.EXECUTION, transitions.execution),
    (NodePhase, transitions.NODE, transitions.node),
    (AttemptPhase, transitions.ATTEMPT, transitions.attempt),
]
PAIRS = [(t, f, a, b) for phases, t, f in WALKS for a, b in itertools.product(phases, phases)]


@pytest.mark.parametrize(("table", "go", "before", "after"), PAIRS, ids=[f"{a!r:.22}-{b}" for _, _, a, b in PAIRS])
def test_a_pair_is_listed_or_refused(table, go, before, after):
    if after in table[before]:
        assert go(before, after) is after
    else:
        with pytest.raises(transitions.ForbiddenTransition, match=f"{before} -> {after}"):
            go(before, after)


@pytest.mark.parametrize(("phases", "table", "_go"), WALKS, ids=["execution", "node", "attempt"])
def test_every_phase_has_a_line(phases, table, _go):
    assert set(table) == set(phases)


@pytest.mark.parametrize(("phases", "table", "_go"), WALKS[:2], ids=["execution", "node"])
def test_what_is_terminal_has_no_successor_and_everything_else_has(phases, table, _go):
    assert {p for p in phases if p.terminal} == {p for p in phases if not table[p]}


@pytest.mark.parametrize(("phases", "table", "_go"), WALKS, ids=["execution", "node", "attempt"])
def test_an_end_can_be_reached_from_everywhere(phases, table, _go):
    def reached(phase, seen):
        for after in table[phase] - seen:
            seen.add(after)
            reached(after, seen)
        return seen

    ends = {p for p in phases if not table[p]}
    assert all(reached(p, {p}) & ends for p in phases)


def test_success_is_terminal():
    assert {p for p in NodePhase if p.success} == {NodePhase.SUCCEEDED, NodePhase.RECOVERED}
    assert all(p.terminal for p in NodePhase if p.success)
