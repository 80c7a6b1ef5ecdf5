"""An interpreter from whatever makes environments: what else it does than its contract says is told with who it was."""

from __future__ import annotations

from wingbeat.base.errors import ConfigurationError, WingbeatError
from wingbeat.contracts.environment import Environments, Interpreter
from wingbeat.spec.entities import EnvironmentSpec

_WHO = "What makes environments (kernel.environments)"


async def ensured(environments: Environments, environment: EnvironmentSpec | None, project_lock: str) -> Interpreter:
    """See `Environments.ensure`. Raises OSError as it is, which may be trouble of the machine, and else WingbeatError."""
    try:
        found: object = await environments.ensure(environment, project_lock)
    except (WingbeatError, OSError):
        raise
    except (Exception, SystemExit) as error:
        raise WingbeatError(f"{_WHO} failed: {type(error).__name__}: {error}") from error
    if not isinstance(found, Interpreter):
        raise ConfigurationError(f"{_WHO} answered {type(found).__name__}, not an Interpreter.")
    return found
