"""What makes environments, as it is asked: each call has to end in time, and what goes wrong is told with its name."""

from __future__ import annotations

from wingbeat.base.errors import ConfigurationError, WingbeatError
from wingbeat.calls import Calls, NoAnswer, why, within
from wingbeat.contracts.environment import Environments, Interpreter
from wingbeat.spec.entities import EnvironmentSpec

ENSURE_S_MAX = 3600.0
"""So long may an environment take: much may have to be fetched from afar, and another process may build the same one."""


class BoundedEnvironments:
    """A `wingbeat.contracts.environment.Environments`.

    Args:
        name: What configuration knows it by, for messages.
    """

    def __init__(self, made: Environments, name: str) -> None:
        self._made, self._who = made, f"The maker of environments {name!r} (kernel.environments)"
        self._calls = Calls(made, self._who)

    async def ensure(self, environment: EnvironmentSpec | None, project_lock: str) -> Interpreter:
        """See `Environments.ensure`. Raises OSError as it is, which may be trouble of the machine, and else WingbeatError."""
        try:
            async with within(float(getattr(self._made, "patience_s", ENSURE_S_MAX))):
                found = await self._calls.ask("ensure", environment, project_lock)
        except NoAnswer as error:
            raise WingbeatError(
                f"{self._who} failed: {why(error)}.",
                hint="Look at what it waits for: an index that does not answer, another process that builds the same one.",
            ) from error
        except (WingbeatError, OSError):
            raise
        except (Exception, SystemExit) as error:
            raise WingbeatError(f"{self._who} failed: {why(error)}") from error
        if not isinstance(found, Interpreter):
            raise ConfigurationError(f"{self._who} answered {type(found).__name__}, not an Interpreter.")
        return found
