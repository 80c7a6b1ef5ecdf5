"""A seam's contract as a class that is to be filled in: its calls, each of which says what it has to do.

It is made from the `Protocol` itself, so it is never behind the contract that is installed.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Protocol

WIDTH = 120
PUBLIC = ("wingbeat.types", "wingbeat.spec", "wingbeat.base")
"""What plugins import from the package is found in a module of it: `Blob` is that of `wingbeat.types`."""


def skeleton(module: str, protocol: str, name: str, scheme: str, made_with: Mapping[str, str]) -> str:
    """The source of a class `name` with everything that a protocol has, for a module of its own, without imports; `made_with` are
    the arguments of its constructor, and their types."""
    parts = [f'class {name}:\n    """See `{module}.{protocol}`, which says of each call what it has to do."""']
    items = [(item, source) for source, cls in _sources(module, protocol) for item in cls.body]
    for item, _ in items:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            parts.append(f'    {item.target.id}: {ast.unparse(item.annotation)} = "{scheme}"')
    arguments = ", ".join(f"{argument}: {hint}" for argument, hint in made_with.items())
    places, values = ", ".join(f"self.{argument}" for argument in made_with), ", ".join(made_with)
    parts.append(f"    def __init__(self, {arguments}) -> None:\n        {places} = {values}")
    calls = {
        item.name: _call(item, source)
        for item, source in items
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return "\n\n".join([*parts, *calls.values()]) + "\n"


def _sources(module: str, protocol: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """The protocol, and those that it extends, which come first."""
    for cls in reversed(getattr(import_module(module), protocol).__mro__):
        if getattr(cls, "_is_protocol", False) and cls is not Protocol:
            source = inspect.getsource(cls)
            (parsed,) = ast.parse(source).body
            assert isinstance(parsed, ast.ClassDef)
            yield source, parsed


def imports(module: str, protocol: str) -> dict[str, set[str]]:
    """By module, the names that the signatures of a protocol need."""
    source = import_module(module)
    hints = [hint for _, tree in _sources(module, protocol) for hint in _hints(tree)]
    used = {node.id for hint in hints for node in ast.walk(hint) if isinstance(node, ast.Name)}
    found: dict[str, set[str]] = {}
    for name in sorted(used & set(vars(source))):
        found.setdefault(_home_of(name, source.__name__, vars(source)[name]), set()).add(name)
    return found


def _hints(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            yield node.returns


def _home_of(name: str, module: str, value: object) -> str:
    made_in: str = getattr(value, "__module__", module)
    if not hasattr(import_module(made_in), name):  # of an alias it is that of the class of aliases
        made_in = _imported_from(name, module)
    if made_in == module or not made_in.startswith("wingbeat."):
        return made_in
    return next((door for door in PUBLIC if name in getattr(import_module(door), "__all__", ())), made_in)


def _imported_from(name: str, module: str) -> str:
    """Where a module has a name from; itself, if it has not imported it."""
    for node in ast.parse(inspect.getsource(import_module(module))).body:
        if isinstance(node, ast.ImportFrom) and node.module and any(alias.name == name for alias in node.names):
            return node.module
    return module


def _call(item: ast.FunctionDef | ast.AsyncFunctionDef, source: str) -> str:
    said = " ".join((ast.get_docstring(item) or "").partition("\n\n")[0].split())
    head = f"{'async ' if isinstance(item, ast.AsyncFunctionDef) else ''}def {item.name}"
    returns = ast.unparse(item.returns) if item.returns else "None"
    arguments = ", ".join(_arguments(item.args, source))
    lines = [f"    {head}({arguments}) -> {returns}:"]
    if len(lines[0]) > WIDTH:
        within = [f"        {arguments}"]
        if len(within[0]) > WIDTH:
            within = [f"        {argument}," for argument in _arguments(item.args, source)]
        lines = [f"    {head}(", *within, f"    ) -> {returns}:"]
    if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in item.decorator_list):
        return "\n".join(["    @property", *lines, f'        """{said}"""', f"        return {returns}()"])
    short = f"        raise NotImplementedError({_quoted(said)})"
    if len(short) <= WIDTH:
        return "\n".join([*lines, short])
    return "\n".join([*lines, "        raise NotImplementedError(", *_text(said), "        )"])


def _arguments(arguments: ast.arguments, source: str) -> Iterator[str]:
    """Each as it stands in the contract."""
    first = len(arguments.args) - len(arguments.defaults)
    for number, argument in enumerate(arguments.args):
        yield _argument(argument, arguments.defaults[number - first] if number >= first else None, source)
    if arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(argument, default, source)


def _argument(argument: ast.arg, default: ast.expr | None, source: str) -> str:
    name = ast.unparse(argument)
    return name if default is None else f"{name} = {ast.get_source_segment(source, default)}"


def _text(said: str) -> Iterator[str]:
    if len(said) <= WIDTH - 14:
        yield f"            {_quoted(said)}"
        return
    line = ""
    for word in said.split(" "):
        if line and len(line) + len(word) > WIDTH - 16:
            yield f"            {_quoted(line + ' ')}"
            line = ""
        line = f"{line} {word}" if line else word
    yield f"            {_quoted(line)}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
