"""Calls that do not fit the parameters of what authors call: told with the user's line, and how it is called."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

from wingbeat.author.source import close_to, users_line
from wingbeat.base.errors import CompileError

F = TypeVar("F", bound=Callable[..., Any])


def usage(how: str) -> Callable[[F], F]:
    """Have wrong calls of a function raise `CompileError` instead of `TypeError`; `how` is a right one."""

    def decorate(fn: F) -> F:
        @functools.wraps(fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return fn(*args, **kwargs)
            except TypeError as error:
                if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                    raise  # it is about something inside
                raise _told(str(error), fn, how) from None

        return call  # type: ignore[return-value]  # called as `fn` is

    return decorate


def _told(text: str, fn: Callable[..., Any], how: str) -> CompileError:
    import inspect  # only for those who made a mistake

    name, _, rest = text.replace(".__init__()", "()").partition("() ")
    near = ""
    if found := re.fullmatch(r"missing \d+ required (?:positional|keyword-only) arguments?: (.+)", rest):
        rest = f"needs {found[1]}"
    elif found := re.fullmatch(r"got an unexpected keyword argument '(\w+)'", rest):
        rest = f"has no argument {found[1]!r}"
        near = close_to(found[1], [n for n in inspect.signature(fn).parameters if n != "self"])
    where = users_line()
    return CompileError(f"{name}() {rest} ({where}): {where.text}", hint=f"{near}Write '{how}'.")
