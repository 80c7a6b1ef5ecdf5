"""The digest of a function's code: the function and the project code that it reaches, and nothing else.

Code is compared as syntax, without positions, comments and docstrings, so that moving or documenting a function changes
nothing. Names are followed at run time, through the function's globals and closure: functions and classes of the project
are taken in recursively, also through what wraps them (`functools`, bound methods), constants by value, modules of the project
by the attributes that are used, and everything of installed packages by name and version only. What the function imports
inside its body is not there yet: such a module of the project counts as a whole, with all that it imports from the project.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.machinery
import linecache
import os
import re
import site
import sys
import sysconfig
from collections.abc import Iterable
from functools import lru_cache
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from wingbeat.author.modules import module_of

_CONSTANTS = (int, float, complex, str, bytes, bytearray, bool, type(None), type(...), range, slice)
_CONSTANT_MODULES = {"datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid", "zoneinfo"}
"""Modules of the standard library whose objects are values that print as what they are."""
_DEPTH_MAX = 50
_DOCUMENTED = {ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef}


def code_digest(fn: Any) -> str:
    """Digest of `fn` and of the project code that it reaches, ``sha256:…``."""
    walk = _Walk()
    walk.function(fn)
    return "sha256:" + walk.hash.hexdigest()


class Own(NamedTuple):
    """A function's own code, and the tasks and workflows that it names (also maps over such, and launch plans)."""

    digest: str
    named: list[Any]


def own_code(fn: Any) -> Own:
    """As `code_digest`, but for the code of tasks and workflows: of these only the names count."""
    walk = _OwnWalk()
    walk.function(fn)
    return Own("sha256:" + walk.hash.hexdigest(), walk.met)


class _Walk:
    """Feeds everything reachable into one hash, each object once, in the order in which it is met."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self._seen: dict[int, object] = {}  # the objects too: an id is only unique while its object lives
        self._files: set[str] = set()
        self._modules: set[tuple[str, frozenset[str]]] = set()
        self._depth = 0

    def put(self, *parts: str) -> None:
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            self.hash.update(len(data).to_bytes(8, "big") + data)

    def function(self, fn: FunctionType) -> None:
        code = fn.__code__
        source = _source(code)
        if source is None:
            self.put("bytecode", code.co_code.hex(), repr([c for c in code.co_consts if isinstance(c, _CONSTANTS)]))
        else:
            self.put("function", source.text)
            self.imports(source, fn.__globals__.get("__package__") or "")
        self.object(fn.__defaults__ or ())
        self.object(fn.__kwdefaults__ or {})
        for name, cell in zip(code.co_freevars, fn.__closure__ or (), strict=True):
            try:
                self.named(name, cell.cell_contents)
            except ValueError:  # a cell that is not filled yet
                self.put("unbound", name)
        for name, attributes in sorted(_globals_used(code).items()):
            if name in fn.__globals__:
                self.used(name, fn.__globals__[name], attributes)

    def used(self, name: str, value: Any, attributes: frozenset[str]) -> None:
        """A global that the function reads; of a project's module only the attributes that the function names."""
        if isinstance(value, ModuleType) and _in_project(value):
            self.put("module", name, value.__name__)
            for attribute in sorted(attributes & vars(value).keys()):
                found = vars(value)[attribute]
                if not isinstance(found, ModuleType):
                    self.named(attribute, found)
                elif (found.__name__, attributes) not in self._modules:  # modules may hold each other
                    self._modules.add((found.__name__, attributes))
                    self.used(attribute, found, attributes)
        else:
            self.named(name, value)

    def imports(self, source: _Source, package: str) -> None:
        """The modules of the project that are imported somewhere in `source`, as whole files."""
        for name in sorted(_imported(source.imports, package)):
            origin = _origin(name)
            if origin is None or origin in self._files:
                continue
            self._files.add(origin)
            module = _module(origin, _stat(origin))
            self.put("file", name, module.text if module else "")
            if module:
                self.imports(module, name if origin.endswith("__init__.py") else name.rpartition(".")[0])

    def named(self, name: str, value: Any) -> None:
        self.put("name", name)
        self.object(value)

    def object(self, value: Any) -> None:
        if isinstance(value, _CONSTANTS) or type(value).__module__.partition(".")[0] in _CONSTANT_MODULES:
            self.put(type(value).__name__, repr(value))
            return
        if id(value) in self._seen or self._depth > _DEPTH_MAX:
            self.put("again", type(value).__qualname__)
            return
        self._seen[id(value)] = value
        self._depth += 1
        try:
            self._compound(value)
        finally:
            self._depth -= 1

    def _compound(self, value: Any) -> None:
        if _decorated(value):
            self.decorated(value)
        elif isinstance(value, list | tuple):
            self.put(type(value).__name__, str(len(value)))
            for item in value:
                self.object(item)
        elif isinstance(value, set | frozenset):
            self.put("set", *sorted(repr(v) for v in value))
        elif isinstance(value, dict):
            self.put("dict", str(len(value)))
            for key, item in value.items():
                self.object(key)
                self.object(item)
        elif isinstance(value, ModuleType):
            self.put("module", value.__name__, _version(value.__name__))
        elif isinstance(value, FunctionType) and _in_project(sys.modules.get(value.__module__)):
            self.function(value)
        elif isinstance(value, type) and _in_project(sys.modules.get(value.__module__)):
            self._class(value)
        elif isinstance(value, re.Pattern):
            self.put("pattern", repr(value.pattern), str(value.flags))
        elif isinstance(value, functools.partial):
            self.put("partial")
            self.object([value.func, value.args, value.keywords])
        elif isinstance(value, MethodType):
            self.put("method")
            self.object([value.__func__, value.__self__])
        elif callable(value) and hasattr(value, "__wrapped__"):
            self._foreign(value)
            self.object(value.__wrapped__)
        else:
            self._foreign(value)

    def decorated(self, value: Any) -> None:
        if value.fn is None:  # a reference to what others have registered, where nothing changes
            self.put("reference", value.name)
        else:
            self._compound(value.fn)

    def _class(self, value: type) -> None:
        self.put("class", value.__qualname__)
        for base in value.__bases__:
            self.object(base)
        for name, member in sorted(vars(value).items()):
            plain = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(plain, FunctionType):
                if _source(plain.__code__) is not None:  # generated methods follow from the annotations
                    self.put(name)
                    self.object(plain)
            elif name == "__annotations__":
                self.put(name, repr({k: str(v) for k, v in plain.items()}))
            elif not name.startswith("__"):
                self.named(name, plain)

    def _foreign(self, value: Any) -> None:
        kind = value if isinstance(value, type | FunctionType) else type(value)
        module = getattr(kind, "__module__", "") or ""
        named = module_of(kind) if module == "__main__" else module  # as where it is imported
        self.put("foreign", named, getattr(kind, "__qualname__", repr(kind)), _version(module))
        if _in_project(sys.modules.get(module)):  # an instance of a class of the project: its state counts
            self.object(type(value))
            self.object({k: v for k, v in getattr(value, "__dict__", {}).items() if not k.startswith("__")})


