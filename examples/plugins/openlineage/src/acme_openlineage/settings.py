"""Where run events go."""

from __future__ import annotations

from msgspec import Struct


class OpenLineageSettings(Struct, frozen=True):
    """How run events are sent.

    Attributes:
        url: Of the server that receives them; nothing is sent without one.

        namespace: Of the jobs.

        kept_max: So many events wait for the server at most; then the oldest are let go.

        timeout_s: How long a request may take.
    """

    url: str = ""
    namespace: str = "wingbeat"
    kept_max: int = 1000
    timeout_s: float = 5.0
