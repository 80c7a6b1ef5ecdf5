"""The journal as the engine calls it: each call has to end in time, also where it does not let itself be cancelled, and what fails
is named.

Whatever a journal does that is none of its contract is a `JournalUnknown`: what became of an append is not known then, and the
engine stops. A full disk answers, and may be asked as often as it takes. A journal that does not let go of a call is asked for
nothing before that has ended: what it may still write must not come behind something later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, TypeVar, cast

from wingbeat.base.errors import ConfigurationError, JournalUnknown, WingbeatError
from wingbeat.calls import Calls, NoAnswer, why
from wingbeat.contracts.journal import Batch, Change, Journal, Prunable, Record, Row, Snapshot

T = TypeVar("T")

OPEN_S_MAX = 60.0
APPEND_S_MAX = 60.0
READ_S_MAX = 120.0
CLOSE_S_MAX = 30.0

_log = logging.getLogger("wingbeat.plugins")


class BoundedJournal:
    """A `wingbeat.contracts.journal.Journal`.

    Args:
        name: What configuration knows it by, for messages.
    """

    def __init__(self, journal: Journal, name: str) -> None:
        self._journal, self._name = journal, f"The journal {name!r}"
        self._calls = Calls(journal, self._name)
        self.writing = asyncio.Lock()
        """Held by whoever writes."""

    async def open(self, owner: str) -> int:
        """See `Journal.open`."""
        return self._is(int, "open", await self._ask(OPEN_S_MAX, "open", owner))

    async def open_to_read(self) -> None:
        """See `Journal.open_to_read`."""
        await self._ask(OPEN_S_MAX, "open_to_read")

    async def append(self, batch: Batch, fence: int) -> None:
        """See `Journal.append`."""
        async with self.writing:
            await self._ask(APPEND_S_MAX, "append", batch, fence)

    async def snapshot(self, snapshot: Snapshot, fence: int) -> None:
        """See `Journal.snapshot`."""
        await self._ask(APPEND_S_MAX, "snapshot", snapshot, fence)

    async def prune(self, executions: Sequence[str], closures: Sequence[str], fence: int) -> int:
        """See `Prunable.prune`; whoever calls holds `writing`. Raises ConfigurationError for a journal that keeps everything."""
        self._check_prunable()
        return self._is(int, "prune", await self._ask(READ_S_MAX, "prune", executions, closures, fence))

    async def closures(self) -> list[str]:
        """See `Prunable.closures`. Raises ConfigurationError for a journal that keeps everything."""
        self._check_prunable()
        return self._are(str, "closures", await self._ask(READ_S_MAX, "closures"))

    def _check_prunable(self) -> None:
        if not isinstance(self._journal, Prunable):
            raise ConfigurationError(f"{self._name} keeps everything: it has no call to forget anything.")

    async def closure(self, digest: str) -> bytes | None:
        """See `Journal.closure`."""
        found = await self._ask(READ_S_MAX, "closure", digest)
        return None if found is None else self._is(bytes, "closure", found)

    async def record(self, execution: str) -> Record | None:
        """See `Journal.record`."""
        found = await self._ask(READ_S_MAX, "record", execution)
        return None if found is None else self._is(Record, "record", found)

    async def records(
        self, *, live: bool | None = None, launch_key: str | None = None, after: str = "", limit: int = 100
    ) -> list[Record]:
        """See `Journal.records`."""
        asked = {"live": live, "launch_key": launch_key, "after": after, "limit": limit}
        return self._are(Record, "records", await self._ask(READ_S_MAX, "records", **asked))

    async def changes(self, after: int = 0, limit: int = 1000) -> list[Change]:
        """See `Journal.changes`."""
        return self._are(Change, "changes", await self._ask(READ_S_MAX, "changes", after, limit))

    async def read(self, execution: str, after: int = -1) -> list[Row]:
        """See `Journal.read`."""
        return self._are(Row, "read", await self._ask(READ_S_MAX, "read", execution, after))

    async def latest(self, execution: str) -> Snapshot | None:
        """See `Journal.latest`."""
        found = await self._ask(READ_S_MAX, "latest", execution)
        return None if found is None else self._is(Snapshot, "latest", found)

    async def close(self) -> None:
        """See `Journal.close`. What was appended is there, so that it fails is only told."""
        try:
            await self._ask(CLOSE_S_MAX, "close")
        except WingbeatError as error:
            _log.warning("%s", error)

    async def _ask(self, seconds: float, call: str, *args: Any, **named: Any) -> Any:
        """What it answers. Raises what its contract says, and JournalUnknown for all else."""
        if not self._calls.is_quiet:
            await self._calls.quiet()  # else it would come beside what is still being written
        try:
            return await self._calls.ask_within(seconds, call, *args, **named)
        except NoAnswer as error:
            raise self._failed(error, call) from error
        except WingbeatError:
            raise
        except (Exception, SystemExit) as error:
            raise self._failed(error, call) from error

    def _failed(self, error: BaseException, call: str) -> JournalUnknown:
        return JournalUnknown(f"{self._name} failed: {why(error)} ({call}).")

    def _is(self, kind: type[T], call: str, answer: object) -> T:
        if not isinstance(answer, kind):
            raise JournalUnknown(
                f"{self._name} answered {call} with {type(answer).__name__}, not with {kind.__name__}."
            )
        return answer

    def _are(self, kind: type[T], call: str, answer: object) -> list[T]:
        for each in self._is(list, call, answer):
            self._is(kind, call, each)
        return cast(list[T], answer)
