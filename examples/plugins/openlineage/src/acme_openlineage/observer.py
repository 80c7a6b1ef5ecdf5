"""The observer: keeps what is to be sent, within bounds, and sends it beside the kernel."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from openlineage.client.event_v2 import RunEvent
from openlineage.client.transport.http import HttpConfig, HttpTransport

from acme_openlineage.events import run_event
from acme_openlineage.settings import OpenLineageSettings
from wingbeat.contracts.observer import MISSED, Published
from wingbeat.spec.phase import ExecutionPhase

CLOSING_S = 3.0
"""What is kept is sent for so long when the kernel closes."""
TASKS_MAX = 10_000
"""Names of tasks are kept of so many nodes that live; the others go by the id of their node."""

log = logging.getLogger(__name__)


class OpenLineageObserver:
    """Sends a run event for each event."""

    def __init__(self, settings: OpenLineageSettings) -> None:
        self._settings = settings
        self._kept: deque[RunEvent] = deque(maxlen=settings.kept_max)
        self._tasks: dict[str, dict[str, str]] = {}
        self._woken = asyncio.Event()
        self._closing = False
        self._let_go = 0
        self._sender: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to send."""
        if self._settings.url:
            self._sender = asyncio.create_task(self._send())

    async def observe(self, events: list[Published]) -> None:
        """Keep them; the network is waited for elsewhere."""
        if self._sender is None:
            return
        for event in events:
            if event.kind == MISSED:
                log.warning("%s events are missing", event.evidence.get("events"))
                continue
            if len(self._kept) == self._settings.kept_max:
                self._let_go += 1
            self._kept.append(self._made(event))
        self._woken.set()

    async def close(self) -> None:
        """Send what is kept, for some seconds."""
        self._closing = True
        self._woken.set()
        sender, self._sender = self._sender, None  # what is closed twice has nothing to wait for
        if sender is not None:
            try:
                await asyncio.wait_for(sender, CLOSING_S)
            except TimeoutError:
                log.warning("the kernel closes: %d events were not sent", len(self._kept) + self._let_go)

    def _made(self, event: Published) -> RunEvent:
        tasks = self._tasks.setdefault(event.execution, {})
        if event.task and sum(map(len, self._tasks.values())) < TASKS_MAX:
            tasks[event.node] = event.task
        made = run_event(event, self._settings.namespace, tasks.get(event.node, ""))
        if not tasks or (event.kind == "execution" and ExecutionPhase(event.phase).terminal):
            del self._tasks[event.execution]
        return made

    async def _send(self) -> None:
        transport = HttpTransport(
            HttpConfig(
                url=self._settings.url, timeout=self._settings.timeout_s, retry={"total": 1, "backoff_factor": 0.1}
            )
        )
        try:
            while self._kept or not self._closing:
                self._woken.clear()
                if not self._kept:
                    await self._woken.wait()
                    continue
                event = self._kept.popleft()
                try:
                    await asyncio.to_thread(transport.emit, event)
                except Exception as error:  # noqa: BLE001  # whatever the server does, the next event is sent
                    log.warning("a run event could not be sent: %s", error)
                if self._let_go and not self._kept:
                    log.warning("the server was too slow: %d events were not sent", self._let_go)
                    self._let_go = 0
        finally:
            transport.close()