class _OwnWalk(_Walk):
    """Goes into no task or workflow, and notes them."""

    def __init__(self) -> None:
        super().__init__()
        self.met: list[Any] = []

    def decorated(self, value: Any) -> None:
        self.met.append(value)
        self.put("decorated", type(value).__qualname__, getattr(value, "name", ""))


def _decorated(value: Any) -> bool:
    """Whether it is a task, a workflow, or something else that calls such a function."""
    return type(value).__module__.startswith("wingbeat.author") and hasattr(value, "fn")


def _globals_used(code: CodeType) -> dict[str, frozenset[str]]:
    """Names that the code, and code nested in it, may read as globals, each with the attribute names that occur anywhere."""
    names: set[str] = set()
    stack = [code]
    while stack:
        current = stack.pop()
        names.update(current.co_names)
        stack.extend(c for c in current.co_consts if isinstance(c, CodeType))
    frozen = frozenset(names)
    return dict.fromkeys(names, frozen)


def _stat(file: str) -> tuple[int, int]:
    status = os.stat(file)
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=256)
def _parsed(file: str, stat: tuple[int, int]) -> ast.Module | None:
    linecache.checkcache(file)
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return None


class _Source(NamedTuple):
    """What counts of a piece of syntax, and the imports in it."""

    text: str
    imports: tuple[ast.Import | ast.ImportFrom, ...]


@lru_cache(maxsize=256)
def _functions(file: str, stat: tuple[int, int]) -> dict[tuple[int, str], ast.AST]:
    """Every function of a file, by its first line (of the decorators, as code objects count) and name."""
    found: dict[tuple[int, str], ast.AST] = {}
    stack: list[ast.AST] = [_parsed(file, stat) or ast.Module([], [])]
    while stack:  # statements only: `ast.walk` would look at every name of every expression
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found[first, node.name] = node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            stack += getattr(node, block, ())
    return found


