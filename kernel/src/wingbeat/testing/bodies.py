"""Bodies of dynamic workflows without Python: what they do follows from a seed and from what they are told."""

from __future__ import annotations

from zlib import crc32

import msgspec

from wingbeat.contracts.executor import Call, Recorded, Replay, Suspended
from wingbeat.spec.literal import Inline, Literals
from wingbeat.spec.outcome import ErrorInfo
from wingbeat.testing.faults import Dice


class Script:
    """The bodies of one world. Each is some rounds: calls at once, of which all or the first is awaited, or a wait for time; and
    in the end it returns, raises, or leaves something running."""

    def __init__(self, seed: int, templates: list[str]) -> None:
        self._seed, self._templates = seed, templates

    def turn(self, body: str, told: Replay) -> Suspended | ErrorInfo | Literals:
        """What comes of a turn of the body of that name: it waits, it raised, or it returned."""
        rng = Dice(self._seed << 32 | crc32(body.encode()))  # to seed with a text is several times as dear
        ended = {entry.key: entry for entry in told.history if entry.key}
        kept = {(each.key, each.template): Recorded(told.began_at, each.key, each.outputs) for each in told.kept}
        times = sum(not entry.key for entry in told.history)
        known = {made.key for made in told.calls}
        new: list[Call] = []
        cancels: list[str] = []
        for number in range(rng.below(4)):
            count, patience = rng.choice((0, 1, 1, 2, 3)), rng.choice(("all", "all", "first", "catch"))
            if count == 0:
                if times == 0:
                    return Suspended(tuple(new), tuple(cancels), told.began_at + 30.0 * (number + 1))
                times -= 1
                continue
            keys = [f"r{number}.{i}-0" for i in range(count)]
            for key in keys:
                template = rng.choice(self._templates)
                if (again := kept.get((key, template))) is not None and key not in known:
                    ended[key] = again
                elif key not in known:
                    new.append(Call(key, template, {"x": Inline(number)}))
            over = [ended[key] for key in keys if key in ended]
            if len(over) < (1 if patience == "first" else count):
                return Suspended(tuple(new), tuple(cancels))
            if patience == "first":
                cancels += [key for key in keys if key not in ended]
            if patience == "all" and (failed := _failed(over)) is not None:
                return msgspec.structs.replace(failed, retryable=rng.random() < 0.5)
        if rng.random() < 0.2:
            return ErrorInfo("Bad", "the body raised", retryable=rng.random() < 0.5)
        if rng.random() < 0.2 and "left-0" not in known:
            template = rng.choice(self._templates)
            if ("left-0", template) not in kept:
                new.append(Call("left-0", template, {"x": Inline(1)}))
                return Suspended(tuple(new), tuple(cancels), told.began_at)
        return {"o0": Inline(len(ended))}


def _failed(entries: list[Recorded]) -> ErrorInfo | None:
    return next((entry.error for entry in entries if entry.error is not None), None)
