"""What an author says about a task in a container."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from msgspec import json, structs

from wingbeat.base.errors import CompileError
from wingbeat.spec.container import ContainerSpec
from wingbeat.spec.entities import SecretSpec, TaskSpec
from wingbeat_container.placeholders import wrong

EXECUTOR = "container"
PULLS = ("missing", "always", "never")
NOT_IN_VARIABLE = "the secret {0.name!r} in the variable {0.env}, which the container engine would write down"
AS_FILE = "Secret({0.name!r}, file='{0.env}_FILE') puts the path of a file with it into that variable."
_IMAGE = re.compile(r"[\w][\w.:/@+-]*\Z")
_USER = re.compile(r"[\w.-]+(:[\w.-]+)?\Z")
_TASK_OPTIONS = ("writable", "network")


@dataclass(frozen=True)
class Container:
    """``@task(task_config=Container(…))``: the task runs in a container.

    With a `command`, that is what runs, in any language; the function is not called: its signature says what goes in and what
    comes out, and its body is ``...``. Without, the function is called, by the Python of the image.

    Args:
        image: As ``debian:12``. One with a digest, ``name@sha256:…``, is the same for ever.

        command: Program and arguments. ``{{inputs.NAME}}`` becomes the text of an input, or the path where a file, a folder or a
            structure of it is found; ``{{outputs.NAME}}`` the path where an output is to be left.

        network: Whether it may reach the network.

        pull: When the image is fetched: if it is ``missing``, ``always``, or ``never``.

        user: User in the container, or ``user:group``; left out, whoever owns the home.

        writable: Whether it may write into the image's own files. They are as they were in the next attempt.
    """

    image: str
    command: Sequence[str] = ()
    network: bool = False
    pull: Literal["missing", "always", "never"] = "missing"
    user: str = ""
    writable: bool = False
    _where: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_where", _caller())
        given: Any = self.command
        if isinstance(given, str) or not all(isinstance(word, str) and "\0" not in word for word in given):
            raise self._error(
                f"command={given!r} is no list of texts", "Write for example command=['sh', '-c', 'echo hello']."
            )
        if not _IMAGE.match(str(self.image)):
            raise self._error(
                f"image={self.image!r} cannot be the name of an image", "Write for example image='debian:12'."
            )
        if self.pull not in PULLS:
            raise self._error(f"pull={self.pull!r} is not known", f"It is one of {', '.join(PULLS)}.")
        if self.user and not _USER.match(self.user):
            raise self._error(f"user={self.user!r} is no user", "Write a name or number, as '1000' or '1000:1000'.")
        for name in _TASK_OPTIONS:
            if not isinstance(getattr(self, name), bool):
                raise self._error(f"{name}={getattr(self, name)!r} is neither True nor False", "")

    @property
    def provides(self) -> tuple[str, ...]:
        """None: every parameter is an input."""
        return ()

    def configure(self, task: TaskSpec) -> TaskSpec:
        """The task, in its container. Raises CompileError where the command or another option does not fit."""
        if task.container is not None:
            raise self._error(f"task {task.name} has a container already", "A task runs in one.")
        if task.environment is not None:
            raise self._error(
                f"task {task.name} has an Environment too", "Its packages are those of the image: leave one out."
            )
        if self.command:
            self._check_command(task)
        spec = ContainerSpec(
            image=self.image, command=tuple(self.command), network=self.network, pull=self.pull, user=self.user,
            writable=self.writable,
        )  # fmt: skip
        cache = task.cache
        if cache is not None and cache.derived:  # what it does is in the command and the image, not only in the code
            digest = sha256(cache.version.encode() + json.encode(spec)).hexdigest()
            cache = structs.replace(cache, version=f"sha256:{digest}")
        return structs.replace(task, container=spec, cache=cache, executor=task.executor or EXECUTOR)

    def _check_command(self, task: TaskSpec) -> None:
        for what, there in (("several processes", task.gang), ("a wrapper", task.wrappers), ("a body", task.dynamic)):
            if there:
                raise self._error(f"task {task.name} has {what}, which a command cannot have", "Leave the command out.")
        if (secret := in_variable(task)) is not None:
            raise self._error(f"task {task.name} wants {NOT_IN_VARIABLE.format(secret)}", AS_FILE.format(secret))
        inputs, outputs = ([each.name for each in side] for side in (task.interface.inputs, task.interface.outputs))
        for text, hint in wrong(self.command, inputs, outputs):
            raise self._error(f"task {task.name} has no {text}, which is in its command", hint)

    def _error(self, message: str, hint: str) -> CompileError:
        return CompileError(f"Container: {message} ({self._where}).", hint=hint)


def in_variable(task: TaskSpec) -> SecretSpec | None:
    """A secret that is to be in an environment variable."""
    return next((secret for secret in task.secrets if secret.env), None)


def _caller() -> str:
    """File and line of the author's."""
    frame = sys._getframe(2)  # noqa: SLF001  # inspect.stack() reads files and is a thousand times slower
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "wingbeat_container":
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
