"""Wrappers: entered inside the attempt's process, around the user's function.

A wrapper is a class found by the path that the task's spec holds (`WrapperSpec.target`), so the attempt's environment needs
the distribution that defines it and nothing else. It uses only the standard library until it is entered. Its plugin registers its
name all the same (`Registrar.wrapper`), for those who ask what is installed, and for rules that choose executors by it.

The kit is `wingbeat.testing.conformance.wrapper.WrapperContract`. Several wrappers of a task are entered in order and left in the
opposite one, all in the thread that calls the function.

Each call has ten minutes, or so many seconds as the wrapper's attribute `patience_s` says, where it has one (`math.inf`: only the
task's timeout bounds it). One that takes longer cannot be stopped, so the process ends: by `enter` the attempt has failed, by
`leave` it has come to what it had come to.
"""

from __future__ import annotations

from typing import Any, Protocol

from wingbeat.contracts.gang import Member


class AttemptInfo(Protocol):
    """What a wrapper may know of the attempt.

    Attributes:
        id: ``execution/node/attempt``.

        directory: Where this process may write, absolute: the attempt's, or of a gang's later members their own. What a wrapper
            writes goes below it, in a folder of its own.

        cpu: Cores that this process may use; None if nobody has said.

        memory_bytes: As `cpu`.

        member: Which process of a gang this one is; None outside of gangs.
    """

    id: str
    directory: str
    cpu: float | None
    memory_bytes: int | None
    member: Member | None


class Wrapper(Protocol):
    """One attempt's wrapper: constructed with its configuration, entered once, left once."""

    def __init__(self, config: dict[str, Any]) -> None:
        """Remember the configuration (`WrapperSpec.config`), and do nothing else: no file, no process, no thread."""

    def enter(self, attempt: AttemptInfo) -> dict[type | str, Any]:
        """Prepare, and offer parameters: by type (the class that a parameter is annotated with) or by parameter name.

        A value offered by a class is an instance of it. Offers are for parameters that are no inputs of the task; names go before
        types, and of two wrappers that offer the same, the inner one.
        Called when: in the attempt's process, before its inputs are read. Called again: never; another attempt makes another.
        Raises: `ConfigurationError`, whose text says what to install or to write, or `NonRetryable`: the attempt fails with it.
        Anything else, an answer of another type, and a parameter without an offer are a failure of the wrapper, which is named:
        a failure of the system, which is tried again. `leave` is not called.
        """

    def leave(self, error: BaseException | None) -> None:
        """Clean up; `error` is what the function raised. Called once after `enter` succeeded, also when the function failed.

        What was started (processes, threads that would keep the process) has ended when it returns.
        Raises: better nothing: it goes to the attempt's log, and what the function returned or raised is what counts.
        Cancelled: an attempt that is cancelled or runs out of memory is killed, and this is not called. What `enter` started has to
        end with the attempt's process group, or when its pipes close.
        """
