"""Whether what a plugin reports is what its contract says: what goes into the journal must be read again."""

from __future__ import annotations

from typing import Any

import msgspec

from wingbeat.contracts.executor import Outcome, Succeeded
from wingbeat.spec.literal import Inline

EVIDENCE_BYTES_MAX = 2**20
"""Evidence goes into the journal."""

_PLAIN = (float, str, bool, type(None))
_INT_MAX = 2**63 - 1
_READ: msgspec.msgpack.Decoder[Outcome] = msgspec.msgpack.Decoder(Outcome)


def wrong_outcome(outcome: object) -> str:
    """What is wrong with what an executor reports as an outcome; empty if nothing is."""
    if type(outcome) is Succeeded and not outcome.evidence and _plain(outcome.outputs):
        return ""  # as most are
    if not isinstance(outcome, Outcome):
        return f"a {type(outcome).__name__}"
    try:
        _READ.decode(msgspec.msgpack.encode(outcome))
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        return f"a {type(outcome).__name__} that cannot be written ({error})"
    return ""


def kept_evidence(evidence: object) -> dict[str, Any] | None:
    """Evidence as it is written down: without what cannot be, or is too much."""
    if not evidence or not isinstance(evidence, dict):
        return None
    try:
        size = len(msgspec.msgpack.encode(evidence))
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError):
        return None
    if size > EVIDENCE_BYTES_MAX:
        return {"left_out": f"evidence of {size:,} bytes, over the limit of {EVIDENCE_BYTES_MAX:,}"}
    return evidence


def _plain(outputs: object) -> bool:
    if type(outputs) is not dict:
        return False
    return all(type(value) is Inline and _small(value.value) for value in outputs.values())


def _small(value: object) -> bool:
    kind = type(value)
    return kind in _PLAIN or (kind is int and -_INT_MAX <= value <= _INT_MAX)  # type: ignore[operator]
