"""Moments and spans as text: RFC 9557 for datetimes, ISO 8601 for the rest; nothing is lost."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

from wingbeat.types.errors import ValueMismatch, shown

__all__ = ["format_datetime", "format_timedelta", "parse_date", "parse_datetime", "parse_moment", "parse_timedelta"]

_FOLD = "[_fold=1]"
_DATETIME = re.compile(r"([0-9T :.+\-Zzt]{10,50})(?:\[!?([A-Za-z0-9_+\-/.]{1,64})\])?(\[_fold=1\])?", re.ASCII)
_FINE_OFFSET = re.compile(r"(.+)([+-])(\d\d):(\d\d):(\d\d)\.(\d{6})", re.ASCII)
_SPAN = re.compile(
    r"(-?)P(?:(\d{1,10})W)?(?:(\d{1,10})D)?(?:T(?=\d)(?:(\d{1,12})H)?(?:(\d{1,12})M)?(?:(\d{1,15})(?:\.(\d{1,6}))?S)?)?",
    re.ASCII,
)


def format_datetime(value: datetime) -> str:
    """`2026-10-25T02:30:00+01:00[Europe/Berlin]`.

    Naive without offset; `[_fold=1]` where the offset does not tell the fold.
    """
    if getattr(value, "nanosecond", 0):
        raise ValueMismatch(f"expected datetime, got {shown(value)}, whose nanoseconds a datetime cannot hold")
    text = datetime.isoformat(value)
    zone = value.tzinfo
    if zone is None:
        return text + _FOLD if value.fold else text
    offset = value.utcoffset()
    if offset is None:
        raise ValueMismatch(f"expected datetime, got {shown(value)}, whose time zone gives no offset")
    key = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if key:
        text += f"[{key}]"
    if value.fold and (not key or value.replace(fold=0).utcoffset() == offset):
        text += _FOLD
    return text


def parse_datetime(wire: Any) -> datetime:
    """The datetime that `format_datetime` wrote, or any ISO 8601 one."""
    match = _DATETIME.fullmatch(wire) if type(wire) is str else None
    if match is None:
        raise ValueMismatch.expected("datetime (as 2026-10-25T02:30:00+01:00)", wire)
    text, key, fold = match.groups()
    try:
        fine = _FINE_OFFSET.fullmatch(text)
        moment = _with_fine_offset(fine) if fine else datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueMismatch(f"expected datetime, got str {wire!r}: {error}") from None
    if key:
        moment = _in_zone(moment, _zone(key))
    return moment.replace(fold=1) if fold else moment


def parse_moment(wire: Any) -> datetime:
    """As `parse_datetime`, but the name of a time zone is left out: its offset is there. Needs no time zone data."""
    if type(wire) is str:
        wire = wire.removesuffix(_FOLD).partition("[")[0]
    return parse_datetime(wire)


def _with_fine_offset(match: re.Match[str]) -> datetime:
    """An offset with a fraction of a second, which `fromisoformat` reads as UTC if it is less than one."""
    moment, sign, hours, minutes, seconds, micros = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds), microseconds=int(micros))
    return datetime.fromisoformat(moment).replace(tzinfo=timezone(-offset if sign == "-" else offset))


def _zone(key: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(key)
    except (OSError, ValueError, LookupError):
        raise ValueMismatch(
            f"expected datetime, got time zone {key!r}, unknown here (is the package tzdata missing?)"
        ) from None


def _in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """The same wall clock in the zone, at the side of a clock change that the offset tells."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=zone)
    for fold in (0, 1):
        local = moment.replace(tzinfo=zone, fold=fold)
        if local.utcoffset() == moment.utcoffset():
            return local
    # The zone's rules have changed since this was written: the instant stays.
    return moment.astimezone(UTC).astimezone(zone)


def parse_date(wire: Any) -> date:
    """An ISO 8601 date."""
    if type(wire) is str and len(wire) <= 10:
        try:
            return date.fromisoformat(wire)
        except ValueError as error:
            raise ValueMismatch(f"expected date, got str {wire!r}: {error}") from None
    raise ValueMismatch.expected("date (as 2026-10-25)", wire)


def format_timedelta(value: timedelta) -> str:
    """`P1DT2H3M4.000005S`, with a minus in front of a negative span."""
    # In whole microseconds: the arithmetic of timedelta itself overflows at its ends, and floats lose.
    total = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    sign, total = ("-" if total < 0 else ""), abs(total)
    seconds, micros = divmod(total, 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if seconds or fraction:
        clock += f"{seconds}{fraction}S"
    text = (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
    return f"{sign}P{text or 'T0S'}"


def parse_timedelta(wire: Any) -> timedelta:
    """An ISO 8601 duration of weeks, days, hours, minutes and seconds."""
    match = _SPAN.fullmatch(wire) if type(wire) is str else None
    if match is None or not any(match.groups()[1:]):
        raise ValueMismatch.expected("timedelta (as PT1H30M)", wire)
    sign, weeks, days, hours, minutes, seconds, fraction = match.groups()
    whole = ((int(weeks or 0) * 7 + int(days or 0)) * 24 + int(hours or 0)) * 60 + int(minutes or 0)
    total = (whole * 60 + int(seconds or 0)) * 1_000_000 + int((fraction or "").ljust(6, "0"))
    total = -total if sign else total
    try:
        return timedelta(days=total // 86_400_000_000, microseconds=total % 86_400_000_000)
    except OverflowError:
        raise ValueMismatch(f"expected timedelta, got str {wire!r}, which is too long a span") from None
