"""Random executions in a hostile world. ``SEEDS=50000 pytest …`` runs more of them, ``SEED=17`` one alone."""

import os
from collections import Counter

from wingbeat.testing.simulation import World

SEEDS = int(os.environ.get("SEEDS", "2500"))
EXPECTED = [
    "AbortAsked", "AttemptAborted", "AttemptFailed", "AttemptRunning", "AttemptSucceeded", "CacheHeld", "CacheHit",
    "CacheMissed", "CacheStored", "Launched", "TimerFired", "attempt never again", "attempt stopped", "attempt success",
    "attempt system", "attempt user", "crash", "doubled", "finish ABORTED", "finish FAILED", "finish SUCCEEDED",
    "finish TIMED_OUT", "foreign", "lookup failure", "lookup held", "lookup hit", "lookup miss", "release", "reported again",
    "restart from snapshot", "snapshot", "timer execution", "timer lookup", "timer queue", "timer retry", "timer run",
    "timer total",
]  # fmt: skip


def test_whatever_happens_the_machine_keeps_its_promises():
    fired: Counter[str] = Counter()
    seeds = [int(os.environ["SEED"])] if "SEED" in os.environ else range(SEEDS)
    for seed in seeds:
        try:
            World(seed, fired).run()
        except Exception as error:
            again = f"SEED={seed} pytest kernel/tests/machine/test_simulation.py"
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}\nagain: {again}") from error
    if "SEED" not in os.environ and len(seeds) >= 1000:
        never = [kind for kind in EXPECTED if not fired[kind]]
        assert not never, f"these never happened in {len(seeds)} seeds: {never}; they did: {dict(fired)}"


def test_the_same_seed_gives_the_same_execution():
    def facts(seed):
        world = World(seed)
        world.run()
        return world.durable

    assert [facts(seed) for seed in range(20)] == [facts(seed) for seed in range(20)]
