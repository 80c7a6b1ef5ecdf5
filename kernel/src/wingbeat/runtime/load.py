"""From a module's name inside a bundle to the user's function, its type hints and its codecs."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import types
import typing
from collections.abc import Callable
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from typing import Any

from wingbeat.base.errors import ConfigurationError
from wingbeat.runtime.bundle import bundle_import_roots
from wingbeat.runtime.job import Job
from wingbeat.types import codec

importing = ""
"""The user's module that is being imported. A kernel refuses to open meanwhile: the attempt that it runs would import the
module again, and so on without end."""


def import_module(name: str) -> types.ModuleType:
    """Import a user's module."""
    global importing  # noqa: PLW0603  # of the process, as the import is
    before, importing = importing, name
    try:
        return importlib.import_module(name)
    finally:
        importing = before


class BundleLoader(SourceFileLoader):
    """Loads modules of the bundle; their bytecode goes to a cache of its own, so that the bundle keeps its content.

    A prefix for the whole process would compile the standard library and every installed package once more for each
    home.
    """

    cache = ""

    def get_code(self, fullname: str) -> types.CodeType | None:
        """As the base does, with the bytecode elsewhere."""
        before, sys.pycache_prefix = sys.pycache_prefix, self.cache or sys.pycache_prefix
        try:
            return super().get_code(fullname)
        finally:
            sys.pycache_prefix = before


def enter_bundle(bundle: str, cache: str) -> None:
    """Make the modules of `bundle` importable, before all others, here and in Pythons started from here.

    Once in a process.
    """
    if not bundle:
        return
    finder = FileFinder.path_hook((BundleLoader, SOURCE_SUFFIXES))
    BundleLoader.cache = cache

    def hook(path: str) -> Any:
        if path != bundle and not path.startswith(bundle + "/"):
            raise ImportError(f"{path} is not in the bundle", path=path)
        return finder(path)

    sys.path_hooks.insert(0, hook)
    roots = bundle_import_roots(bundle)
    sys.path[:0] = roots
    for root in roots:
        sys.path_importer_cache.pop(root, None)
    rest = os.environ.get("PYTHONPATH")  # for the Pythons that user code starts
    os.environ["PYTHONPATH"] = os.pathsep.join([*roots, rest] if rest else roots)


@functools.cache
def find_function(module: str, function: str) -> Callable[..., Any]:
    """The plain function that a task's entry names; imports its module.

    Raises:
        ConfigurationError: The module has no such function.
    """
    found: Any = import_module(module)
    for part in function.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            where = getattr(found, "__file__", None) or module
            raise ConfigurationError(
                f"The function {function!r} of the task is not in module {module!r} ({where}).",
                hint="A task must be at the top level of its module, under the name that it had when it was compiled.",
            ) from None
    plain = getattr(found, "fn", found)
    if not callable(plain):
        raise ConfigurationError(f"{function!r} in module {module!r} is no function but a {type(plain).__name__}.")
    return typing.cast(Callable[..., Any], plain)


@functools.cache
def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The type hints of a function, `Annotated` kept.

    A hint that cannot be evaluated (its name is imported for type checkers only) stays as it was written.
    """
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError:
        return {name: _one_hint(function, name, hint) for name, hint in function.__annotations__.items()}


def warm(job: Job, inputs: tuple[str, ...] = ()) -> None:
    """Find the function and make its codecs now, so that processes forked later have them."""
    if job.replay is not None:
        import_module("wingbeat.runtime.turn")  # and asyncio: most of what a short turn would take
        import_module("wingbeat.author.closing")
        import_module("wingbeat.compile.check")
    if job.wrappers:
        import_module("wingbeat.runtime.wrapped")
    found = hints(find_function(job.module, job.function))
    for name in (*inputs, "return"):
        if name in found and not isinstance(found[name], str):
            codec(found[name])


def _one_hint(function: Callable[..., Any], name: str, hint: Any) -> Any:
    holder = types.SimpleNamespace(__annotations__={name: hint})
    scope = getattr(function, "__globals__", {})
    try:
        return typing.get_type_hints(holder, globalns=scope, localns=scope, include_extras=True)[name]
    except NameError:
        return hint
