"""Who is told what becomes of an execution: ``LaunchPlan(…, notifications=[Notify("ops"), Notify("oncall", after="2h")])``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from wingbeat.author.options import Duration
from wingbeat.author.source import Location, caller
from wingbeat.base.errors import CompileError
from wingbeat.base.units import parse_duration_s
from wingbeat.spec.notifications import CHANNEL, RULES_MAX, NotifySpec
from wingbeat.spec.phase import ExecutionPhase

BY_DEFAULT = ("FAILED", "TIMED_OUT")


class Notify:
    """Tell a channel what becomes of the executions of a launch plan.

    Args:
        to: Name of the channel. What it is (a webhook, addresses) is said by the settings of the deployment, not here.

        on: Phases that it is told of: some of QUEUED, RUNNING, SUCCEEDING, FAILING, ABORTING, and of those in which an execution
            ends: SUCCEEDED, FAILED, ABORTED, TIMED_OUT. By default FAILED and TIMED_OUT; none, where there is `after`. How an
            execution has ended is always told; a phase before that it has left at once may be passed over.

        after: Tell it also when an execution has not ended so long after its launch: ``"2h"``, a `timedelta`, seconds.

    Raises:
        CompileError: It is no name of a channel, no phase, or no time; or there is nothing to tell.
    """

    def __init__(self, to: str, *, on: Sequence[str] | None = None, after: Duration | None = None) -> None:
        where = caller()
        if not re.match(CHANNEL, str(to)):
            raise CompileError(
                f"Notify: {to!r} cannot name a channel ({where}): {where.text}",
                hint="Use lower-case letters, digits, '-' and '_', at most 63; such as 'ops'. Its address is a setting.",
            )
        after_s = None if after is None else _seconds(after, where)
        phases = (on,) if isinstance(on, str) else on
        if phases is None:
            phases = BY_DEFAULT if after is None else ()
        if not phases and after is None:
            raise CompileError(
                f"Notify({to!r}) tells of nothing ({where}): {where.text}", hint="Give it on= or after=."
            )
        try:
            self.spec = NotifySpec(to, tuple(ExecutionPhase(phase) for phase in dict.fromkeys(phases)), after_s)
        except ValueError as error:
            raise CompileError(
                f"Notify: {error} ({where}): {where.text}", hint=f"There are {', '.join(ExecutionPhase)}."
            ) from None


def as_notifications(given: Sequence[Notify], name: str, where: Location) -> tuple[NotifySpec, ...]:
    """What ``notifications=`` means, of the launch plan of that name that stands there. Raises CompileError."""
    said: Any = given
    if not isinstance(said, list | tuple) or not all(isinstance(one, Notify) for one in said):
        raise CompileError(
            f"LaunchPlan {name}: notifications={given!r} are none ({where}): {where.text}",
            hint='Such as [Notify("ops", on=["FAILED"]), Notify("oncall", after="2h")].',
        )
    if len(said) > RULES_MAX:
        raise CompileError(f"LaunchPlan {name} has more than {RULES_MAX} notifications ({where}): {where.text}")
    return tuple(one.spec for one in given)


def _seconds(after: Duration, where: Location) -> float:
    try:
        seconds = parse_duration_s(after)
    except (TypeError, ValueError) as error:
        raise CompileError(f"Notify: after: {error} ({where}): {where.text}") from None
    if not 0 < seconds < 10**10:
        raise CompileError(f"Notify: after={after!r} is out of range ({where}): {where.text}")
    return seconds
