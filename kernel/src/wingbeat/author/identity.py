"""Questions about promises that Python answers itself, and wrongly, as it sees an object: ``x is None``, ``isinstance(x, int)``.

Nothing sees them when they are asked, so they are looked for in the source of a function whose instructions may ask one.
"""

from __future__ import annotations

import ast
import builtins
import linecache
import opcode
from collections.abc import Callable, Collection, Iterator
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from wingbeat.author.compose import Callee
from wingbeat.author.mapping import Mapped
from wingbeat.author.source import Location

_OPS = {op for name, op in opcode.opmap.items() if name == "IS_OP" or name.endswith(("_IF_NONE", "_IF_NOT_NONE"))}
_ASKING = frozenset({"isinstance", "hasattr", "type"})
_GIVING = frozenset({"approve", "case", "cond", "map_task", "sleep", "wait_for_input"})
"""Functions of ours whose calls give promises, or what gives them when it is called."""
_Function = ast.FunctionDef | ast.Lambda


class Asked(NamedTuple):
    """A question, as the author wrote it."""

    text: str
    where: Location


def asked(fn: Callable[..., Any], promises: Collection[str]) -> Asked | None:
    """The first question that `fn`, or a lambda in it, asks about a promise: about one of its parameters that are `promises`, or
    about what a call gives, or a part of these. None if it asks none, or there is no source."""
    code = getattr(fn, "__code__", None)
    if code is None or not _may_ask(code):
        return None
    text = "".join(linecache.getlines(code.co_filename, getattr(fn, "__globals__", None)))
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    for node in _functions(tree, code):
        found = _Body(fn, node, promises).first()
        if found is not None:
            said = ast.get_source_segment(text, found) or ast.unparse(found)
            return Asked(" ".join(said.split()), Location(code.co_filename, found.lineno))
    return None


def _may_ask(code: CodeType) -> bool:
    if not _OPS.isdisjoint(code.co_code[::2]) or not _ASKING.isdisjoint(code.co_names):
        return True
    return any(_may_ask(each) for each in code.co_consts if isinstance(each, CodeType))


def _functions(tree: ast.AST, code: CodeType) -> Iterator[_Function]:
    """The functions in the source that the code may be of."""
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            same = code.co_name == "<lambda>" and node.lineno == code.co_firstlineno
        elif isinstance(node, ast.FunctionDef):
            begin = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            same = code.co_name == node.name and begin <= code.co_firstlineno <= node.lineno
        else:
            continue
        if same and (*(a.arg for a in node.args.posonlyargs + node.args.args + node.args.kwonlyargs),) == arguments:
            yield node


class _Body:
    """The body of a function whose parameters are promises."""

    def __init__(self, fn: Any, node: _Function, promises: Collection[str]) -> None:
        self._globals, self._locals = fn.__globals__, {*fn.__code__.co_varnames, *fn.__code__.co_cellvars}
        self._cells = dict(zip(fn.__code__.co_freevars, (cell for cell in fn.__closure__ or ()), strict=False))
        self._body: list[ast.AST] = [*node.body] if isinstance(node, ast.FunctionDef) else [node.body]
        self._names = set(promises)
        self._follow()

    def first(self) -> ast.expr | None:
        """The first question that is asked in it."""
        found = [node for statement in self._body for node in self._walk(statement, frozenset()) if self._asks(*node)]
        return min((node for node, _ in found), key=lambda node: (node.lineno, node.col_offset), default=None)

    def _follow(self) -> None:
        """Names that are given promises are promises, unless they are given anything else, too."""
        given: dict[str, list[ast.expr | None]] = {}
        for statement in self._body:
            for node in ast.walk(statement):
                match node:
                    case ast.Assign(targets=targets, value=value):
                        values: list[tuple[ast.expr, ast.expr | None]] = [(target, value) for target in targets]
                    case ast.AnnAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                        values = [(target, value)]
                    case ast.AugAssign(target=target) | ast.For(target=target) | ast.comprehension(target=target):
                        values = [(target, None)]
                    case _:
                        continue
                for target, value in values:
                    for each in ast.walk(target):
                        if isinstance(each, ast.Name):
                            given.setdefault(each.id, []).append(value)
        before: set[str] | None = None
        while before != self._names:
            before = set(self._names)
            for name, assigned in given.items():
                if all(value is not None and self._is_promise(value, frozenset()) for value in assigned):
                    self._names.add(name)
        self._names -= {
            name
            for name, assigned in given.items()
            if not all(value is not None and self._is_promise(value, frozenset()) for value in assigned)
        }

    def _walk(self, node: ast.AST, hidden: frozenset[str]) -> Iterator[tuple[ast.expr, frozenset[str]]]:
        """Expressions, with the names that stand for something else where they are."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return  # which is called by somebody
        if isinstance(node, ast.Lambda):
            hidden |= {a.arg for a in node.args.posonlyargs + node.args.args + node.args.kwonlyargs}
        if isinstance(node, ast.expr):
            yield node, hidden
        for child in ast.iter_child_nodes(node):
            yield from self._walk(child, hidden)

    def _asks(self, node: ast.expr, hidden: frozenset[str]) -> bool:
        match node:
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [left, *others]
                pairs = zip(ops, sides, sides[1:], strict=False)
                return any(
                    isinstance(op, ast.Is | ast.IsNot) and any(self._is_promise(side, hidden) for side in both)
                    for op, *both in pairs
                )
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _ASKING:
                return self._object(name) is getattr(builtins, name) and self._is_promise(first, hidden)
            case _:
                return False

    def _is_promise(self, node: ast.expr, hidden: frozenset[str]) -> bool:
        match node:
            case ast.Name(id=name):
                return name in self._names and name not in hidden
            case ast.Attribute(value=value) | ast.Subscript(value=value):
                return self._is_promise(value, hidden)
            case ast.Call(func=func):
                return self._gives(func)
            case _:
                return False

    def _gives(self, func: ast.expr) -> bool:
        """Whether what this expression stands for gives a promise when it is called."""
        match func:
            case ast.Call(func=ast.Attribute(value=value, attr="override")):
                return self._gives(value)
            case ast.Call(func=called):
                return self._ours(called, "map_task")
            case ast.Name() | ast.Attribute():
                found = self._value(func)
                return isinstance(found, Callee | Mapped) or any(
                    self._ours(func, name) for name in _GIVING - {"map_task"}
                )
            case _:
                return False

    def _ours(self, node: ast.expr, name: str) -> bool:
        found = self._value(node)
        return getattr(found, "__name__", "") == name and str(getattr(found, "__module__", "")).startswith("wingbeat.")

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Name(id=name):
                return self._object(name)
            case ast.Attribute(value=value, attr=attr):
                found = self._value(value)
                return getattr(found, attr, None) if isinstance(found, ModuleType) else None
            case _:
                return None

    def _object(self, name: str) -> Any:
        if name in self._locals:
            return None
        if name in self._cells:
            try:
                return self._cells[name].cell_contents
            except ValueError:  # it is given later
                return None
        return self._globals.get(name, getattr(builtins, name, None))
