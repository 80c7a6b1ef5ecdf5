"""``python -m wingbeat.testing.virtual --seeds 0:1000``: play seeds, and say what happened how often."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter

from wingbeat.testing.invariants import Broken
from wingbeat.testing.virtual.chance import RATES
from wingbeat.testing.virtual.run import play

ENOUGH = 300
"""From so many seeds on, a kind of fault that never happened is a failure."""


def main() -> int:
    """Play the seeds that were asked for; 1 if one is broken, or a kind of fault never happened."""
    parser = argparse.ArgumentParser(prog="python -m wingbeat.testing.virtual", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default=range(200), help="FROM:TO (without the last), or one")
    parser.add_argument("--trace", action="store_true", help="print the digest of all that happened, seed by seed")
    parser.add_argument("--go-on", action="store_true", help="go on behind a seed that is broken")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # what is logged is what goes wrong there by intent
    seeds: range = options.seeds
    fired: Counter[str] = Counter()
    began, broken, executions, attempts, virtual = time.perf_counter(), 0, 0, 0, 0.0
    for seed in seeds:
        try:
            result = play(seed, fired)
        except Broken as error:
            broken += 1
            _say(str(error).split("\n")[0] + f" (seed {seed})" if options.go_on else str(error))
            if not options.go_on:
                return 1
            continue
        executions, attempts, virtual = (
            executions + result.executions,
            attempts + result.attempts,
            virtual + result.seconds,
        )
        if options.trace:
            _say(f"{seed} {result.trace}")
    seconds = time.perf_counter() - began
    if options.trace:
        return int(broken > 0)
    for kind, count in sorted(fired.items()):
        _say(f"{count:8} {kind}")
    _say(
        f"{len(seeds)} seeds, {executions} executions, {attempts} attempts in {seconds:.1f} s: {len(seeds) / seconds:.1f} seeds/s, "
        f"{executions / seconds:.0f} executions/s, {virtual / seconds:.0f} times faster than time; {broken} broken"
    )
    never = [kind for kind in RATES if not fired[kind]] if len(seeds) >= ENOUGH else []
    if never:
        _say(f"never happened: {', '.join(never)}")
    return int(broken > 0 or bool(never))


def _seeds(text: str) -> range:
    """Seeds as they are given: one, or FROM:TO."""
    first, colon, last = text.partition(":")
    try:
        seeds = range(int(first), int(last) if colon else int(first) + 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor FROM:TO") from None
    if not seeds or seeds[0] < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed at all: give FROM:TO with 0 <= FROM < TO")
    return seeds


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
