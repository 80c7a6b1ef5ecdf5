"""Whether the code of a bundle imports what ignore files, settings or links leave out of it: by syntax, along imports."""

from __future__ import annotations

import ast
import logging
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from wingbeat.base.errors import CompileError
from wingbeat.host.bundle import Bundle
from wingbeat.host.ignoring import OWN
from wingbeat.host.project import UNPARSABLE
from wingbeat.host.sources import LINK_OUT

_log = logging.getLogger("wingbeat.bundle")
_MISSING = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
"""Whoever catches one of these can do without."""


class _Import(NamedTuple):
    """Modules that one statement may import, and whether it runs when its own module is imported."""

    names: tuple[str, ...]
    line: int
    at_once: bool


def check_reach(file: str, bundle: Bundle) -> None:
    """Look at what a file imports, and what that does. Where nothing is left out there is nothing to look at.

    What a function imports is warned of, as it may never be called. What is under ``try … except ImportError``, for type checkers
    or for scripts only may be missing.

    Raises:
        CompileError: The file itself is left out, or a module is imported that is: no attempt could begin.
    """
    if not bundle.left_out:
        return
    entry = os.path.relpath(os.path.realpath(file), bundle.root)
    if (why := _left_out(entry, bundle)) is not None:
        raise CompileError(
            f"{entry} is left out of its own code bundle by {why}, so that its tasks could not be imported.",
            hint=_remedy(entry, why),
        )
    taken, seen, pending = set(bundle.files), {entry}, [(entry, True)]
    while pending:
        path, at_once = pending.pop(0)
        for found in _imports(os.path.join(bundle.root, path), _package(path, bundle.import_roots)):
            for imported in _resolved(found.names, bundle):
                if imported in taken and imported not in seen:
                    seen.add(imported)
                    pending.append((imported, at_once and found.at_once))
                elif (why := _left_out(imported, bundle)) is not None:
                    told = f"{path}:{found.line} imports {imported}, which {_leaves_out(imported, why, bundle)}"
                    if at_once and found.at_once:
                        raise CompileError(
                            f"{told}: no task of {entry} could be imported.", hint=_remedy(imported, why)
                        )
                    if imported not in seen:
                        seen.add(imported)
                        _log.warning("%s: a task that runs into it fails. %s", told, _remedy(imported, why))


def _leaves_out(path: str, why: str, bundle: Bundle) -> str:
    if why == LINK_OUT:
        real = os.path.realpath(os.path.join(bundle.root, path))
        return f"is not in the code bundle: {LINK_OUT} leads to it, at {real}"
    return f"{why} leaves out of the code bundle"


def _remedy(path: str, why: str) -> str:
    if why == LINK_OUT:
        return "Copy it into the project, or make it a package that the project depends on."
    if why == "bundle.exclude":
        return "Take it out of exclude."
    return f"Take it back, with a line !{path} in {OWN} of the project's folder (first the folder that it is in), or do without."


def _left_out(path: str, bundle: Bundle) -> str | None:
    """What leaves out a file: it, or a folder above."""
    if path in bundle.files:
        return None
    parts = path.split("/")
    names = [path, *("/".join(parts[:n]) + "/" for n in range(1, len(parts)))]
    return next((bundle.left_out[name] for name in names if name in bundle.left_out), None)


def _package(path: str, import_roots: Sequence[str]) -> list[str]:
    """The package that a file is in, for relative imports."""
    folder = os.path.dirname(path)
    roots = sorted((os.path.normpath(root) for root in import_roots), key=len, reverse=True)
    for root in roots:
        if root == "." or f"{folder}/".startswith(f"{root}/"):
            inside = folder if root == "." else folder[len(root) + 1 :]
            return [part for part in inside.split("/") if part]
    return []


def _resolved(names: Sequence[str], bundle: Bundle) -> Iterator[str]:
    """The files of the project that modules are, with those of the packages around them."""
    for name in names:
        parts = name.split(".")
        for root in bundle.import_roots:
            base = os.path.normpath(root)
            for count in range(1, len(parts) + 1):
                stem = os.path.normpath(os.path.join(base, *parts[:count]))
                for path in (f"{stem}/__init__.py", f"{stem}.py"):
                    if os.path.isfile(os.path.join(bundle.root, path)):
                        yield path
                        break


def _imports(path: str, package: Sequence[str]) -> Iterator[_Import]:
    try:
        with open(path, "rb") as stream:
            tree = ast.parse(stream.read())
    except (OSError, *UNPARSABLE):  # whoever imports it gets the better message
        return
    for node, at_once in _statements(tree.body, at_once=True):
        if isinstance(node, ast.Import):
            yield _Import(tuple(alias.name for alias in node.names), node.lineno, at_once)
        else:
            outer = list(package[: len(package) - node.level + 1]) if node.level else []
            source = ".".join([*outer, *([node.module] if node.module else [])])
            names = [f"{source}.{alias.name}".strip(".") for alias in node.names if alias.name != "*"]
            yield _Import((*([source] if source else []), *names), node.lineno, at_once)


def _statements(body: Sequence[ast.AST], *, at_once: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for node in body:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield node, at_once
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from _statements(list(ast.iter_child_nodes(node)), at_once=False)
            case ast.If(test=test, orelse=orelse) if _never(test):
                yield from _statements(orelse, at_once=at_once)
            case ast.Try(handlers=handlers) if any(_catches(each) for each in handlers):
                yield from _statements([*handlers, *node.orelse, *node.finalbody], at_once=at_once)
            case _:
                yield from _statements(list(ast.iter_child_nodes(node)), at_once=at_once)


def _never(test: ast.expr) -> bool:
    """Whether a condition holds for type checkers or scripts only."""
    names = {getattr(each, "id", getattr(each, "attr", "")) for each in ast.walk(test)}
    return bool(names & {"TYPE_CHECKING", "__name__"})


def _catches(handler: ast.ExceptHandler) -> bool:
    names = set() if handler.type is None else {getattr(each, "id", "") for each in ast.walk(handler.type)}
    return handler.type is None or bool(names & _MISSING)
