"""When a launch plan starts by itself: ``LaunchPlan(…, trigger=Cron("0 3 * * *", timezone="America/Los_Angeles"))``."""

from __future__ import annotations

import zoneinfo
from contextlib import suppress
from typing import get_args

from wingbeat.author.options import Duration
from wingbeat.author.source import Location, caller
from wingbeat.base.errors import CompileError, InputError
from wingbeat.base.units import parse_duration_s
from wingbeat.spec.ticks import check_schedule
from wingbeat.spec.triggers import CatchUp, CronSpec, Overlap, RateSpec, ScheduleSpec

FIELDS = 5
RATE_S_MIN = 1.0


class Schedule:
    """What `Cron` and `FixedRate` have in common: the rules for ticks, whenever they are."""

    spec: ScheduleSpec

    def __init__(
        self,
        when: CronSpec | RateSpec,
        where: Location,
        *,
        input: str,
        catch_up: CatchUp,
        window: Duration | None,
        overlap: Overlap,
        jitter: Duration,
        pause_on_failure: bool,
    ) -> None:
        for name, given, known in (("catch_up", catch_up, get_args(CatchUp)), ("overlap", overlap, get_args(Overlap))):
            if given not in known:
                raise CompileError(
                    f"There is no {name}={given!r} ({where}): {where.text}", hint=f"It is one of {', '.join(known)}."
                )
        window_s = None if window is None else _seconds("window", window, where)
        jitter_s = _seconds("jitter", jitter, where)
        self.spec = ScheduleSpec(when, input, catch_up, window_s, overlap, jitter_s, pause_on_failure)
        with suppress(ModuleNotFoundError):  # a process that only runs tasks may not know cron, and schedules nothing
            try:
                check_schedule(self.spec)
            except InputError as error:
                raise CompileError(
                    f"{error.message.removesuffix('.')} ({where}): {where.text}", hint=error.hint
                ) from None


class Cron(Schedule):
    """Start at the moments of a cron expression.

    Args:
        expression: Minute, hour, day of the month, month, day of the week: ``"0 3 * * MON"``. When clocks change it does as cron on
            Debian: what would fall into the hour that is left out runs right after it, and what falls into the one that comes
            twice runs once, at its first pass. With a ``*`` for minutes or hours it runs as often as the clock shows it.

        timezone: A name of the IANA database, as ``"America/Los_Angeles"``.

        input: Input of the launch plan that takes the tick: a datetime, in that time zone.

        catch_up: Which ticks count that passed while nothing ran: ``"none"``, the ``"last"`` one, or ``"all"``.

        window: Of those, only the ones of so long ago at most. A tick that is late by less than a minute is on time, and always
            counts: a window of less is one of a minute.

        overlap: What becomes of a tick while the execution of the one before has not ended: ``"skip"``, ``"buffer_one"``,
            ``"buffer_all"``, ``"cancel_other"``, ``"terminate_other"`` or ``"allow_all"``: see
            `wingbeat.spec.triggers.ScheduleSpec`.

        jitter: Start up to so much later.

        pause_on_failure: Pause when an execution of it fails.

    Raises:
        CompileError: It is no such expression, or one that never comes; no such time zone, duration or policy; the jitter is longer
            than the time between two ticks.
    """

    def __init__(
        self,
        expression: str,
        *,
        timezone: str = "UTC",
        input: str = "",
        catch_up: CatchUp = "last",
        window: Duration | None = None,
        overlap: Overlap = "skip",
        jitter: Duration = 0.0,
        pause_on_failure: bool = False,
    ) -> None:
        where = caller()
        if len(expression.split()) != FIELDS:
            raise CompileError(
                f"{expression!r} is no cron expression of {FIELDS} fields ({where}): {where.text}",
                hint='Minute, hour, day of the month, month, day of the week; such as "0 3 * * MON".',
            )
        try:
            zoneinfo.ZoneInfo(timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise CompileError(
                f"There is no time zone {timezone!r} ({where}): {where.text}",
                hint='Such as "UTC" or "America/Los_Angeles".',
            ) from error
        super().__init__(
            CronSpec(" ".join(expression.split()), timezone), where, input=input, catch_up=catch_up, window=window, overlap=overlap,
            jitter=jitter, pause_on_failure=pause_on_failure,
        )  # fmt: skip


class FixedRate(Schedule):
    """Start again and again after the same time.

    Args:
        period: So much apart, ``"10m"``; the ticks are counted from 1970, so that they do not depend on when it was activated.

        input: Input of the launch plan that takes the tick: a datetime, in UTC.

        catch_up, window, overlap, jitter, pause_on_failure: As of `Cron`.

    Raises:
        CompileError: It is no duration, or less than a second; or as of `Cron`.
    """

    def __init__(
        self,
        period: Duration,
        *,
        input: str = "",
        catch_up: CatchUp = "last",
        window: Duration | None = None,
        overlap: Overlap = "skip",
        jitter: Duration = 0.0,
        pause_on_failure: bool = False,
    ) -> None:
        where = caller()
        seconds = _seconds("period", period, where)
        if seconds < RATE_S_MIN:
            raise CompileError(f"{period!r} is less than a second ({where}): {where.text}")
        super().__init__(
            RateSpec(seconds), where, input=input, catch_up=catch_up, window=window, overlap=overlap, jitter=jitter,
            pause_on_failure=pause_on_failure,
        )  # fmt: skip


def _seconds(name: str, given: Duration, where: Location) -> float:
    try:
        seconds = parse_duration_s(given)
    except ValueError as error:
        raise CompileError(f"{name}: {error} ({where}): {where.text}") from None
    if not 0 <= seconds < 10**10:
        raise CompileError(f"{name}={given!r} is out of range ({where}): {where.text}")
    return seconds
