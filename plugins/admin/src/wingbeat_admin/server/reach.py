"""Which content a caller may ask for by its digest: what it has put there, and what an answer has shown to it.

A digest alone opens nothing, or whoever learns one could read another project's code, and whoever guesses at content find out
whether it is here. So a caller has to put what it refers to, which proves that it has it, unless it was shown. Kept in memory:
after a restart of the server it is put or shown once more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import msgspec

from wingbeat.spec.entities import Closure
from wingbeat_admin.content import blobs_in
from wingbeat_admin.problems import ContentMissing
from wingbeat_admin.server.policy import Caller

CALLERS_MAX = 500
"""Of attempts, and of all others: many attempts push out nobody else."""
URIS_MAX = 20_000
"""Of one caller; the oldest go. A tree with more files than that cannot be put together by it."""


class Reach:
    """What callers may ask for, by URI."""

    def __init__(self) -> None:
        self._of: dict[bool, OrderedDict[str, OrderedDict[str, None]]] = {True: OrderedDict(), False: OrderedDict()}

    def add(self, caller: Caller, uris: Iterable[str]) -> None:
        """A caller has put these, or was shown them."""
        if caller.is_mighty:
            return
        callers = self._of[caller.is_attempt]
        found = callers.setdefault(caller.name, OrderedDict())
        callers.move_to_end(caller.name)
        for uri in uris:
            found[uri] = None
            found.move_to_end(uri)
        while len(found) > URIS_MAX:
            found.popitem(last=False)
        while len(callers) > CALLERS_MAX:
            callers.popitem(last=False)

    def has(self, caller: Caller, uri: str) -> bool:
        """Whether a caller may ask for it."""
        return caller.is_mighty or uri in self._of[caller.is_attempt].get(caller.name, ())

    def check(self, caller: Caller, uris: Iterable[str]) -> None:
        """Raise ContentMissing if one of them is none that the caller may refer to: as if it were not here."""
        if caller.is_mighty:
            return
        for uri in uris:
            if not self.has(caller, uri):
                raise ContentMissing(
                    f"The content {uri[:200]!r} is not here.", hint="Put it first: clients of ours do so."
                )


class Shown:
    """Told what an answer shows to a caller."""

    def __init__(self, reach: Reach, caller: Caller, scheme: str) -> None:
        self._reach, self._caller, self._scheme = reach, caller, scheme

    def __call__(self, closures: Iterable[Closure], value: Any) -> None:
        """These closures, and all that a value refers to."""
        if not self._caller.is_mighty:
            self._reach.add(self._caller, uris_of(closures, self._scheme, msgspec.to_builtins(value)))


def uris_of(closures: Iterable[Closure], scheme: str, data: Any = None) -> set[str]:
    """What closures need (code, locks, files among defaults), and values refer to; `data` as plain data, with all of it."""
    found = {f"{scheme}:{digest}" for closure in closures for digest in (closure.bundle, closure.environment) if digest}
    return found | {blob.uri for blob in blobs_in(data)} | set(_stored(data))


def _stored(data: Any) -> Iterable[str]:
    """URIs of values that are stored: ``["r", URI, size, digest]``, and the same without its mark."""
    stack = [data]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            stack += one.values()
        elif isinstance(one, list | tuple):
            inner = one[1:] if len(one) == 4 and one[0] == "r" else one
            if len(inner) == 3 and isinstance(inner[0], str) and isinstance(inner[1], int) and _is_digest(inner[2]):
                yield inner[0]
            else:
                stack += one


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("sha256:")
