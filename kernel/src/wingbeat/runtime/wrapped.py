"""The wrappers of an attempt: entered around the function, asked for its parameters, left."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, cast

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError, NonRetryable, PluginFailed
from wingbeat.contracts.gang import Member
from wingbeat.contracts.wrapper import Wrapper
from wingbeat.runtime.errors import describe
from wingbeat.runtime.job import Job
from wingbeat.runtime.plugged import WRAPPER_S_MAX, Plugin, ask, kind_of
from wingbeat.spec.entities import WrapperSpec

_SAID = (ConfigurationError, NonRetryable)
"""What a wrapper raises that says itself what is wrong, and that trying again does not help."""


class Attempt(Struct):
    """What a wrapper may know of the attempt (`wingbeat.contracts.wrapper.AttemptInfo`)."""

    id: str
    directory: str
    cpu: float | None
    memory_bytes: int | None
    member: Member | None = None


class Wrapped:
    """The wrappers of one attempt, in order."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._entered: list[tuple[Plugin, Wrapper]] = []
        self._offers: dict[type | str, tuple[Any, Plugin]] = {}

    def enter(self) -> None:
        """Enter them. Raises ConfigurationError, PluginFailed, or what they say with NonRetryable."""
        job = self._job
        info = Attempt(job.id, job.shown, job.cpu, job.memory_bytes, job.member)
        for spec in job.wrappers:
            plugin = Plugin(f"The wrapper {spec.name!r}", spec.target)
            wrapper = _load(plugin, spec)
            offers = ask(plugin, wrapper, "enter", info, seconds=WRAPPER_S_MAX, kind=dict, passing=_SAID)
            self._entered.append((plugin, wrapper))
            self._offers |= {kind: (value, plugin) for kind, value in _checked(plugin, offers).items()}

    def leave(self, outcome: object) -> None:
        """Leave those that were entered, in the opposite order. What goes wrong is only told: `outcome`, which is what the function
        raised or else gave, is what counts."""
        error = outcome if isinstance(outcome, BaseException) else None
        for plugin, wrapper in reversed(self._entered):
            try:
                ask(plugin, wrapper, "leave", error, seconds=WRAPPER_S_MAX, come_to=outcome)
            except PluginFailed as failed:
                told = describe(failed, self._job.bundle)
                sys.stderr.write(f"{told.trace}{told.message}\n")

    def offered(
        self, function: Callable[..., Any], annotations: Mapping[str, Any], given: Mapping[str, object]
    ) -> dict[str, object]:
        """Values for parameters that are no inputs: by the parameter's name, else by its type.

        Raises:
            PluginFailed: One that is needed is not offered, or is of another type than the parameter.
        """
        code = function.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        found: dict[str, object] = {}
        for name in names:
            if name in given:
                continue
            hint: Any = annotations.get(name)
            if name in self._offers:
                value, plugin = self._offers[name]
                if not _fits(value, hint):
                    raise plugin.failed("enter", f"it offers {name!r} as {kind_of(value)}, not as {hint.__name__}")
                found[name] = value
            elif (kind := _asked_for(hint, self._offers)) is not None:
                found[name] = self._offers[kind][0]
            elif _is_needed(function, name):
                raise self._not_offered(name, hint)
        return found

    def _not_offered(self, name: str, hint: Any) -> PluginFailed:
        wanted = f"the parameter {name!r} of task {self._job.task} ({getattr(hint, '__name__', hint)})"
        offers = ", ".join(each if isinstance(each, str) else each.__name__ for each in self._offers) or "nothing"
        plugin = self._entered[-1][0]
        if len(self._entered) == 1:
            return plugin.failed("enter", f"it does not offer {wanted}; it offers {offers}")
        others = ", ".join(other.named for other, _ in self._entered[:-1])
        return plugin.failed("enter", f"neither it nor {others} offers {wanted}; they offer {offers}")


def _load(plugin: Plugin, spec: WrapperSpec) -> Wrapper:
    module, _, name = spec.target.partition(":")
    try:
        found = ask(
            plugin, importlib, "import_module", module, seconds=WRAPPER_S_MAX, passing=(ImportError, ConfigurationError)
        )
        getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"The wrapper {spec.name!r} of the task ({spec.target}) cannot be imported in its environment: {error}.",
            hint=f"Install the distribution that provides {module.partition('.')[0]!r} in the task's environment.",
        ) from error
    return cast(Wrapper, ask(plugin, found, name, spec.config, seconds=WRAPPER_S_MAX, passing=_SAID))


def _checked(plugin: Plugin, offers: dict[Any, Any]) -> dict[type | str, Any]:
    """What a wrapper offers. Raises PluginFailed where that is none of its contract."""
    for kind, value in offers.items():
        if not isinstance(kind, type | str):
            raise plugin.failed("enter", f"it offers something by {kind!r}, which is no class and no name")
        if isinstance(kind, type) and not _fits(value, kind):
            raise plugin.failed("enter", f"it offers {kind_of(value)} as {kind.__name__}")
    return offers


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is what a class says; anything may be where an annotation is none, or cannot tell."""
    try:
        return not isinstance(hint, type) or isinstance(value, hint)
    except TypeError:  # a protocol, for type checkers only
        return True


def _asked_for(hint: Any, offers: Mapping[type | str, Any]) -> type | None:
    """The offered class that an annotation asks for; one that could not be evaluated is compared by its name."""
    for kind in offers:
        if not isinstance(kind, type):
            continue
        if kind is hint or (isinstance(hint, type) and issubclass(kind, hint) and hint is not object):
            return kind
        if isinstance(hint, str) and hint.rpartition(".")[2] == kind.__name__:
            return kind
    return None


def _is_needed(function: Callable[..., Any], name: str) -> bool:
    code, defaults = function.__code__, function.__defaults__ or ()
    positional = code.co_varnames[: code.co_argcount]
    return name not in positional[len(positional) - len(defaults) :] and name not in (function.__kwdefaults__ or {})
