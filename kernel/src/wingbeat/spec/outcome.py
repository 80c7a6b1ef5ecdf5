"""Why something failed, with the evidence."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.base.errors import ErrorKind

ABORTED = "Aborted"
"""Code of what was stopped by somebody."""


class ErrorInfo(Struct, frozen=True, omit_defaults=True):
    """Why something failed, with the evidence.

    Attributes:
        code: Short stable name: the exception's class for user errors, ``TimedOut``, ``OutOfMemory``, ``Killed``, ….

        message: For people: what happened; the user's file and line where there is one.

        kind: Who has to act; decides which retry budget counts.

        retryable: Whether trying again can help.

        trace: The user's traceback, without frames of ours.

        evidence: What was seen: exit code, signal, memory, where the log is, ….

        node: Node that failed, where the error is of an execution.
    """

    code: str
    message: str
    kind: ErrorKind = ErrorKind.USER
    retryable: bool = True
    trace: str = ""
    evidence: dict[str, Any] = {}
    node: str = ""

    def of_child(self, execution: str) -> ErrorInfo:
        """It as the error of the node that launched the child `execution`, whose nodes are none of the parent's."""
        if not execution:
            return self
        evidence = {**self.evidence, "execution": execution, "execution_node": self.node}
        return msgspec.structs.replace(self, node="", evidence=evidence)
