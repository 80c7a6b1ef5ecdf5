"""Settings of the admin: the sections ``admin`` and ``notify``."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.settings import Seconds
from wingbeat.base.units import parse_duration_s
from wingbeat.spec.notifications import ChannelName, NotifySpec
from wingbeat.spec.phase import ExecutionPhase


class AdminSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the admin of a server elsewhere is reached.

    Attributes:
        endpoint: URL of the server, as ``http://127.0.0.1:8765``. `WINGBEAT_ENDPOINT` and ``--endpoint`` set it for commands.

        timeout_s: Seconds after which a call that has not answered has failed.
    """

    endpoint: str = ""
    timeout_s: float = 30.0


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """A channel that is told of executions, whatever their launch plans say. ``*`` and ``?`` stand for any text and any letter.

    Attributes:
        to: Name of the channel.

        on: Phases that it is told of; without `after` and without a word, FAILED and TIMED_OUT.

        after: It is told when an execution has not ended so long after its launch: ``"2h"``, or seconds.

        project: Of executions in this project.

        domain: Of executions in this domain.
    """

    to: ChannelName
    on: tuple[ExecutionPhase, ...] | None = None
    after: str | float | None = None
    project: str = "*"
    domain: str = "*"

    @property
    def spec(self) -> NotifySpec:
        """The same as a launch plan says it. Raises ConfigurationError."""
        if self.after is None:
            return NotifySpec(
                self.to, (ExecutionPhase.FAILED, ExecutionPhase.TIMED_OUT) if self.on is None else self.on
            )
        try:
            seconds = parse_duration_s(self.after)
        except ValueError as error:
            raise ConfigurationError(f"The setting notify.rules: after: {error}.") from None
        if seconds <= 0:
            raise ConfigurationError(f"The setting notify.rules: after = {self.after!r} is no time.")
        return NotifySpec(self.to, self.on or (), seconds)

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether an execution with these labels is meant."""
        place = ((labels.get("project", ""), self.project), (labels.get("domain", ""), self.domain))
        return all(fnmatchcase(name, pattern) for name, pattern in place)


class NotifySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told of executions, besides what their launch plans say. Channels are set up by the sections of notifiers.

    Attributes:
        rules: Who is told of which executions: ``to``, ``on``, ``after``, ``project``, ``domain``.

        give_up_s: Seconds after which a message that nobody takes is given up.
    """

    rules: tuple[Rule, ...] = ()
    give_up_s: Seconds = 86400.0
