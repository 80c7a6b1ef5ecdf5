"""Nodes that wait for what another is computing: when each asks the catalog again.

Who is computed for in this kernel is woken as soon as that has ended. For what another kernel computes, the catalog is asked ever
more seldom, each node at moments of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from wingbeat.engine.live import Live

AGAIN_S = 0.1
AGAIN_S_MAX = 5.0

_Key = tuple[str, int]


class _Node(Struct):
    """One that waits. `timers` that are to come, however it was woken; `asking`: its question is under way."""

    live: Live
    digest: str
    times: int = 0
    timers: int = 0
    asking: bool = False


class Held:
    """Nodes that wait.

    Args:
        entropy: Bytes that nobody can guess, by which the moments differ.
    """

    def __init__(self, entropy: Callable[[], bytes]) -> None:
        self._entropy = entropy
        self._nodes: dict[_Key, _Node] = {}
        self._by_digest: dict[str, dict[_Key, None]] = {}

    def wait(self, live: Live, node: int, digest: str) -> float:
        """A node has to wait (again): after how many seconds a timer has to fire for it."""
        key = (live.id, node)
        found = self._nodes.get(key)
        if found is None or found.live is not live:
            found = self._nodes[key] = _Node(live, digest)
            self._by_digest.setdefault(digest, {})[key] = None
        seconds = min(AGAIN_S * 2.0**found.times, AGAIN_S_MAX)
        found.times, found.timers, found.asking = found.times + 1, found.timers + 1, False
        return seconds * (0.5 + int.from_bytes(self._entropy()[:2], "big") / 2**17)

    def asks(self, live: Live, node: int) -> bool:
        """It is its turn, by a timer: whether to ask now, or its question is under way or another timer is still to come."""
        found = self._nodes.get((live.id, node))
        if found is None or found.live is not live:
            return True
        found.timers -= 1
        if found.timers > 0 or found.asking:
            return False
        found.asking = True
        return True

    def over(self, live: Live, node: int) -> None:
        """A node waits no more."""
        found = self._nodes.pop((live.id, node), None)
        if found is not None:
            waiting = self._by_digest[found.digest]
            del waiting[live.id, node]
            if not waiting:
                del self._by_digest[found.digest]

    def forget(self, live: Live) -> None:
        """An execution has ended, or is let go of."""
        for node in live.keys:
            self.over(live, node)

    def woken(self, digest: str, *, stored: bool) -> list[tuple[Live, int]]:
        """What was computed here has ended: who asks now. All where it is `stored`, else one, to be the next that computes."""
        found: list[tuple[Live, int]] = []
        for key in self._by_digest.get(digest, ()):
            node = self._nodes[key]
            if node.asking:
                node.times = 0  # its answer may be from before
            elif node.live.machine.looking(key[1]):
                node.asking = True
                found.append((node.live, key[1]))
                if not stored:
                    break
        return found
