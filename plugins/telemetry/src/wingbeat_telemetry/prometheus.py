"""The observer `prometheus`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress

from wingbeat.contracts.observer import Published
from wingbeat_telemetry.keep import folder_in
from wingbeat_telemetry.metrics import Metrics
from wingbeat_telemetry.serve import TextFile, address_of, serve
from wingbeat_telemetry.settings import PrometheusSettings
from wingbeat_telemetry.tally import Tally
from wingbeat_telemetry.track import Tracker

SPANS_S_MAX = 4.0
"""So long the last spans may take."""

_log = logging.getLogger("wingbeat.plugins")


class PrometheusObserver:
    """Counts what happens, and says so over HTTP or in a file: a `wingbeat.contracts.observer.Observer`.

    Args:
        home: The home's folder. While metrics are served, ``telemetry/metrics.url`` in it says where.

    Attributes:
        url: Where the metrics are served; empty where they are not.

    Raises:
        ConfigurationError: The address is none.
    """

    def __init__(self, settings: PrometheusSettings, home: str, tally: Tally) -> None:
        if settings.address:
            address_of(settings.address)
        self._settings, self._home, self._tally = settings, home, tally
        self.metrics, self._tracker = Metrics(settings.names_max, tally), Tracker()
        self.url = ""
        self._stops: list[Callable[[], None]] = []

    async def start(self) -> None:
        """See `Observer.start`. Raises ConfigurationError if address or file cannot be had."""
        if self._settings.address:
            self.url, stop = serve(self._settings.address, self.metrics.registry)
            self._stops.append(stop)
            self._tell(self.url)
            _log.info("Metrics are at %s", self.url)
        if self._settings.textfile:
            path = os.path.join(self._home, self._settings.textfile)
            file = TextFile(path, self.metrics.registry, self._settings.textfile_s)
            try:
                file.start()
            except Exception:
                await self.close()
                raise
            self._stops.append(file.stop)

    async def observe(self, events: list[Published]) -> None:
        """See `Observer.observe`."""
        take, count = self._tracker.take, self.metrics.take
        for event in events:
            count(event, take(event) if event.execution else ())

    async def close(self) -> None:
        """See `Observer.close`."""
        if self._settings.textfile and self._stops:  # what is written for the last time tells of the last spans, too
            with suppress(TimeoutError):
                async with asyncio.timeout(SPANS_S_MAX):
                    while self._tally.open:
                        await asyncio.sleep(0.02)
        stops, self._stops = self._stops, []
        await asyncio.gather(*(asyncio.to_thread(stop) for stop in stops))
        if self.url:
            self._tell("")

    def _tell(self, url: str) -> None:
        """Write down for others of this machine where the metrics are; if that cannot be done, they are there all the same."""
        with suppress(OSError):
            file = folder_in(self._home) / "metrics.url"
            if url:
                file.write_text(f"{url}\n")
            else:
                file.unlink(missing_ok=True)