@lru_cache(maxsize=256)
def _lambdas(file: str, stat: tuple[int, int]) -> dict[int, ast.AST]:
    """The lambdas of a file, by their line."""
    walk = ast.walk(_parsed(file, stat) or ast.Module([], []))
    return {node.lineno: node for node in walk if isinstance(node, ast.Lambda)}


def _source(code: CodeType) -> _Source | None:
    """The source of a function, if it is there."""
    try:
        stat = _stat(code.co_filename)
    except OSError:
        return None
    return _function(code.co_filename, stat, code.co_firstlineno, code.co_name)


@lru_cache(maxsize=4096)
def _function(file: str, stat: tuple[int, int], line: int, name: str) -> _Source | None:
    """The source of a function, without its decorators."""
    node = _lambdas(file, stat).get(line) if name == "<lambda>" else _functions(file, stat).get((line, name))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return _read(node.args, *_undocumented(node))
    return None if node is None else _read(node)


@lru_cache(maxsize=256)
def _module(file: str, stat: tuple[int, int]) -> _Source | None:
    """The source of a whole file; None if it is not Python."""
    tree = _parsed(file, stat)
    return None if tree is None else _read(tree)


def _read(*nodes: ast.AST) -> _Source:
    """Trees as text without positions and docstrings."""
    out: list[str] = []
    imports: list[ast.Import | ast.ImportFrom] = []
    for node in nodes:
        _write(node, out, imports)
    return _Source("".join(out), tuple(imports))


def _write(node: ast.AST, out: list[str], imports: list[ast.Import | ast.ImportFrom]) -> None:
    """As `ast.dump` does, but in one pass that also leaves docstrings out and finds the imports."""
    kind = type(node)
    if kind is ast.Import or kind is ast.ImportFrom:
        imports.append(node)  # type: ignore[arg-type]
    out.append(f"{kind.__name__}(")
    for name in node._fields:
        value = getattr(node, name, None)
        if name == "ctx" or (value is None and kind is not ast.Constant):  # the context follows from where it stands
            continue
        if name == "body" and kind in _DOCUMENTED:
            value = _undocumented(node)
        if isinstance(value, list):
            out.append(f"{name}=[")
            for item in value:
                if isinstance(item, ast.AST):
                    _write(item, out, imports)
                else:
                    out.append(repr(item))
                out.append(",")
            out.append("]")
        elif isinstance(value, ast.AST):
            out.append(f"{name}=")
            _write(value, out, imports)
        else:
            out.append(f"{name}={value!r},")
    out.append(")")


def _undocumented(node: Any) -> list[ast.stmt]:
    """The body of a definition or module without its docstring."""
    body: list[ast.stmt] = node.body
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return body[1:] or [ast.Pass()]
    return body


def _imported(imports: Iterable[ast.Import | ast.ImportFrom], package: str) -> set[str]:
    """Names of the modules that are imported, and of what is imported from them, which may be modules too."""
    names: set[str] = set()
    for node in imports:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
            continue
        parts = package.split(".") if package else []
        base = (
            ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
            if node.level
            else node.module or ""
        )
        names.add(base)
        names.update(f"{base}.{alias.name}" for alias in node.names)
    return names - {""}


@lru_cache(maxsize=1024)
def _origin(name: str) -> str | None:
    """The source file of a module of the project, without importing it; None for everything else."""
    path: list[str] | None = None
    spec = None
    parts = name.split(".")
    for i in range(len(parts)):
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[: i + 1]), path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or [])
    origin = os.path.realpath(spec.origin) if spec and spec.origin else ""
    if not origin.endswith(".py") or origin.startswith(_installed_roots()) or name.startswith("wingbeat"):
        return None
    return origin


@lru_cache(maxsize=1)
def _installed_roots() -> tuple[str, ...]:
    paths = [*sysconfig.get_paths().values(), *site.getsitepackages(), site.getusersitepackages()]
    paths.append(os.path.dirname(importlib.machinery.__file__ or ""))
    return tuple({os.path.realpath(p) + os.sep for p in paths if p and os.path.basename(p) != "bin"})


def _in_project(module: ModuleType | None) -> bool:
    """Whether a module is the user's: has a source file that is not in the standard library or site-packages, nor ours."""
    if module is None or module.__name__.startswith("wingbeat"):
        return False
    file = getattr(module, "__file__", None)
    return bool(file) and not os.path.realpath(str(file)).startswith(_installed_roots())


@lru_cache(maxsize=1024)
def _version(module: str) -> str:
    """Version of the distribution that a module of an installed package belongs to, as far as its package says so."""
    top = sys.modules.get(module.partition(".")[0])
    version = getattr(top, "__version__", "") if top else ""
    return version if isinstance(version, str) else ""
