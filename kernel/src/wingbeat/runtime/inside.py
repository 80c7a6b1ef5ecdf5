"""What user code may ask for inside of an attempt: `wingbeat.current`."""

from __future__ import annotations

import os
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from wingbeat.base.errors import ConfigurationError, WingbeatError
from wingbeat.base.ids import split_attempt_id
from wingbeat.runtime import here
from wingbeat.runtime.files import CHECKPOINT
from wingbeat.runtime.report import Reporter

if TYPE_CHECKING:
    import logging

    from wingbeat.runtime.checkpoint import Checkpoint
    from wingbeat.runtime.deck import Deck


class NoAttempt(WingbeatError, RuntimeError):
    """Something was asked for that only an attempt has."""


def current() -> Current:
    """The attempt that this code runs in.

    Raises:
        NoAttempt: It runs in none: it is called in a plain program, when a module is imported, or in a unit test.
    """
    found = here.found()
    if found is None:
        raise NoAttempt(
            "current() was called outside of an attempt: it is for code that runs inside of a task or a dynamic workflow.",
            hint="In a test, 'with wingbeat.testing.inside_attempt() as attempt:' makes one.",
        )
    if found.current is None:
        found.current = Current(found)
    return found.current


class Current:
    """An attempt, for the code that runs in it.

    Attributes:
        execution: Id of the execution.

        node: Id of the node.

        attempt: Number of the attempt, from 0. Of the body of a dynamic workflow: how often it has failed and was tried again; its
            turns are told the same.

        task: Name of the task.
    """

    def __init__(self, place: here.Here) -> None:
        self.execution, self.node, number = split_attempt_id(place.id)
        self.attempt = number if place.number is None else place.number
        self.task = place.task
        self._place = place
        tell = None if place.tell is None else partial(place.tell, place)
        self._reporter = place.reporter = Reporter(place.directory, tell, place.mask)

    def __repr__(self) -> str:
        return f"<attempt {self._place.id} of {self.task}>"

    @cached_property
    def directory(self) -> Path:
        """The attempt's own directory, with its log and other files."""
        if not self._place.directory:
            raise ConfigurationError(
                f"The attempt {self._place.id} has no directory: its executor was given no folder for attempts."
            )
        os.makedirs(self._place.directory, exist_ok=True)
        return Path(self._place.directory)

    def secret(self, name: str) -> str:
        """The value of a secret that the task declares, as ``@task(secrets=["db/password"])`` does.

        Where the attempt writes it (prints it, raises it, reports it), ``***`` is written. Do not return it: outputs are stored
        as they are.

        Raises:
            ConfigurationError: The task does not declare it.
        """
        from wingbeat.runtime.secrets import Secrets

        return (self._place.secrets or Secrets(self.task)).get(name)

    def progress(self, fraction: float, text: str = "") -> None:
        """Say how far this attempt is. People see it while it runs, and where it ended.

        Call it as often as you like: some ten reports a second are passed on, the last one before the end always.

        Args:
            fraction: How much is done, from 0 to 1.

            text: What it is at; one short line.

        Raises:
            TypeError: `fraction` is no number.
        """
        given: object = fraction
        if isinstance(given, str):
            raise TypeError(f"progress() takes how much is done, from 0 to 1, and then a text; not {fraction!r} first.")
        self._reporter.progress(fraction, text)

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """A folder that the next attempt of this node finds as this one leaves it: a retry, also after this process was
        killed; and the same node of an execution that recovers this one, if its inputs are the same."""
        from wingbeat.runtime import checkpoint

        folder = (Path(self._place.shared) if self._place.shared else self.directory) / CHECKPOINT
        if self._place.checkpoint is not None:
            attempts = os.path.dirname(os.path.dirname(self._place.directory))
            checkpoint.carry(attempts, self._place.id, self._place.checkpoint)
            self._place.checkpoint = None
        folder.mkdir(exist_ok=True)
        return checkpoint.Checkpoint(folder)

    @cached_property
    def deck(self) -> Deck:
        """A page about this attempt, which grows while it runs: text, tables, figures. ``wingbeat deck`` shows it."""
        from wingbeat.runtime.deck import Deck

        place = self._place
        title = f"{self.task} · {place.id}"
        return Deck(str(self.directory), title, place.deck_bytes_max, self._reporter.has_deck, place.mask)

    @cached_property
    def log(self) -> logging.Logger:
        """A logger of the standard library. What it is told is in the attempt's log, from level INFO; its records have the
        attributes `execution`, `node`, `attempt` and `task`, for handlers of the root logger."""
        from wingbeat.runtime.attemptlog import logger

        place = self._place
        return logger(self, prints=place.prints, mask=None if place.secrets is None else place.mask)
