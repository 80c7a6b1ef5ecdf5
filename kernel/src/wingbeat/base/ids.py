"""Names and ids: what they may look like, and the derived names of effects.

Every external effect is named ``execution/node/attempt``; attempts count from 0.
"""

from __future__ import annotations

import base64
import hashlib
import re

from wingbeat.base.errors import InputError

_NODE_BYTES_MAX = 180
_NODE_BYTES_KEPT = 120
EXECUTION_ID_LENGTH_MAX = 63
_EXECUTION_ID = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")


def check_execution_id(name: str, what: str = "an execution") -> str:
    """Return `name` if it may be the id of an execution, or of `what` has ids of the same form: a DNS-1123 label of at most 63
    characters.

    Raises:
        InputError: It may not. Ids become file names, pod names and URLs, hence the narrow grammar.
    """
    if len(name) > EXECUTION_ID_LENGTH_MAX or not _EXECUTION_ID.match(name):
        raise InputError(
            f"{name[:80]!r} cannot name {what}.",
            hint=f"Use lower-case letters, digits and '-' between them, at most {EXECUTION_ID_LENGTH_MAX}.",
        )
    return name


def attempt_id(execution: str, node: str, attempt: int) -> str:
    """The deterministic name of one attempt's effects."""
    return f"{execution}/{node}/{attempt}"


def split_attempt_id(attempt: str) -> tuple[str, str, int]:
    """The parts of an attempt id: execution, node, attempt number."""
    execution, node, number = attempt.split("/")
    return execution, node, int(number)


def attempt_folder(execution: str, node: str, attempt: int) -> str:
    """Where an attempt's directory is, below that of all attempts. One folder for both node and attempt: to make a folder
    is, on some file systems, the dearest part of an attempt."""
    return f"{execution}/{node_folder(node)}.{attempt}"


def node_folder(node: str) -> str:
    """A node's id as part of a file's name, which is at most 255 bytes long; the path to a node may be longer, where workflows call
    each other. The numbers of items, at its end, stay."""
    if 4 * len(node) <= _NODE_BYTES_MAX:  # as it is with most
        return node
    path = node.rstrip(".0123456789")
    data = path.encode()
    if len(data) <= _NODE_BYTES_MAX:
        return node
    kept = data[:_NODE_BYTES_KEPT].decode(errors="ignore")
    return f"{kept}~{hashlib.sha256(data).hexdigest()[:16]}{node[len(path) :]}"


def child_execution_id(execution: str, node: str) -> str:
    """The id of the execution that a node launches: made of both, so that a launch that is repeated finds the first."""
    what = hashlib.sha256(f"{execution}/{node}".encode()).hexdigest()[:12]
    return f"{execution[:40].rstrip('-')}-{what}"


def digest(data: bytes) -> str:
    """Content address of `data`: ``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def short_id(entropy: bytes) -> str:
    """An execution id made from `entropy` (at least 8 bytes): 13 characters, DNS-safe, starting with a letter."""
    return "x" + base64.b32encode(hashlib.sha256(entropy).digest()[:8]).decode().rstrip("=").lower()[:12]
