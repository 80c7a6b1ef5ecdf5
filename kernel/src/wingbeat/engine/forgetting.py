"""Has the journal forget executions that have ended, beside the loop that appends to it, and the catalog what nobody asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wingbeat.contracts.failpoints import hit
from wingbeat.engine.archive import Archive
from wingbeat.engine.bounded import BoundedJournal
from wingbeat.engine.eviction import trim
from wingbeat.engine.live import Live
from wingbeat.engine.memo import Memo


class Forgetting:
    """What of an engine a collection needs.

    Args:
        lives: The executions that have not ended.

        ended: Those in memory that have.
    """

    def __init__(
        self, journal: BoundedJournal, archive: Archive, lives: Mapping[str, Live], ended: dict[str, Live], memo: Memo
    ) -> None:
        self._journal, self._archive, self._lives, self._ended, self._memo = journal, archive, lives, ended, memo

    def needed(self) -> set[str]:
        """Executions whose checkpoints others go on with that have not ended."""
        return {left.execution for live in self._lives.values() for left in live.machine.state.left.values()}

    def working_since(self, now: float) -> float:
        """When the oldest attempt was asked for that has not ended: what it puts into storage, nothing refers to before its end."""
        return min((at for live in self._lives.values() for at in _open(live)), default=now)

    def unused(self, closures: Sequence[str]) -> set[str]:
        """Those that are not in memory: what is launched finds one there, and believes that the journal has it."""
        called = {name for live in self._lives.values() for name in live.called}
        return {name for name in closures if name not in called and not self._archive.knows(name)}

    async def forget(self, executions: Sequence[str], closures: Sequence[str], fence: int) -> int:
        """Forget what has ended, and closures that nothing runs. Says how many executions those were.

        Raises:
            ConfigurationError: The journal keeps everything.

            JournalUnknown, FencedOut: As of `Journal.append`.
        """
        async with self._journal.writing:
            gone = sorted(self.unused(closures))
            ended = [execution for execution in executions if execution not in self._lives]
            hit("collect.forgetting")
            with self._archive.forgetting(gone):
                count = await self._journal.prune(ended, gone, fence)
            for execution in ended:
                self._ended.pop(execution, None)
            return count

    async def entries(self, unused_s: float, *, dry: bool) -> tuple[int, str]:
        """Forget entries of the catalog. See `eviction.trim`."""
        return await trim(self._memo.catalog, unused_s, dry=dry)


def _open(live: Live) -> list[float]:
    """When the attempts of an execution were asked for that have not ended."""
    state = live.machine.state
    found = (node.open_attempt for node in (*state.nodes, *state.items.values()))
    return [attempt.queued_at for attempt in found if attempt is not None]
