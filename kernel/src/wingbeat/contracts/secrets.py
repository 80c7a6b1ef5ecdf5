"""Secrets: where their values come from.

Specs and requests name secrets; a value is looked up in the process of an attempt that declares it, and nowhere else; only for one
that has no Wingbeat in it (a program in a container) its executor does so, when it begins. So a
source is not an object of the kernel: a plugin registers where its class is (`Registrar.secrets`), the engine hands that on with
the attempt (`AttemptRequest.secrets`), and the attempt's process imports and asks it. What is printed, raised or reported there has
the values masked before it is written anywhere.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError, WingbeatError

URL = "@endpoint"
"""What a source of tokens is asked besides, in the place of a name: the URL at which the server answers. It is no secret."""


class SourceRef(Struct, frozen=True, omit_defaults=True):
    """How an attempt's process makes its source of secrets.

    Attributes:
        name: What configuration knows it by.

        target: ``module:class`` of a `SecretSource`; the distribution that has it is needed where attempts run.

        settings: What it is constructed with, by keyword. It is written to files and may be shown: no place for a password, but
            for where one is found.

        tokens: Who is asked for ``@token`` in its place: what `Registrar.server` names.
    """

    name: str
    target: str
    settings: dict[str, Any] = {}
    tokens: SourceRef | None = None


class SecretMissing(ConfigurationError):
    """The source has no secret of that name, or none that may be used. The attempt fails and is not tried again."""


class SecretUnavailable(WingbeatError):
    """The source cannot be asked now, or has not answered. The attempt fails, as a failure of the system, and is tried again.

    Args:
        message: Why, without a value.
    """


class SecretSource(Protocol):
    """Looks secrets up. Constructed in the process of each attempt that declares secrets, by keyword with
    `SourceRef.settings`; importing its module and constructing it are cheap."""

    def get(self, name: str) -> str:
        """The value of a secret: text, exactly as it was put there.

        Called when: an attempt begins, before its function, once for each secret that its task declares. Called again:
        the same, or what is there now; a value that was replaced counts from the next attempt on. May block, for a minute, or as
        long as the source's attribute `patience_s` says, if it has one; then it counts as unavailable. Making the source has a
        minute too; both are done in one thread. It prints and logs no value on any level: what is to be masked is known when it has
        answered, not before. `name` is parts of letters, digits, ``.``, ``_`` and ``-`` between slashes, none
        of which begins with a dot.

        Raises `SecretMissing` where trying again cannot help: its message says where it was looked for and what to do, and
        holds no value (those of the attempt's other secrets are masked). `SecretUnavailable`, whose message holds none either, is
        tried again, as a failure of the system. So is anything else, and of that only the class is told: there may be a value in
        its text, and nobody can mask it yet.
        """
        ...


__all__ = ["URL", "SecretMissing", "SecretSource", "SecretUnavailable", "SourceRef"]
