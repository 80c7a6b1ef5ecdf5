"""What an author could write instead of an ``if`` on a promise: the same condition, as `cond` takes it.

Read from the source of the line, with the types of the promises that it names. Used only when an error is made.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterator
from itertools import islice
from types import FrameType
from typing import Any

from wingbeat.types import Hashed, LiteralType, LiteralValues, Simple, UnionType

DYNAMIC = "make the workflow dynamic: 'async def', and 'await' each call of a task, then"
_COMPARED = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
_SIGN = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_UNKNOWN = object()
_LONG = 1_000_000


class Known:
    """What is known of the values in a line: of an option's function nothing.

    Attributes:
        asked: The type of the promise that was asked for its truth; None if a comparison was.
    """

    asked: LiteralType | None = None

    def type_of(self, value: object) -> LiteralType | None:
        """The type of a promise, or of what a call of that gives; None for what is neither, or cannot be told."""
        return None

    def fits(self, op: str, one: object, other: object) -> bool:
        """Whether two values, or those of two types, can be compared."""
        return True

    def is_condition(self, value: object) -> bool:
        """Whether it is a condition already."""
        return True


class Unsaid(Exception):
    """No comparison says it. `text` is of what."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def instead(frame: FrameType, known: Known) -> str:
    """What to write instead of what asks for a truth in the line at which `frame` is."""
    source = _Source(frame)
    found = source.context()
    if found is None:
        return f"Let a task do what needs the value; or {DYNAMIC} the value is there."
    kind, node = found
    writer = _Writer(source, known)
    try:
        return _HINTS[kind](writer, node)
    except Unsaid as error:
        what = error.text if error.text.isidentifier() else "…"
        return (
            f"Let a task look at it and give a bool, and write 'cond(TASK({what}), lambda: …, lambda: …)'; or {DYNAMIC} 'if' "
            "has the value."
        )


def chosen(frame: FrameType) -> str:
    """What to write instead of an ``if`` in a function of an option; empty if that is not a comparison."""
    source = _Source(frame)
    found = source.context()
    writer = _Writer(source, Known())
    try:
        if found is not None and isinstance(found[1], ast.IfExp):
            return f"where({writer.condition(found[1].test)}, {source.text(found[1].body)}, {source.text(found[1].orelse)})"
        if found is not None and isinstance(found[1], ast.If):
            return f"where({writer.condition(found[1].test)}, …, …)"
    except Unsaid:
        pass
    return ""


