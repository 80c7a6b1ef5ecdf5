"""Random executions in a hostile world. ``make simulate SEEDS=50000`` runs more of them, ``make mutants`` plants bugs."""

import os
import random
import subprocess
import sys
from collections import Counter

import pytest

from wingbeat.machine.graph import Graph, item_address
from wingbeat.testing import simulate
from wingbeat.testing.faults import KINDS, Dice, Faults, uniform
from wingbeat.testing.invariants import Broken
from wingbeat.testing.mutants import MUTANTS, caught
from wingbeat.testing.plans import Job, make_plan
from wingbeat.testing.simulation import Options, World, same_node

FACTS = (
    "AttemptLost", "AttemptQueued", "AttemptStarted", "Began", "BodyEnded", "CacheSaid", "CancelDecided", "Chose", "Expanded",
    "ItemsDue", "NodeEnded", "NodeSucceeded", "Opened", "SignalKept", "Started", "Suspended", "Turned", "Woke",
)  # fmt: skip


@pytest.mark.timeout(180)
def test_whatever_happens_the_machine_keeps_its_promises():
    fired, failures = simulate.run(range(3000), os.cpu_count())
    told = "\n".join(f"{failure.what}\n  {failure.command()}" for failure in failures[:5])
    assert not failures, told
    never = [kind for kind in (*KINDS, *(f"fact {name}" for name in FACTS)) if not fired[kind]]
    assert not never, f"these never happened: {never}"


def test_a_seed_gives_the_same_execution_whatever_the_hashes_are():
    def digests(hashes):
        program = "from wingbeat.testing.simulation import World\nprint([World(seed).run() for seed in range(40)])"
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hashes},
            check=True,
            capture_output=True,
        )
        return done.stdout

    assert digests("1") == digests("2")


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(name):
    assert caught(MUTANTS[name], range(4000)) is not None


def test_a_failure_is_made_smaller():
    with MUTANTS["late results count"]():
        first = next(failure for seed in range(400) if (failure := simulate.fails(seed)))
        small = simulate.shrunk(first)
        assert simulate.fails(small.seed, small.options).kept == first.kept
        assert small.options.storm < 150
        assert len(small.options.off) > len(KINDS) / 2
    assert f"--seed {first.seed}" in small.command()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--seeds", "0"], "no seed at all"),
        (["--seeds=-5"], "no seed at all"),
        (["--seeds", "500:100"], "no seed at all"),
        (["--seeds", "abc"], "neither a number nor FROM:TO"),
        (["--seed", "1", "--off", "a user eror"], "did you mean 'a user error'?"),
        (["--jobs", "0"], "no whole number from 1 on"),
    ],
)
def test_what_cannot_be_run_is_an_error(given, told, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["simulate", *given])
    with pytest.raises(SystemExit) as ended:
        simulate.main()
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_the_trace_of_a_seed_is_what_the_machine_was_told_and_its_facts(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["simulate", "--seed", "5", "--trace"])
    assert simulate.main() == 0
    *lines, digest = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("told: Launched(at=1000.0, seed=5")
    assert lines[-1].startswith("fact: Turned(phase=<ExecutionPhase.")
    assert digest == World(5).run()


def test_kernels_that_parted_agree_on_the_nodes_that_both_know():
    plan, one, other = (make_plan({name: Job()}) for name in "abc")
    graphs = [Graph(plan), Graph(plan)]
    numbers = {graph.open(template, "a", 0, "f") for graph, template in zip(graphs, (one, other), strict=True)}
    (number,) = numbers  # they called different things, which have the same address
    assert same_node(*graphs, 0)
    assert not same_node(*graphs, number)
    assert not same_node(*graphs, item_address(number, 3))
    assert not same_node(Graph(plan), graphs[0], number)


def test_a_kind_of_fault_that_is_off_does_not_strike():
    worlds = [World(seed, options=Options(off=frozenset(KINDS))) for seed in range(30)]
    for world in worlds:
        world.run()
    assert not any(world.fired[kind] for world in worlds for kind in KINDS)


@pytest.mark.parametrize(
    "seed",
    [
        1144,  # the total timeout of a body that waits for what it called was forgotten by a restart
    ],
)
def test_a_seed_that_once_failed_holds(seed):
    assert simulate.fails(seed) is None


def test_dice_draw_what_the_standard_library_draws():
    ours, theirs = Dice("seed"), random.Random("seed")
    for count in [*range(1, 40), 1000] * 5:
        assert ours.choice(range(count)) == theirs.choice(range(count))
    with pytest.raises(IndexError):
        ours.choice([])


@pytest.mark.parametrize("seed", range(20))
def test_a_state_that_is_not_what_was_said_is_seen(seed):
    world = World(seed, options=Options(off=frozenset(KINDS)))
    world.machine.state.answered.add("nobody said so")
    with pytest.raises(Broken, match="the facts are the state"):
        world.run()


def test_draws_of_one_seed_are_even():
    drawn = sorted(
        uniform(seed << 8 | kind, number) for seed in range(30) for kind in range(30) for number in range(10)
    )
    assert all(abs(value - i / len(drawn)) < 0.02 for i, value in enumerate(drawn))


def test_a_fault_strikes_as_often_as_its_rate():
    chances, rate = 0, 0.0
    fired = Counter()
    for seed in range(400):
        faults = Faults(seed, fired=fired)
        if "a user error" in faults.rates:
            chances, rate = chances + 100, rate + 100 * faults.rates["a user error"]
            for _ in range(100):
                faults.strikes("a user error")
    assert chances > 15_000
    assert fired["a user error"] == pytest.approx(rate, rel=0.1)
