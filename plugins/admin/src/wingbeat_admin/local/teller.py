"""Sends what was decided to tell: at least once, each channel apart from the others, ever later while it fails, not for ever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from wingbeat.base.errors import ConfigurationError, EngineStopped, WingbeatError
from wingbeat.calls import Calls
from wingbeat.contracts.engine import Engine
from wingbeat.contracts.failpoints import hit
from wingbeat.contracts.notifier import Message, Undeliverable
from wingbeat_admin.local.notices import Notice
from wingbeat_admin.local.store import Store
from wingbeat_admin.local.waiting import either

AT_ONCE = 10
"""So many messages are sent over a channel at the same time."""
TELL_S_MAX = 60.0
DRAIN_S_MAX = 3.0
"""For so long it sends what is due before it is closed."""
REASON_CHARS_MAX = 2000

_log = logging.getLogger("wingbeat.notify")


def channels_of(notifiers: Mapping[str, Calls]) -> dict[str, Calls]:
    """The calls of whoever serves a channel, by the channel. A notifier that cannot say what it serves is done without.

    Raises:
        ConfigurationError: Two serve channels of one name.
    """
    found: dict[str, tuple[str, Calls]] = {}
    for name, asked in notifiers.items():
        try:
            channels = sorted(asked.plugin.channels)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # it may raise anything, and harms nobody else
            _log.warning("The notifier %r is done without: its channels cannot be had: %s", name, type(error).__name__)
            continue
        for channel in channels:
            if channel in found:
                raise ConfigurationError(
                    f"The channel {channel!r} is set up twice: in [{found[channel][0]}] and in [{name}].",
                    hint="Channels have one namespace, so that those who name them need not know what they are: rename one.",
                )
            found[channel] = name, asked
    return {channel: asked for channel, (_, asked) in found.items()}


class Teller:
    """Sends over channels.

    Args:
        do: Does something with the file.

        channels: Who serves which.

        give_up_s: A message that has failed for so long is given up.
    """

    def __init__(
        self,
        engine: Engine,
        do: Callable[..., Awaitable[Any]],
        channels: Mapping[str, Calls],
        clock: Callable[[], float],
        give_up_s: float,
    ) -> None:
        self._engine, self._do, self._channels, self._clock = engine, do, channels, clock
        self._give_up_s = give_up_s
        self._failing: set[str] = set()
        self._sending = 0
        self._wake = {channel: asyncio.Event() for channel in (*channels, "")}

    def works(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What has to go on for ever, by name: each channel; and those that are not set up here, for which messages wait until
        they are, or until they are given up."""
        return {
            channel or "others": lambda channel=channel: self._serve(channel)  # type: ignore[misc]
            for channel in self._wake
        }

    def look(self) -> None:
        """There may be something to tell."""
        for event in self._wake.values():
            event.set()

    async def drain(self) -> None:
        """Wait for what is on the way, and for what is due: a command that ends need not leave it to the next one."""
        with contextlib.suppress(TimeoutError, sqlite3.Error):
            async with asyncio.timeout(DRAIN_S_MAX):
                while self._sending or await self._is_due():
                    await asyncio.sleep(0.01)

    async def _is_due(self) -> bool:
        earliest = await self._do(Store.next_untold, (), True)
        return earliest is not None and earliest <= self._clock()

    async def _serve(self, channel: str) -> None:
        names, others = ([channel], False) if channel else (sorted(self._channels), True)
        wake = self._wake[channel]
        while True:
            wake.clear()
            found: list[Notice] = await self._do(Store.untold, names, others, self._clock(), AT_ONCE)
            self._sending += len(found)
            try:
                ended = await asyncio.gather(*(self._tell(notice) for notice in found), return_exceptions=True)
            finally:
                self._sending -= len(found)
            for error in ended:
                if error is not None:
                    raise error
            if not found:
                earliest = await self._do(Store.next_untold, names, others)
                await either(wake, None if earliest is None else earliest - self._clock())

    async def _tell(self, notice: Notice) -> None:
        message = notice.message
        try:
            await self._send(message)
        except EngineStopped:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a notifier that fails harms nobody else
            await self._failed(notice, error)
        else:
            hit("admin.notified")
            await self._do(Store.delivered, message.id, self._clock())
            if message.channel in self._failing:
                self._failing.discard(message.channel)
                _log.info("The channel %r takes messages again.", message.channel)

    async def _send(self, message: Message) -> None:
        notifier = self._channels.get(message.channel)
        if notifier is None:
            raise ConfigurationError(f"There is no channel {message.channel!r} here.")
        told = await self._explained(message)
        hit("admin.notify")
        await notifier.ask_within(TELL_S_MAX, "notify", told)

    async def _failed(self, notice: Notice, error: BaseException) -> None:
        message, now = notice.message, self._clock()
        why = safely_told(error)
        if isinstance(error, Undeliverable) or notice.again > notice.since + self._give_up_s:
            _log.warning("%s is not told over the channel %r: it was given up: %s", message.title, message.channel, why)
            await self._do(Store.given_up, message.id, why, now)
            return
        if message.channel not in self._failing:
            self._failing.add(message.channel)
            _log.warning("The channel %r does not take messages; they are sent again later: %s", message.channel, why)
        await self._do(Store.undelivered, message.id, why)

    async def _explained(self, message: Message) -> Message:
        """With why it is where it is, as far as anybody knows. A backfill has said it."""
        if message.backfill:
            return message
        try:
            view = await self._engine.describe(message.execution, nodes=False)
        except EngineStopped:
            raise
        except WingbeatError:  # it may be gone
            return message
        error, reason = view.error, view.reason
        if error is not None:
            reason = f"{f'{error.node}: ' if error.node else ''}{error.code}: {error.message}"
        return msgspec.structs.replace(message, reason=reason[:REASON_CHARS_MAX])


def safely_told(error: BaseException) -> str:
    """Why, for logs and lists: what others raise may hold an address with a key, so only its class is told."""
    return error.message if isinstance(error, WingbeatError) else type(error).__name__
