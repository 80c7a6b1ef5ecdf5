"""What goes besides executions and content: entries of the catalog and environments that nobody uses, what the admin keeps of what
is over, and files of processes that were killed while they put content into storage.

Nothing refers to any of it, so each goes by its own age, and where one cannot be looked through the others go all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from wingbeat.contracts.environment import Clearable, Cleared
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.home import UPLOADS
from wingbeat.contracts.retention import Collected, Expired, Expiring
from wingbeat.engine.engine import LocalEngine
from wingbeat.host.home import HomeFolder
from wingbeat.kernel.retention import DAY_S
from wingbeat.kernel.settings import RetentionSettings

SHARED_DAYS_MIN = 7.0
"""Environments are the machine's: other homes may be patient where this one is not."""
UPLOAD_S_MIN = 3600.0
"""Nobody waits for so long while he puts something into storage."""
ROWS = 2000
"""So many rows of the admin go at once."""
ANSWER_S_MAX = 1800.0
"""To remove many environments takes a while; what takes longer is broken."""

T = TypeVar("T")


class Leftovers:
    """Those of one home, for one collection.

    Attributes:
        skipped: What was not looked through, in sentences.
    """

    def __init__(self, home: HomeFolder, engine: LocalEngine, admin: object, now: float, dry: bool) -> None:
        self._home, self._engine, self._admin, self._now, self._dry = home, engine, admin, now, dry
        self._settings = home.settings("retention", RetentionSettings)
        self.skipped: list[str] = []

    async def run(self) -> Collected:
        """All of them; only what is theirs is told."""
        entries, environments, expired = 0, Cleared(), Expired()
        if self._settings.days:
            entries = await self._entries()
            environments = await self._asked("Environments stay", self._environments, environments)
            expired = await self._asked("Backfills and refusals stay", self._expired, expired)
        uploads = await self._asked(f"{UPLOADS}/ stays", self._uploads, 0)
        return Collected(
            entries=entries,
            environments=environments.environments,
            environments_bytes=environments.size,
            uploads=uploads,
            backfills=expired.backfills,
            refusals=expired.refusals,
        )

    async def _asked(self, stays: str, call: Callable[[], Awaitable[T]], nothing: T) -> T:
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await call()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin may raise anything, and there is more to collect
            self.skipped.append(f"{stays} for now: {type(error).__name__}: {error}")
            return nothing

    async def _entries(self) -> int:
        count, why = await self._engine.forgetting.entries(self._settings.days * DAY_S, dry=self._dry)
        if why:
            self.skipped.append(why)
        return count

    async def _environments(self) -> Cleared:
        environments = self._home.maker_of_environments()
        if not isinstance(environments, Clearable):
            return Cleared()
        days = max(self._settings.days, SHARED_DAYS_MIN)
        before = min(self._now - days * DAY_S, self._engine.forgetting.working_since(self._now))
        return await environments.clear(before, dry=self._dry)

    async def _expired(self) -> Expired:
        if not isinstance(self._admin, Expiring):
            return Expired()
        before = self._now - self._settings.days * DAY_S
        if self._dry:
            return await self._admin.expire(before, ROWS, dry=True)
        backfills = refusals = 0
        while (found := await self._admin.expire(before, ROWS)).rows:
            backfills, refusals = backfills + found.backfills, refusals + found.refusals
        return Expired(backfills, refusals)

    async def _uploads(self) -> int:
        before = self._now - max(self._settings.spare_hours * 3600, UPLOAD_S_MIN)
        return await asyncio.to_thread(_remove_uploads, self._home.folder / UPLOADS, before, self._dry)


def _remove_uploads(folder: Path, before: float, dry: bool) -> int:
    """How many files and folders were last changed before that moment; they go."""
    count = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):  # it was put into storage meanwhile
            if os.lstat(path).st_mtime >= before:
                continue
            if not dry:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                hit("collect.upload-removed")
            count += 1
    return count
