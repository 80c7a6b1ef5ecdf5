"""The secrets of an attempt, in its process."""

from __future__ import annotations

import importlib
import math
import os
import queue
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, cast

from wingbeat.base.errors import ConfigurationError, ErrorKind
from wingbeat.contracts.secrets import URL, SecretSource, SecretUnavailable, SourceRef
from wingbeat.runtime.errors import AttemptInputError
from wingbeat.runtime.files import write_all
from wingbeat.runtime.mask import MASKED_CHARS_MIN, Mask, forms
from wingbeat.runtime.plugged import SECRET_S_MAX, Plugin, is_theirs, noted, patience_of
from wingbeat.spec.secrets import ENDPOINT, TOKEN, SecretSpec

CERTAIN_CHARS = 16
"""A value that is this long is in no outputs by chance."""


class SecretInOutput(ConfigurationError):
    """A task gave a secret away as data, which is stored as it is."""


class Secrets:
    """What an attempt has of its secrets.

    Args:
        task: The task's name, for messages.

        values: By name.
    """

    def __init__(self, task: str, values: Mapping[str, str] | None = None) -> None:
        self._task = task
        self.values = dict(values or {})

    def get(self, name: str) -> str:
        """The value of a secret that the task declares. Raises ConfigurationError."""
        if name not in self.values:
            declared = ", ".join(map(repr, sorted(self.values))) or "none"
            raise ConfigurationError(
                f"Task {self._task} does not declare the secret {name!r}.",
                hint=f"Declare it: @task(secrets=[{name!r}]). It declares {declared}.",
            )
        return self.values[name]

    @cached_property
    def mask(self) -> Mask:
        """What masks them; asked for when they are all there."""
        return Mask(self.hidden.values())

    @property
    def hidden(self) -> dict[str, str]:
        """Those that are secret: everything but where the server is."""
        return {name: value for name, value in self.values.items() if name != URL}

    def look_up(self, specs: Sequence[SecretSpec], source: SourceRef | None) -> None:
        """Get the values of all that are declared.

        The source is made and asked in a thread of its own, which is left behind if it does not answer.

        Raises ConfigurationError where one cannot be had, AttemptInputError where trying again may help. Values that are known are
        masked in what it says.
        """
        if source is None:
            raise ConfigurationError(f"Task {self._task} has secrets, but its executor was given no source of them.")
        failed = []
        for asked, names in _questions(specs, source):
            with noted(Plugin(f"The source of secrets {asked.name!r}", asked.target), "get"):
                failed.append(self._ask(asked, names))
        for error in failed:
            if error is not None:
                raise self._masked(error) from None  # what it was made from may hold the value, which nobody can mask

    def _ask(self, source: SourceRef, names: Sequence[str]) -> ConfigurationError | AttemptInputError | None:
        """Ask a source for all of these; why the first one fails that does."""
        asked = _Asked(source)
        asked.start()
        made = self._answer(asked, source, "", patience_of(None, SECRET_S_MAX))
        patience_s = patience_of(made, SECRET_S_MAX)
        failed: ConfigurationError | AttemptInputError | None = None
        for name in names:  # all of them, also behind one that cannot be had: it may tell of others
            try:
                self.values[name] = self._checked(name, source, self._answer(asked, source, name, patience_s))
            except (ConfigurationError, AttemptInputError) as error:
                failed = failed or error
                if asked.silent:
                    break
        asked.names.put(None)
        if not asked.silent:
            asked.join()
        return failed

    def _answer(self, asked: _Asked, source: SourceRef, name: str, patience_s: float) -> Any:
        """The value of a secret; without a name, the source itself."""
        if name:
            asked.names.put(name)
        known = TOKEN if name == URL else name  # the URL belongs to the token
        where = f"Task {self._task}: the secret {known!r}" if name else f"Task {self._task}: its secrets"
        told = Plugin(f"the source {source.name!r}", source.target)
        try:
            answer = asked.answers.get(timeout=None if patience_s == math.inf else patience_s)
        except queue.Empty:
            asked.silent = True
            raise _unavailable(
                f"{where} cannot be read from {told.named}: it did not answer within {patience_s:.3g} s"
            ) from None
        if not isinstance(answer, _Raised):
            return answer
        error = answer.error
        if isinstance(error, ConfigurationError):
            if name:
                error.message = f"Task {self._task}: {error.message}"
            raise error from (None if name else error.__cause__)
        why = error.message if isinstance(error, SecretUnavailable) else type(error).__name__
        if isinstance(error, SecretUnavailable):  # why comes first: what is shown of a long message is its beginning
            raise _unavailable(f"{where} cannot be read: {why}{f' (from {told.named})' if name else ''}") from None
        raise _unavailable(f"{where} cannot be read from {told.named}: {why}") from None

    def _checked(self, name: str, source: SourceRef, value: object) -> str:
        where = f"Task {self._task}: the secret {name!r}"
        if not isinstance(value, str):
            raise ConfigurationError(f"{where} is {type(value).__name__}, not text, in the source {source.name!r}.")
        if not value or "\0" in value or not _encodable(value):
            raise ConfigurationError(f"{where} is empty, or no text that can be written as UTF-8 ({source.name!r}).")
        return value

    def _masked(self, error: ConfigurationError | AttemptInputError) -> ConfigurationError | AttemptInputError:
        mask = Mask(self.hidden.values())
        if isinstance(error, ConfigurationError):
            error.message, error.hint = mask.text(error.message), mask.text(error.hint)
        error.args = tuple(mask.text(str(each)) for each in error.args)
        return error

    def place(self, specs: Sequence[SecretSpec]) -> None:
        """Put them into the environment of this process, which is the attempt's alone, and into files in memory."""
        for spec in specs:
            if spec.env:
                os.environ[spec.env] = self.values[spec.name]
            if spec.file:
                os.environ[spec.file] = _in_memory(spec.name, self.values[spec.name])
            if spec.name == TOKEN:
                os.environ[ENDPOINT] = self.values[URL]

    def unmasked(self) -> list[str]:
        """Names of those that are too short to be masked."""
        return [name for name, value in self.hidden.items() if len(value.strip()) < MASKED_CHARS_MIN]

    def check_outputs(self, data: bytes) -> None:
        """Raise SecretInOutput if encoded outputs hold a secret that is not in them by chance."""
        for name, value in self.hidden.items():
            if len(value) >= CERTAIN_CHARS and any(form in data for form in forms(value)):
                raise SecretInOutput(
                    f"Task {self._task} gives the value of the secret {name!r} away, as an output or to what it calls: it "
                    "would be stored as it is.",
                    hint=f"Whoever needs it declares it: @task(secrets=[{name!r}]).",
                )


