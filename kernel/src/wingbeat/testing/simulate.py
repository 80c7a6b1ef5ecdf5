"""``python -m wingbeat.testing.simulate``: many seeds of the simulation, one seed again, a smaller world that fails alike, or
the planted bugs."""

from __future__ import annotations

import argparse
import gc
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from difflib import get_close_matches

from msgspec import Struct

from wingbeat.testing.faults import KINDS
from wingbeat.testing.mutants import MUTANTS, caught
from wingbeat.testing.simulation import DEFAULTS, Options, World

ENOUGH = 1000
"""From so many seeds on, a kind of fault that never struck is a failure."""
CHUNK = 250
MUTANT_SEEDS = 20_000


class Failure(Struct, frozen=True):
    """A seed that does not keep a promise."""

    seed: int
    what: str
    options: Options = DEFAULTS

    @property
    def kept(self) -> str:
        """Which promise is not kept: what is told, without what differs from world to world."""
        return re.sub(r"[\d(\[{<'\"].*", "", self.what, flags=re.DOTALL)

    def command(self) -> str:
        """What runs it again."""
        told = [f"--seed {self.seed}"]
        if self.options.off:
            told.append(f"--off '{','.join(sorted(self.options.off))}'")
        if self.options.depth >= 0:
            told.append(f"--depth {self.options.depth}")
        if self.options.storm != DEFAULTS.storm:
            told.append(f"--storm {self.options.storm}")
        return f"python -m wingbeat.testing.simulate {' '.join(told)}"


def fails(seed: int, options: Options = DEFAULTS, fired: Counter[str] | None = None) -> Failure | None:
    """Run one world; how it fails, None if it does not."""
    try:
        World(seed, fired, options).run()
    except Exception as error:  # noqa: BLE001  # however it shows
        return Failure(seed, f"{type(error).__name__}: {error}", options)
    return None


def shrunk(failure: Failure) -> Failure:
    """A failure with as few kinds of fault, as little nesting and as short a storm as still fails, in the same way."""
    kept = failure.kept

    def smaller(off: frozenset[str], depth: int, storm: int) -> Failure | None:
        found = fails(failure.seed, Options(off, depth, storm))
        return found if found is not None and found.kept == kept else None

    found, o = failure, failure.options
    found = next(filter(None, (smaller(o.off, depth, o.storm) for depth in range(3))), found)
    for kind in KINDS:
        o = found.options
        found = smaller(o.off | {kind}, o.depth, o.storm) or found
    step = found.options.storm // 2
    while step:
        o = found.options
        less = smaller(o.off, o.depth, o.storm - step) if step <= o.storm else None
        found, step = (less, step) if less is not None else (found, step // 2)
    return found


def _chunk(seeds: range) -> tuple[Counter[str], list[Failure]]:
    fired: Counter[str] = Counter()
    return fired, [failure for seed in seeds if (failure := fails(seed, fired=fired)) is not None]


def run(seeds: range, jobs: int) -> tuple[Counter[str], list[Failure]]:
    """Run every seed; what struck, and what failed."""
    fired: Counter[str] = Counter()
    failures: list[Failure] = []
    chunks = [seeds[i : i + CHUNK] for i in range(0, len(seeds), CHUNK)]
    # Worlds are small and soon over: to look for garbage seldom is enough.
    with ProcessPoolExecutor(jobs, initializer=gc.set_threshold, initargs=(100_000, 50, 50)) as pool:
        for counted, failed in pool.map(_chunk, chunks):
            fired += counted
            failures += failed
    return fired, failures


def _seeds(text: str) -> range:
    """Seeds as they are given: how many, or FROM:TO."""
    first, _, last = text.rpartition(":")
    try:
        seeds = range(int(first or 0), int(last))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor FROM:TO") from None
    if not seeds or seeds[0] < 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no seed at all: give a number from 1 on, or FROM:TO with 0 <= FROM < TO"
        )
    return seeds


def _kinds(text: str) -> frozenset[str]:
    """Kinds of fault, separated by commas."""
    kinds = frozenset(filter(None, text.split(",")))
    for kind in sorted(kinds.difference(KINDS)):
        like = get_close_matches(kind, KINDS, 1)
        hint = f"; did you mean {like[0]!r}?" if like else f". There are: {', '.join(KINDS)}"
        raise argparse.ArgumentTypeError(f"there is no kind of fault {kind!r}{hint}")
    return kinds


def _least(bound: int) -> Callable[[str], int]:
    """Whole numbers from `bound` on."""

    def read(text: str) -> int:
        if not text.lstrip("-").isdecimal() or int(text) < bound:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {bound} on")
        return int(text)

    return read


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m wingbeat.testing.simulate", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default=range(20_000), help="how many, or FROM:TO")
    parser.add_argument("--jobs", type=_least(1), default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=_least(0), help="one seed alone; prints the digest of what happened")
    parser.add_argument(
        "--trace", action="store_true", help="with --seed: print what the machine was told, and its facts"
    )
    parser.add_argument(
        "--off", type=_kinds, default=frozenset(), help="kinds of fault that do not strike, separated by commas"
    )
    parser.add_argument("--depth", type=_least(-1), default=-1, help="how deeply workflows nest")
    parser.add_argument("--storm", type=_least(0), default=DEFAULTS.storm, help="length of the storm")
    parser.add_argument("--mutants", action="store_true", help="show that every planted bug is found")
    given = parser.parse_args()
    if given.mutants:
        return _mutants()
    if given.seed is not None:
        return _one(given.seed, Options(given.off, given.depth, given.storm), trace=given.trace)
    return _many(given.seeds, given.jobs)


def _one(seed: int, options: Options, *, trace: bool) -> int:
    world = World(seed, None, options)
    try:
        digest = world.run()
        if trace:
            for event in world.past:
                print(f"told: {event}")
            for fact in world.durable:
                print(f"fact: {fact}")
        print(digest)
    except Exception as error:
        print("".join(f"{event}\n" for event in world.past[-50:]), file=sys.stderr)
        print(f"rates: {world.faults.rates}", file=sys.stderr)
        raise SystemExit(f"{type(error).__name__}: {error}") from error
    return 0


def _many(seeds: range, jobs: int) -> int:
    begin = time.monotonic()
    fired, failures = run(seeds, jobs)
    seconds = time.monotonic() - begin
    for kind in KINDS:
        print(f"{fired[kind]:>9,}  {kind}")
    print(f"{len(seeds):,} executions in {seconds:.0f} s ({len(seeds) / seconds / jobs:.0f} a second and process)")
    never = [kind for kind in KINDS if not fired[kind]] if len(seeds) >= ENOUGH else []
    for kind in never:
        print(f"never struck: {kind}", file=sys.stderr)
    for failure in failures[:3]:
        small = shrunk(failure)
        print(f"seed {failure.seed}: {failure.what}\nagain, as small as it gets: {small.command()}", file=sys.stderr)
    print(f"{len(seeds) - len(failures)} passed, {len(failures)} failed")
    return 1 if failures or never else 0


def _mutants() -> int:
    missed = 0
    for name, plant in MUTANTS.items():
        seed = caught(plant, range(MUTANT_SEEDS))
        missed += seed is None
        print(f"{name}: {'not found' if seed is None else f'found by seed {seed}'}", flush=True)
    print(f"{len(MUTANTS) - missed} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
