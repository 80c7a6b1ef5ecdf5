"""Settings of the built-in journal and log, and of secrets."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from wingbeat.base.settings import Size


class JournalSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the journal.

    Attributes:
        synchronous: ``NORMAL`` is faster and loses the last commits (up to some hundred) in a power cut; never corrupt,
            and a crash of the process alone loses nothing.

        busy_timeout_s: How long to wait for another process that holds the file.
    """

    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    busy_timeout_s: float = 10.0


class LogSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Every event as a line.

    Attributes:
        format: ``off``, ``json``, or ``logfmt``: ``key=value`` pairs.

        file: File that lines are added to; relative to the home. Empty is the standard error stream.

        size_max: Size at which a file is put aside and a new one begun.

        keep: So many files that were put aside are kept, as ``FILE.1`` (the newest) and so on.
    """

    format: Literal["off", "json", "logfmt"] = "off"
    file: str = ""
    size_max: Size = "64Mi"
    keep: Annotated[int, Meta(ge=1)] = 3


class SecretSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where secrets are.

    Attributes:
        source: Name of the source: ``environment``, ``file``, or that of a plugin.

        folder: Of the source ``file``: where the files are, absolute or with ``~``.

        readable: Of the source ``file``: take files that every user of the machine may read, too. Those that Docker and Kubernetes
            mount mostly are.
    """

    source: str = "environment"
    folder: str = ""
    readable: bool = False
