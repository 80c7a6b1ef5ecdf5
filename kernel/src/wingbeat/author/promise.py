"""Values that are not known yet: what a call gives while a workflow's body is traced."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from wingbeat.author.source import caller, close_to, users_frame, users_line
from wingbeat.base.errors import CompileError
from wingbeat.base.units import counted

if TYPE_CHECKING:
    from wingbeat.author.compose import Composer
    from wingbeat.author.condition import Condition


def refuse_truth(what: str, asked: object) -> NoReturn:
    """Raise CompileError for an ``if`` on what is not known yet, with what can be written instead."""
    from wingbeat.author.asked import Asked  # only for who has made this mistake
    from wingbeat.author.suggest import instead

    frame = users_frame()
    where = users_line()
    raise CompileError(
        f"'if', 'while', 'and', 'or' or 'not' on {what} needs the value, but it is not known before the workflow runs "
        f"({where}): {where.text}",
        hint=instead(frame, Asked(asked, where)),
    )


def _refuse(what: str, hint: str = "") -> NoReturn:
    where = users_line()
    raise CompileError(
        f"{what} needs the value, but it is not known before the workflow runs ({where}): {where.text}",
        hint=hint or MOVE,
    )


_DYNAMIC = "make the workflow dynamic: 'async def', and 'await' each call of a task, then the value is there."
MOVE = f"Move this into a task, as the workflow's body only says who consumes whose data; or {_DYNAMIC}"
_EACH = f"To call a task for each item, write 'map_task(TASK)(LIST)'; or {_DYNAMIC}"


class Node:
    """A call in a workflow: what orders can be put on. Without outputs it is all that the call gives."""

    def __init__(self, composer: Composer, id: str) -> None:
        self._composer, self._id = composer, id

    def after(self, *others: Node) -> Node:
        """Run only when `others` have succeeded, though no data flows. Returns the node."""
        self._composer.order(self, others, caller())
        return self

    def __bool__(self) -> NoReturn:
        refuse_truth("a promise", self)


class Promised(Node):
    """One output of a node, or a part of it: attributes and items become a path, resolved when it runs."""

    def __init__(self, composer: Composer, id: str, output: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(composer, id)
        self._output, self._path = output, path

    def __getattr__(self, name: str) -> Promised:
        if name.startswith("__"):
            raise AttributeError(name)
        return Promised(self._composer, self._id, self._output, (*self._path, name))

    def __getitem__(self, key: Any) -> Promised:
        if not isinstance(key, str | int) or isinstance(key, bool):
            _refuse("a slice of a promise" if isinstance(key, slice) else f"the index {key!r}")
        return Promised(self._composer, self._id, self._output, (*self._path, key))

    def __iter__(self) -> Iterator[Any]:
        where = users_line()
        if _unpacks(where.text):
            _refuse("unpacking of a promise", f"Take its items by index, as in 'pair[0]', 'pair[1]'; or {_DYNAMIC}")
        _refuse("a loop over a promise", _EACH)

    def __len__(self) -> NoReturn:
        _refuse("len() of a promise")

    def __contains__(self, item: object) -> NoReturn:
        _refuse(
            "'in' a promise",
            f"Let a task look into it and give a bool, and write 'cond(TASK(…), lambda: …, lambda: …)'; or {_DYNAMIC}",
        )

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_"):
            _refuse(f"an assignment to the attribute {name!r} of a promise")
        super().__setattr__(name, value)

    def __hash__(self) -> int:
        if sys._getframe(1).f_code.co_name == "gather":  # which would hide what is said
            raise TypeError("unhashable type: 'Promised'")
        _refuse("a promise in a set, or as a key,", "Put promises into a list, or into a dictionary as values.")

    def __repr__(self) -> str:
        return f"<promise of {self._id or 'input'}.{self._output}{''.join(f'[{p!r}]' for p in self._path)}>"


def _refusing(what: str) -> Callable[..., NoReturn]:
    def method(self: Promised, *args: object) -> NoReturn:
        _refuse(what)

    return method


def _called(self: Promised, *args: object, **options: object) -> NoReturn:
    if self._path and self._path[-1] in ("override", "with_overrides"):  # the second is Flyte's
        where = users_line()
        raise CompileError(
            f"Options stand before the call ({where}): {where.text}",
            hint="They are the task's: write 'TASK.override(…)(INPUTS)'.",
        )
    _refuse("a call of a promise")


def _comparing(op: str) -> Callable[..., Condition]:
    def method(self: Promised, other: object) -> Condition:
        from wingbeat.author.condition import Comparison

        return Comparison(op, self, other, caller())

    return method


def _combining(word: str, *, reflected: bool) -> Callable[..., Condition]:
    def method(self: Promised, other: object) -> Condition:
        from wingbeat.author.condition import combined

        return combined(word, (other, self) if reflected else (self, other), caller())

    return method


def _inverted(self: Promised) -> Condition:
    from wingbeat.author.condition import Combined

    return Combined("not", (self,), caller())


_BINARY = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift xor"
_REFUSED = {
    "arithmetic on a promise": f"{_BINARY} r{_BINARY.replace(' ', ' r')} neg pos abs round trunc floor ceil",
    "int(), float() or an index made of a promise": "int float complex index",
    "a promise in a text": "str format bytes",
    "a path made of a promise": "fspath",
    "an assignment to an item of a promise": "setitem delitem",
    "'with' on a promise": "enter exit aenter aexit",
    "'await' on a promise": "await",
}
for _what, _methods in _REFUSED.items():
    for _method in _methods.split():
        setattr(Promised, f"__{_method}__", _refusing(_what))
for _op in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Promised, f"__{_op}__", _comparing(_op))
for _name, _word in (("and", "all"), ("or", "any")):
    setattr(Promised, f"__{_name}__", _combining(_word, reflected=False))
    setattr(Promised, f"__r{_name}__", _combining(_word, reflected=True))
setattr(Promised, "__call__", _called)  # noqa: B010  # as the others
setattr(Promised, "__invert__", _inverted)  # noqa: B010


class Several(Node):
    """What a call with several outputs gives: they can be unpacked, indexed, or taken by name."""

    def __init__(self, composer: Composer, id: str, outputs: tuple[str, ...]) -> None:
        super().__init__(composer, id)
        self._names = outputs
        self._promises: dict[str, Promised] = {name: Promised(composer, id, name) for name in outputs}

    def __iter__(self) -> Iterator[Promised]:
        return iter(self._promises.values())

    def __len__(self) -> int:
        return len(self._promises)

    def __getitem__(self, index: int) -> Promised:
        try:
            return list(self._promises.values())[index]
        except (IndexError, TypeError):
            where = users_line()
            raise CompileError(
                f"There is no output [{index!r}] ({where}): {where.text}",
                hint=f"The call gives {counted(len(self), 'output')}: {', '.join(self._promises)}.",
            ) from None

    def __getattr__(self, name: str) -> Promised:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._promises[name]
        except KeyError:
            where = users_line()
            raise CompileError(
                f"There is no output {name!r} ({where}): {where.text}",
                hint=f"{close_to(name, self._promises)}The call gives {', '.join(self._promises)}.",
            ) from None


def _unpacks(line: str) -> bool:
    """Whether a line of code gives several names one value."""
    import ast  # only for a message

    try:
        statement = ast.parse(line).body[0]
    except (SyntaxError, IndexError):
        return False
    return isinstance(statement, ast.Assign) and any(isinstance(t, ast.Tuple | ast.List) for t in statement.targets)
