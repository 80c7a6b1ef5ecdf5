"""Settings of the admin: the sections ``admin``, ``notify`` and ``server``."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from msgspec import Meta, Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.base.settings import Seconds
from wingbeat.base.units import parse_duration_s
from wingbeat.spec.notifications import ChannelName, NotifySpec
from wingbeat.spec.phase import ExecutionPhase


class AdminSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the admin of a server elsewhere is reached; and how long that of a home keeps what.

    Attributes:
        endpoint: URL of the server, as ``http://127.0.0.1:8765``. `WINGBEAT_ENDPOINT` and ``--endpoint`` set it for commands.

        timeout_s: Seconds after which a call that has not answered has failed.

        audit_days: Days for which entries of the audit log are kept.
    """

    endpoint: str = ""
    timeout_s: float = 30.0
    audit_days: Annotated[float, Meta(gt=0)] = 365.0


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


class ServerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may use a server.

    Attributes:
        auth: ``off``: whoever reaches it, at the loopback only. ``keys``: who has an API key, for what it was granted. ``oidc``:
            also who has a token of the provider `issuer`.

        hosts: Names, with the port where it is not that of the scheme, by which others call it: ``["wingbeat.example.org"]``.
            What the header ``Host`` of a request says besides these and the address it listens at is refused.

        url: URL by which attempts reach it, where that is not the address it listens at: from containers, or behind a proxy. Its
            host counts among `hosts`.

        issuer: URL of an OpenID provider, exactly as it says it itself.

        client: Id of a client there, which is one of programs: without a secret, for the code flow with PKCE and the device flow.
            Tokens have to be for it.

        user_claim: Claim that names a user: ``user:ana@example.org``. An ``email`` has to be verified.

        groups_claim: Claim with the names of its groups: ``group:maps``.

        scopes: What is asked for at a login.
    """

    auth: Literal["off", "keys", "oidc"] = "off"
    hosts: tuple[str, ...] = ()
    url: str = ""
    issuer: str = ""
    client: str = ""
    user_claim: str = "email"
    groups_claim: str = "groups"
    scopes: tuple[str, ...] = ("openid", "email", "profile", "groups", "offline_access")