def _questions(specs: Sequence[SecretSpec], source: SourceRef) -> list[tuple[SourceRef, list[str]]]:
    """Who is asked for what: with a token, also for where the server is."""
    names = [spec.name for spec in specs if spec.name != TOKEN]
    issued = [TOKEN, URL] if len(names) < len(specs) else []
    if source.tokens is None:
        return [(source, names + issued)]
    return [(source, names), (source.tokens, issued)]


class _Raised(NamedTuple):
    error: BaseException


class _Asked(threading.Thread):
    """A source, asked in a thread of its own: answers with the source itself, then with the value for each name, or what it raised.

    Attributes:
        silent: It does not answer any more.
    """

    def __init__(self, ref: SourceRef) -> None:
        super().__init__(name=f"secrets from {ref.name}", daemon=True)
        self._ref = ref
        self.names: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.silent = False

    def run(self) -> None:
        try:
            made = load_source(self._ref)
        except (ConfigurationError, SecretUnavailable) as error:
            self.answers.put(_Raised(error))
            return
        self.answers.put(made)
        while (name := self.names.get()) is not None:
            try:
                self.answers.put(made.get(name))
            except BaseException as error:  # noqa: BLE001  # it may raise anything; who waits says so
                self.answers.put(_Raised(error))


def _unavailable(message: str) -> AttemptInputError:
    return AttemptInputError(message, "SecretUnavailable", ErrorKind.SYSTEM, retryable=True)


def load_source(ref: SourceRef) -> SecretSource:
    """The source, made. Raises ConfigurationError; SecretUnavailable for what else goes wrong, of which only the class is told."""
    module, _, name = ref.target.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"The source of secrets {ref.name!r} ({ref.target}) cannot be imported where the task runs: {error}.",
            hint=f"Install the distribution that provides {module.partition('.')[0]!r} in the task's environment.",
        ) from error
    except BaseException as error:  # noqa: BLE001  # it may raise anything
        raise _unmade(ref, error) from None
    try:
        return cast(SecretSource, made(**ref.settings))
    except ConfigurationError:
        raise
    except BaseException as error:  # noqa: BLE001  # it may raise anything
        raise _unmade(ref, error) from None


def _unmade(ref: SourceRef, error: BaseException) -> BaseException:
    """What to raise for what making a source has raised, in whose text there may be a value."""
    if not is_theirs(error):
        return error
    why = error.message if isinstance(error, SecretUnavailable) else type(error).__name__
    return SecretUnavailable(f"The source of secrets {ref.name!r} ({ref.target}) cannot be made: {why}")


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _in_memory(name: str, value: str) -> str:
    """The path of a file with the value, for this process and those that it starts."""
    if sys.platform != "linux":
        raise ConfigurationError(
            f"The secret {name!r} cannot be in a file: that takes Linux, where a file can be in memory only.",
            hint=f"Take it by current().secret({name!r}), or by env=.",
        )
    fd = os.memfd_create("secret")
    write_all(fd, value.encode())
    os.fchmod(fd, 0o400)
    return f"/proc/{os.getpid()}/fd/{fd}"
