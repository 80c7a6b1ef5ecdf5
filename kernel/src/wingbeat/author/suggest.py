"""What an author could write instead of an ``if`` on a promise: the same condition, as `cond` takes it."""

from __future__ import annotations

import ast


def condition_in(line: str) -> str:
    """The condition that stands in a line of code, with ``& | ~`` for ``and or not``; empty if none is found."""
    tree = _parsed(line.strip())
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
            return _written(node.test)
        if isinstance(node, ast.BoolOp) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
            return _written(node)
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            return _written(node)
    return ""


def _parsed(line: str) -> ast.AST | None:
    line = line.removeprefix("el") if line.startswith("elif ") else line
    for text in (line, f"{line} pass", f"({line}"):
        try:
            return ast.parse(text)
        except SyntaxError:
            continue
    return None


def _written(node: ast.expr) -> str:
    match node:
        case ast.BoolOp(op=op, values=values):
            return (" & " if isinstance(op, ast.And) else " | ").join(_part(value) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"~{_part(operand)}"
        case ast.Compare(left=left, ops=ops, comparators=comparators) if len(ops) > 1:
            lefts = [left, *comparators]
            pairs = [ast.Compare(a, [op], [b]) for a, op, b in zip(lefts, ops, comparators, strict=False)]
            return " & ".join(_part(pair) for pair in pairs)
        case _:
            return ast.unparse(node)


def _part(node: ast.expr) -> str:
    text = _written(node)
    return text if isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Subscript) else f"({text})"
