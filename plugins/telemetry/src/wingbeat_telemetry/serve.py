"""Where metrics can be had: over HTTP, and in a file."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import start_http_server, write_to_textfile

from wingbeat.base.errors import ConfigurationError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

LOOPBACK = "127.0.0.1"
CLOSE_S_MAX = 3.0

_log = logging.getLogger("wingbeat.plugins")


def address_of(text: str) -> tuple[str, int]:
    """Host and port. Raises ConfigurationError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ConfigurationError(
            f"The setting prometheus.address = {text!r} is no address.", hint="Write host:port, as 127.0.0.1:9464."
        )
    return host.strip("[]") or LOOPBACK, int(port)


def serve(address: str, registry: CollectorRegistry) -> tuple[str, Callable[[], None]]:
    """Serve metrics from a thread; its URL, and what stops it. Raises ConfigurationError if the address cannot be had."""
    host, port = address_of(address)
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "somebody else serves there" if taken else error.strerror or str(error)
        raise ConfigurationError(
            f"Metrics cannot be served at {host}:{port} (prometheus.address): {why}.",
            hint="Another kernel may be the one; give this one another port. Port 0 takes a free one.",
        ) from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(CLOSE_S_MAX)

    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{server.server_port}/metrics", stop


class TextFile:
    """A file with the metrics, written again and again by a thread, so that a slow disk holds nobody up.

    Args:
        path: The file. Another one beside it takes its place, so that nobody reads half of it.
    """

    def __init__(self, path: str, registry: CollectorRegistry, seconds: float) -> None:
        self._path, self._registry, self._seconds = path, registry, seconds
        self._ending, self._failing = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="metrics textfile", daemon=True)

    def start(self) -> None:
        """Write it for the first time, and from now on. Raises ConfigurationError if it cannot be written."""
        try:
            write_to_textfile(self._path, self._registry)
        except OSError as error:
            raise ConfigurationError(
                f"The file {self._path} (prometheus.textfile) cannot be written: {error.strerror or error}."
            ) from error
        self._thread.start()

    def stop(self) -> None:
        """Write it for the last time."""
        self._ending.set()
        self._thread.join(CLOSE_S_MAX)

    def _run(self) -> None:
        ending = False
        while not ending:
            ending = self._ending.wait(self._seconds)
            self._write()

    def _write(self) -> None:
        try:
            write_to_textfile(self._path, self._registry)
        except Exception as error:  # noqa: BLE001  # the disk may be full now and not later
            if not self._failing:
                _log.warning("The metrics cannot be written to %s: %s", self._path, error)
            self._failing = True
        else:
            self._failing = False
