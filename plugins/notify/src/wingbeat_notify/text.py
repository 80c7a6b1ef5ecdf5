"""A message as JSON and as text. Pure."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Any

import msgspec

from wingbeat.base.units import format_duration
from wingbeat.contracts.notifier import Message

TITLE_CHARS_MAX = 200
REASON_CHARS_MAX = 10_000
LABELS_MAX = 50


def event(message: Message) -> dict[str, Any]:
    """As JSON: its type, when it became true, and the message."""
    data = msgspec.to_builtins(message)
    for name in ("at", "channel", "id"):
        data.pop(name, None)
    for name in ("created_at", "ended_at"):
        if (seconds := data.get(name)) is not None:
            data[name] = moment(seconds)
    if message.backfill:
        del data["execution"]
    what = str(message.phase).lower() if message.after_s is None else "late"
    return {
        "type": f"{'backfill' if message.backfill else 'execution'}.{what}",
        "timestamp": moment(message.at),
        "data": {"title": message.title, **data},
    }


def slack(message: Message) -> dict[str, str]:
    """As Slack shows it. What would be markup there is text."""
    text = plain(message)
    for character, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, instead)
    return {"text": text}


def plain(message: Message) -> str:
    """As text, a fact a line."""
    facts = {
        "execution": message.execution,
        "backfill": message.backfill,
        "phase": str(message.phase),
        "of": message.entity or message.workflow,
        "project": message.project and f"{message.project}, domain {message.domain}",
        "ticks": ", ".join(f"{count} {name}" for name, count in message.ticks.items()),
        "created" if message.backfill else "launched": moment(message.created_at)
        + (f" by {message.cause}" if message.cause else ""),
        "ended": "" if message.ended_at is None else moment(message.ended_at),
        "deadline": "" if message.after_s is None else f"{format_duration(message.after_s)} after the launch",
        "labels": ", ".join(f"{name}={value}" for name, value in list(message.labels.items())[:LABELS_MAX]),
        "message": message.id,
    }
    lines = [line(message.title), "", *(f"{name}: {line(value)}" for name, value in facts.items() if value)]
    if message.reason:
        reason = message.reason[:REASON_CHARS_MAX].splitlines()
        lines += ["", *(line(each, REASON_CHARS_MAX) for each in reason)]
    return "\n".join(lines) + "\n"


def line(text: str, most: int = 1000) -> str:
    """One line, in which nothing is a command to a terminal or changes the direction of writing."""
    shown = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text[:most])
    return shown.strip() if len(text) <= most else f"{shown.strip()}…"


def moment(seconds: float) -> str:
    """ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
