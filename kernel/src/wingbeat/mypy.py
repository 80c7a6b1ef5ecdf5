"""The plugin for mypy: what a call of a task gives, from where it stands.

Users write ``plugins = ["wingbeat.mypy"]`` under ``[tool.mypy]``. Only mypy imports this module. To others, and to mypy
without it, a call gives `Any`: no type of Python is both a value and what can be awaited for it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, NamedTuple

from mypy.nodes import (
    ArgKind,
    CallExpr,
    Decorator,
    FuncItem,
    LambdaExpr,
    RefExpr,
)
from mypy.plugin import FunctionContext, MethodContext, Plugin
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    NoneType,
    Overloaded,
    Parameters,
    Type,
    TypeOfAny,
    UnionType,
    get_proper_type,
)

_AUTHOR = "wingbeat.author"
_CALLED = {
    f"{_AUTHOR}.{name}.__call__"
    for name in (
        "task.Task",
        "dynamicflow.Dynamic",
        "override.Overridden",
        "workflow.Workflow",
        "launchplan.LaunchPlan",
        "mapping.Mapped",
    )
}
_DYNAMIC = f"{_AUTHOR}.dynamicflow.Dynamic"
_MAPPABLE = {name.removesuffix(".__call__") for name in _CALLED} - {f"{_AUTHOR}.mapping.Mapped"}
_WORKFLOW = f"{_AUTHOR}.workflow.workflow"
_AWAITABLE = {
    "typing.Coroutine",
    "typing.Awaitable",
    "_asyncio.Future",
    "asyncio.futures.Future",
    "_asyncio.Task",
    "asyncio.tasks.Task",
}


class WingbeatPlugin(Plugin):
    """Knows what calls of tasks, workflows, launch plans, maps and gates give."""

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """For calls of what `@task` and others made."""
        return _called if fullname in _CALLED else None

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """For gates, and for `map_task`, which makes what is called."""
        return _FUNCTIONS.get(fullname)


def plugin(version: str) -> type[Plugin]:
    """What mypy asks for."""
    return WingbeatPlugin


class _Place(Enum):
    """Where a call stands."""

    BODY = auto()  # in an `async def`: it is awaited
    TRACED = auto()  # in a static workflow: it gives what stands for the value
    FUNCTION = auto()  # in another function, which may be called from anywhere
    MODULE = auto()  # outside of functions: plain Python


class _Result(NamedTuple):
    """What something gives in the end, and whether called as plain Python it gives a coroutine of that."""

    value: Type
    awaited: bool


def _called(ctx: MethodContext) -> Type:
    found = _result(get_proper_type(ctx.type))
    return ctx.default_return_type if found is None else _given(found, ctx)


def _result(callee: Type) -> _Result | None:
    """Of what is called, by its last type argument."""
    if not isinstance(callee, Instance) or not callee.args:
        return None
    if callee.type.fullname == _DYNAMIC:
        return _Result(callee.args[-1], awaited=True)
    returned = get_proper_type(callee.args[-1])
    if isinstance(returned, Instance) and returned.type.fullname == "typing.Coroutine":
        return _Result(returned.args[-1], awaited=True)
    return _Result(callee.args[-1], awaited=False)


def _given(result: _Result, ctx: FunctionContext | MethodContext) -> Type:
    """What a call gives where it stands."""
    place = _place(ctx.api)
    if place is _Place.BODY or (result.awaited and place is _Place.MODULE):
        anything = AnyType(TypeOfAny.special_form)
        return ctx.api.named_generic_type("typing.Coroutine", [anything, anything, result.value])
    if place is not _Place.MODULE and isinstance(get_proper_type(result.value), NoneType):
        return AnyType(TypeOfAny.special_form)  # a node, which can be put after others
    if place is _Place.FUNCTION and result.awaited:
        return AnyType(TypeOfAny.special_form)  # the value if a static workflow calls the function, else a coroutine
    return result.value


def _place(api: Any) -> _Place:
    """Where the checker is; a lambda stands where it is written."""
    functions = [f for f in api.scope.stack if isinstance(f, FuncItem) and not isinstance(f, LambdaExpr)]
    if not functions:
        return _Place.MODULE
    if functions[-1].is_coroutine or _gives_awaitable(functions[-1]):
        return _Place.BODY
    return _Place.TRACED if _is_workflow(functions[-1], api) else _Place.FUNCTION


def _gives_awaitable(function: FuncItem) -> bool:
    declared = get_proper_type(function.type)
    returned = get_proper_type(declared.ret_type) if isinstance(declared, CallableType) else None
    return isinstance(returned, Instance) and returned.type.fullname in _AWAITABLE


def _is_workflow(function: FuncItem, api: Any) -> bool:
    """Whether it is a static workflow of this module."""
    known = api.tree.names.get(function.name)
    if known is None or not isinstance(known.node, Decorator) or known.node.func is not function:
        return False
    made = (each.callee if isinstance(each, CallExpr) else each for each in known.node.original_decorators)
    return any(isinstance(each, RefExpr) and each.fullname == _WORKFLOW for each in made)


def _lets_through(ctx: FunctionContext) -> Type:
    """What `approve` and `sleep` give: their value."""
    given = ctx.arg_types[1]
    value: Type = get_proper_type(given[0]) if given else NoneType()
    if isinstance(value, Instance) and value.last_known_value is not None:
        value = value.copy_modified(last_known_value=None)
    return _given(_Result(value, awaited=False), ctx)


def _is_told(ctx: FunctionContext) -> Type:
    """What `wait_for_input` gives: a value of the type that it is given."""
    given = ctx.arg_types[1]
    made = get_proper_type(given[0]) if given else None
    if isinstance(made, Overloaded):
        made = made.items[0]
    value = made.ret_type if isinstance(made, CallableType) and made.is_type_obj() else AnyType(TypeOfAny.special_form)
    return _given(_Result(value, awaited=False), ctx)


def _maps(ctx: FunctionContext) -> Type:
    """What `map_task` gives: its arguments are lists of what the callee takes, its result a list of what that gives."""
    default = get_proper_type(ctx.default_return_type)
    if not ctx.args[0] or not isinstance(default, Instance):
        return default
    callee, bound = _unbound(ctx)
    result = _result(callee)
    if result is None or not isinstance(callee, Instance) or callee.type.fullname not in _MAPPABLE:
        return default
    item = result.value
    if any(ctx.args[ctx.callee_arg_names.index(name)] for name in ("min_successes", "min_success_ratio")):
        item = UnionType.make_union([item, NoneType()])
    none = isinstance(get_proper_type(result.value), NoneType)
    returned = NoneType() if none else ctx.api.named_generic_type("builtins.list", [item])
    taken = get_proper_type(callee.args[0]) if len(callee.args) == 2 else None
    lists = _lists(taken, bound, ctx) if isinstance(taken, Parameters) else default.args[0]
    if result.awaited:
        anything = AnyType(TypeOfAny.special_form)
        returned = ctx.api.named_generic_type("typing.Coroutine", [anything, anything, returned])
    return default.copy_modified(args=[lists, returned])


class _Bound(NamedTuple):
    """What `functools.partial` binds."""

    first: int = 0
    names: tuple[str, ...] = ()


def _unbound(ctx: FunctionContext) -> tuple[Type, _Bound]:
    """What is mapped; what a `functools.partial` is of, where it is written out."""
    expression = ctx.args[0][0]
    if (
        isinstance(expression, CallExpr)
        and isinstance(expression.callee, RefExpr)
        and expression.callee.fullname == "functools.partial"
        and set(expression.arg_kinds) <= {ArgKind.ARG_POS, ArgKind.ARG_NAMED}
    ):
        checker: Any = ctx.api
        names = tuple(name for name in expression.arg_names if name is not None)
        of = get_proper_type(checker.lookup_type(expression.args[0]))
        return of, _Bound(len(expression.args) - len(names) - 1, names)
    return get_proper_type(ctx.arg_types[0][0]), _Bound()


def _lists(taken: Parameters, bound: _Bound, ctx: FunctionContext) -> Parameters:
    """The parameters that are not bound, as lists."""
    kept = [i for i in range(bound.first, len(taken.arg_types)) if taken.arg_names[i] not in bound.names]
    return taken.copy_modified(
        arg_types=[ctx.api.named_generic_type("typing.Sequence", [taken.arg_types[i]]) for i in kept],
        arg_kinds=[taken.arg_kinds[i] for i in kept],
        arg_names=[taken.arg_names[i] for i in kept],
    )


_FUNCTIONS: dict[str, Callable[[FunctionContext], Type]] = {
    f"{_AUTHOR}.gate.approve": _lets_through,
    f"{_AUTHOR}.gate.sleep": _lets_through,
    f"{_AUTHOR}.gate.wait_for_input": _is_told,
    f"{_AUTHOR}.mapping.map_task": _maps,
}