class _Source:
    """The source around the line at which a frame is."""

    def __init__(self, frame: FrameType) -> None:
        self._frame = frame
        self._lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
        position = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), (None,) * 4)
        line, end, column, end_column = (frame.f_lineno if n is None else n for n in position)
        exact = None not in position
        self._begin, self._end = (line, column if exact else 0), (end, end_column if exact else _LONG)

    def text(self, node: ast.AST) -> str:
        """As the author wrote it, on one line."""
        found = ast.get_source_segment("".join(self._lines), node) or ast.unparse(node)
        return " ".join(found.split()) if "\n" in found else found

    def context(self) -> tuple[str, ast.AST] | None:
        """The outermost expression or statement here that asks for a truth, and what kind it is."""
        try:
            tree = ast.parse("".join(self._lines))
        except (SyntaxError, ValueError):
            return None
        in_branches = set(_conditions_of_branches(tree))
        for node in ast.walk(tree):  # from the outside in
            match node:
                case ast.If(test=test) if self._here(test):
                    return "if", node
                case ast.While(test=test) if self._here(test):
                    return "while", node
                case ast.Assert(test=test) if self._here(test):
                    return "assert", node
                case ast.comprehension(ifs=ifs) if any(self._here(each) for each in ifs):
                    return "filter", node
                case ast.match_case(pattern=pattern) if self._here(pattern):
                    return "match", _MatchOf(tree, node)
                case ast.IfExp() if self._here(node):
                    return "choice", node
                case ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.Compare() if self._here(node):
                    if isinstance(node, ast.Compare) and len(node.ops) == 1 and not _is_membership(node):
                        continue
                    return "condition" if node in in_branches else "value", node
        return None

    def value(self, node: ast.expr) -> object:
        """What a name, an attribute or an item of it is; `_UNKNOWN` for what would have to be run."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                scopes = (self._frame.f_locals, self._frame.f_globals, self._frame.f_builtins)
                return next((scope[name] for scope in scopes if name in scope), _UNKNOWN)
            case ast.Attribute(value=inner) | ast.Subscript(value=inner, slice=ast.Constant()):
                held: Any = self.value(inner)
                try:
                    return getattr(held, node.attr) if isinstance(node, ast.Attribute) else held[_constant(node.slice)]
                except Exception:  # noqa: BLE001  # it is only looked at, for a message
                    return _UNKNOWN
            case _:
                return _UNKNOWN

    def _here(self, node: ast.AST) -> bool:
        place: Any = node
        begin, end = (place.lineno, place.col_offset), (place.end_lineno, place.end_col_offset)
        return begin < self._end and self._begin < end


class _MatchOf(ast.AST):
    """A case of a ``match``, with what is matched."""

    def __init__(self, tree: ast.AST, case: ast.match_case) -> None:
        super().__init__()
        self.case = case
        self.subject = next(n.subject for n in ast.walk(tree) if isinstance(n, ast.Match) and case in n.cases)


class _Writer:
    """Writes conditions as `cond` takes them. Raises `Unsaid`."""

    def __init__(self, source: _Source, known: Known) -> None:
        self.source, self._known = source, known

    def condition(self, node: ast.expr, *, holds: bool = True) -> str:
        """What is true when `node` has that truth."""
        match node:
            case ast.BoolOp(op=op, values=values):
                sign = " & " if isinstance(op, ast.And) is holds else " | "
                return sign.join(_part(self.condition(value, holds=holds)) for value in values)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.condition(operand, holds=not holds)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                lefts = [left, *comparators]
                made = [self._comparison(a, op, b) for a, op, b in zip(lefts, ops, comparators, strict=False)]
                text = " & ".join(map(_part, made)) if len(made) > 1 else made[0]
                return text if holds else f"~({text})"
            case _:
                return self._leaf(node, holds=holds)

    def type_of(self, node: ast.expr) -> LiteralType | None:
        """The type of the promise that `node` gives."""
        value = self.source.value(node)
        if value is _UNKNOWN:
            called = self._known.type_of(self.source.value(node.func)) if isinstance(node, ast.Call) else None
            return called or self._known.asked
        return self._known.type_of(value)

    def _leaf(self, node: ast.expr, *, holds: bool) -> str:
        text, value, type_ = self.source.text(node), self.source.value(node), self.type_of(node)
        if type_ is not None:
            return truth(text, type_, holds=holds)
        if value is _UNKNOWN or self._known.is_condition(value):
            return text if holds else f"~{_part(text)}"
        if not holds:
            return f"not {_part(text)}"
        return text if isinstance(value, bool) else f"bool({text})"

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
        one, other = self.source.text(left), self.source.text(right)
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.List | ast.Tuple | ast.Set) or not right.elts:
                raise Unsaid(one)
            sign, join = ("==", " | ") if isinstance(op, ast.In) else ("!=", " & ")
            parts = [f"{one} {sign} {self.source.text(each)}" for each in right.elts]
            return join.join(map(_part, parts)) if len(parts) > 1 else parts[0]
        if isinstance(op, ast.Is | ast.IsNot):
            return f"{one} {'==' if isinstance(op, ast.Is) else '!='} {other}"
        sides = [self._side(left), self._side(right)]
        if not any(side is _UNKNOWN for side in sides) and not self._known.fits(_COMPARED[type(op)], *sides):
            raise Unsaid(one)
        return f"{one} {_SIGN[type(op)]} {other}"

    def _side(self, node: ast.expr) -> object:
        type_ = self.type_of(node) if not isinstance(node, ast.Constant) else None
        return type_ if type_ is not None else self.source.value(node)


def truth(text: str, type_: LiteralType, *, holds: bool = True) -> str:
    """The condition that `text`, of that type, is true as Python sees it, or is not. Raises `Unsaid`."""
    match type_:
        case Hashed(item=item):
            return truth(text, item, holds=holds)
        case Simple(name="bool"):
            return text if holds else f"~{_part(text)}"
        case Simple(name="int" | "float"):
            empty = "0"
        case Simple(name="str"):
            empty = '""'
        case Simple(name="bytes"):
            empty = 'b""'
        case LiteralValues(values=values) if all(type(value) is int for value in values):
            empty = "0"
        case LiteralValues(values=values) if all(type(value) is str for value in values):
            empty = '""'
        case UnionType(variants=(Simple(name="bool"), Simple(name="none"))):
            return f"{text} == True" if holds else f"{text} != True"
        case UnionType(variants=(Simple(name="int" | "float" | "str" | "bytes") as one, Simple(name="none"))):
            inner = truth(text, one, holds=holds)
            return f"({text} != None) & ({inner})" if holds else f"({text} == None) | ({inner})"
        case UnionType(variants=(Simple(name="date" | "datetime"), Simple(name="none"))):
            return f"{text} != None" if holds else f"{text} == None"
        case _:
            raise Unsaid(text)
    return f"{text} {'!=' if holds else '=='} {empty}"


def _if(writer: _Writer, node: Any) -> str:
    return (
        f"Write 'cond({writer.condition(node.test)}, lambda: …, lambda: …)', whose arms hold the calls; or {DYNAMIC} 'if' has "
        "the value."
    )


def _choice(writer: _Writer, node: Any) -> str:
    def written(node: ast.expr) -> str:
        if not isinstance(node, ast.IfExp):
            return writer.source.text(node)
        return f"cond({writer.condition(node.test)}, lambda: {written(node.body)}, lambda: {written(node.orelse)})"

    return f"Write '{written(node)}'; or {DYNAMIC} 'if' has the value."


def _condition(writer: _Writer, node: Any) -> str:
    return f"Write '{writer.condition(node)}' there: '&', '|' and '~' join conditions, and each comparison is in parentheses."


def _value(writer: _Writer, node: Any) -> str:
    """``a or b`` is one of both; all others are a bool."""
    if not isinstance(node, ast.BoolOp):
        return f"Write 'cond({writer.condition(node)}, lambda: True, lambda: False)'; or {DYNAMIC} the value is there."
    if all(writer.type_of(each) == Simple("bool") for each in node.values):
        return f"Write 'cond({writer.condition(node)}, lambda: True, lambda: False)'; or {DYNAMIC} the value is there."
    first, *others = node.values
    type_ = writer.type_of(first)
    if (
        len(others) != 1
        or not isinstance(first, ast.Name | ast.Attribute | ast.Subscript)
        or isinstance(type_, UnionType)
    ):
        raise Unsaid(writer.source.text(first))
    arms = [f"lambda: {writer.source.text(each)}" for each in (first, *others)]
    if isinstance(node.op, ast.And):
        arms.reverse()
    return f"Write 'cond({writer.condition(first)}, {', '.join(arms)})'; or {DYNAMIC} the value is there."


def _loop(writer: _Writer, node: Any) -> str:
    return f"How often a loop runs is known beforehand in a static workflow; else {DYNAMIC} 'while' has the value."


def _assert(writer: _Writer, node: Any) -> str:
    return f"Let the task that takes the value look at it, and raise; or {DYNAMIC} 'assert' has the value."


def _filter(writer: _Writer, node: Any) -> str:
    return f"Let a task choose, and 'map_task' call for each that it gives; or {DYNAMIC} 'if' has the value."


def _match(writer: _Writer, node: Any) -> str:
    if not isinstance(node.case.pattern, ast.MatchValue):
        raise Unsaid(writer.source.text(node.subject))
    condition = f"{writer.source.text(node.subject)} == {writer.source.text(node.case.pattern)}"
    return f"Write 'case([({condition}, lambda: …)], default=lambda: …)', with a pair for each; or {DYNAMIC} 'match' has the value."


_HINTS: dict[str, Callable[[_Writer, Any], str]] = {
    "if": _if, "choice": _choice, "condition": _condition, "value": _value, "while": _loop, "assert": _assert,
    "filter": _filter, "match": _match,
}  # fmt: skip


def _conditions_of_branches(tree: ast.AST) -> Iterator[ast.expr]:
    """What is given to `cond` and `case` as conditions."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="cond") | ast.Attribute(attr="cond"), args=[condition, *_]):
                yield condition
            case ast.Call(func=ast.Name(id="case") | ast.Attribute(attr="case"), args=[ast.List(elts=pairs), *_]):
                yield from (pair.elts[0] for pair in pairs if isinstance(pair, ast.Tuple) and pair.elts)


def _constant(node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def _is_membership(node: ast.Compare) -> bool:
    return isinstance(node.ops[0], ast.In | ast.NotIn)


def _part(text: str) -> str:
    """In parentheses, where it is more than a name or a call."""
    node = ast.parse(text, mode="eval").body
    return text if isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Subscript) else f"({text})"
