"""Why a workflow failed, as a value that its failure handler takes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Failure"]


@dataclass(frozen=True)
class Failure:
    """Why a workflow failed; a failure handler takes it as ``error: Failure``.

    Attributes:
        code: Short stable name of the error, for example ``ValueError`` or ``TimedOut``.

        message: The error's own text.

        node: Id of the node that decided it, or ``""``.

        kind: ``"USER"`` or ``"SYSTEM"``.
    """

    code: str
    message: str
    node: str = ""
    kind: str = "USER"
