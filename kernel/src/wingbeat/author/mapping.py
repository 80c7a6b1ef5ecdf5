"""``map_task``: a call for each item of lists."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar

from wingbeat.author.compose import Callee
from wingbeat.author.constants import TypeOnly
from wingbeat.author.dynamic import dispatch
from wingbeat.author.promise import Node
from wingbeat.author.signature import Signature
from wingbeat.author.source import Location, caller, shown
from wingbeat.author.usage import usage
from wingbeat.base.errors import CompileError
from wingbeat.base.units import counted
from wingbeat.spec.entities import MapSpec, OverrideSpec
from wingbeat.spec.mapped import optional
from wingbeat.types import BlobIO, ListType
from wingbeat.types.returns import Output

P = ParamSpec("P")
R = TypeVar("R")


@usage("map_task(TASK, concurrency=4)(LIST)")
def map_task(
    entity: Any,
    /,
    *,
    concurrency: int | None = None,
    min_successes: int | None = None,
    min_success_ratio: float | None = None,
) -> Mapped[..., Any]:
    """A task, workflow or launch plan to be called with lists: once for each item, in any order, with outputs in order.

    The inputs given in the call are lists of one length; those bound by `functools.partial` are the same for every item.
    Retries and cache are each item's own. Called directly, outside of workflows, it is plain Python.

    Args:
        entity: What is called, or a `functools.partial` of it.

        concurrency: How many items are under way at once; left out, or 0, as many as the executor takes.

        min_successes: So many items have to succeed; with either bound, the output of an item that failed is None.

        min_success_ratio: This share of the items has to succeed; 1 alone is all of them, as without it.

    Raises:
        CompileError: It is nothing that can be called for each item, or a bound is out of range.
    """
    where = caller()
    args: tuple[Any, ...] = ()
    bound: dict[str, Any] = {}
    if isinstance(entity, functools.partial):
        entity, args, bound = entity.func, entity.args, dict(entity.keywords)
    if not isinstance(entity, Callee) or entity.target is None or entity.kind(None) is not None:  # type: ignore[arg-type]
        raise CompileError(
            f"map_task takes a task, a workflow or a launch plan, not {shown(entity)} ({where}): {where.text}",
            hint="Decorate it with @task; to map over a map, put the inner one into a workflow.",
        )
    for name, value, lowest, highest in (
        ("concurrency", concurrency, 0, None),
        ("min_successes", min_successes, 0, None),
        ("min_success_ratio", min_success_ratio, 0, 1),
    ):
        if value is None:
            continue
        if type(value) is not int and (highest is None or type(value) is not float):
            wanted = "a number" if highest is not None else "a whole number"
            raise CompileError(f"map_task: {name} is {wanted}, not {value!r} ({where}): {where.text}")
        if value < lowest or (highest is not None and value > highest):
            limits = f"at least {lowest}" if highest is None else f"between {lowest} and {highest}"
            raise CompileError(f"map_task: {name} is {limits}, not {value} ({where}): {where.text}")
    all_of_them = min_success_ratio is None or (min_success_ratio == 1 and min_successes is None)
    ratio = None if all_of_them else float(min_success_ratio or 0)
    return Mapped(entity, args, bound, MapSpec((), concurrency or None, min_successes, ratio), where)


class Mapped(Generic[P, R]):
    """What `map_task` gives: called with lists, it gives the list of outputs. `wingbeat.mypy` knows which."""

    def __init__(
        self, callee: Callee, args: Sequence[Any], bound: Mapping[str, Any], spec: MapSpec, where: Location
    ) -> None:
        self.callee, self.args, self.bound, self.spec, self.where = callee, tuple(args), dict(bound), spec, where
        self.fn = getattr(callee, "fn", None)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        where = caller()
        given, bound = self._named(args, kwargs, where)
        call = MapCall(self.callee, self.spec, tuple(given), where)
        return dispatch(call, (), {**bound, **given})

    def override(self, **options: Any) -> NoReturn:
        """Refused: options are those of its task.

        Raises:
            CompileError: Always, with what to do instead.
        """
        from wingbeat.author.misuse import no_override  # only for who has made this mistake

        name = self.callee.name.rpartition(".")[2]
        hint = f"Override the task: 'map_task({name}.override(…))(LIST)' has these options for each item."
        raise no_override(f"the map over {self.callee.name}", options, hint)

    def __repr__(self) -> str:
        return f"<map over {self.callee.name}>"

    def _named(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], where: Location
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The lists of a call, and what was bound before, both by the inputs' names."""
        name, inputs = f"the map over {self.callee.name}", list(self.callee.signature.inputs)
        if len(self.args) > len(inputs):
            raise CompileError(
                f"{name} has {counted(len(self.args), 'argument')} bound, and takes {len(inputs)} ({where}): {where.text}"
            )
        bound = {**dict(zip(inputs, self.args, strict=False)), **self.bound}
        free = [i for i in inputs if i not in bound]
        for given in (*self.bound, *kwargs):
            if given not in inputs:
                raise CompileError(
                    f"{name}: there is no input {given!r} ({where}): {where.text}",
                    hint=f"It takes {', '.join(inputs) or 'none'}.",
                )
        twice = [k for k in kwargs if k in bound or k in free[: len(args)]]
        if twice:
            raise CompileError(f"{name} got {twice[0]!r} twice ({where}): {where.text}")
        if len(args) > len(free):
            raise CompileError(
                f"{name} takes {counted(len(free), 'list')}, and got {len(args)} ({where}): {where.text}"
            )
        lists = {**dict(zip(free, args, strict=False)), **kwargs}
        if not lists:
            raise CompileError(
                f"{name} is given no list ({where}): {where.text}",
                hint=f"Give one of {', '.join(free) or 'its inputs'}: a list, with an item for each call.",
            )
        _check_lengths(lists, name, where)
        return lists, bound


class MapCall(Callee):
    """A map that knows which inputs are lists: the node.

    Attributes:
        over: Those inputs.
    """

    def __init__(self, callee: Callee, spec: MapSpec, over: tuple[str, ...], where: Location) -> None:
        self.callee, self.over, self.where = callee, over, where
        self.name, self.fn = callee.name, getattr(callee, "fn", None)
        self._spec = MapSpec(over, spec.concurrency, spec.min_successes, spec.min_success_ratio)

    @property
    def label(self) -> str:
        """For messages."""
        return f"the map over {self.name}"

    @functools.cached_property
    def signature(self) -> Signature:
        """The callee's, with lists of what is mapped over and of the output.

        Raises:
            CompileError: The callee gives several values.
        """
        own = self.callee.signature
        if own.named:
            raise CompileError(
                f"{self.callee.name} gives {len(own.outputs)} outputs, and a map takes what gives one "
                f"({self.where}): {self.where.text}",
                hint="Let it return a dataclass, which is one value with several fields.",
            )
        inputs = {n: _listed(h) if n in self.over else h for n, h in own.inputs.items()}
        defaults = {n: v for n, v in own.defaults.items() if n not in self.over}
        outputs = [Output(o.name, _listed(o.hint, tolerant=self._spec.tolerant)) for o in own.outputs]
        return Signature.of(self.label, self.where, inputs, outputs, defaults)

    @property
    def target(self) -> Callee | None:
        """The callee."""
        return self.callee.target

    def kind(self, io: BlobIO) -> MapSpec:
        """That it is a map."""
        return self._spec

    def overridden(self, io: BlobIO) -> OverrideSpec | None:
        """The callee's."""
        return self.callee.overridden(io)

    def plain(self, **given: Any) -> Any:
        """Call for each item, one after the other. Where some may fail, one that raises gives None.

        Raises:
            ValueError: The lists are not of one length, or shorter than the number of items that have to succeed.

            Exception: What an item raised, when too few succeed.
        """
        lists = {n: list(given[n]) for n in self.over}
        same = {n: v for n, v in given.items() if n not in lists}
        rows = [dict(zip(lists, items, strict=True)) for items in zip(*lists.values(), strict=True)]
        if inspect.iscoroutinefunction(self.fn):
            return self._awaited(rows, same)
        results = _Results(self._spec, len(rows))
        for row in rows:
            try:
                results.values.append(self.callee.plain(**same, **row))
            except Exception as error:  # noqa: BLE001  # may be tolerated
                results.failed(error)
        return results.given(self.callee.signature)

    async def _awaited(self, rows: list[dict[str, Any]], same: Mapping[str, Any]) -> Any:
        results = _Results(self._spec, len(rows))
        for row in rows:
            try:
                made = self.callee.plain(**same, **row)
                results.values.append(await made if inspect.isawaitable(made) else made)
            except Exception as error:  # noqa: BLE001  # may be tolerated
                results.failed(error)
        return results.given(self.callee.signature)


def _listed(hint: Any, *, tolerant: bool = False) -> Any:
    """A list of that; with None among it, where an item may fail."""
    if isinstance(hint, TypeOnly):
        return type(hint)(ListType(optional(hint.type) if tolerant else hint.type))
    return list[hint | None] if tolerant else list[hint]


class _Results:
    """Results of items so far; raises when too few can succeed."""

    def __init__(self, spec: MapSpec, total: int) -> None:
        self.spec, self.total, self.failures = spec, total, 0
        self.values: list[Any] = []
        if spec.needed(total) > total:
            raise ValueError(
                f"At least {counted(spec.needed(total), 'item')} must succeed, and the lists have {counted(total, 'item')}."
            )

    def failed(self, error: Exception) -> None:
        self.failures += 1
        self.values.append(None)
        if self.total - self.failures < self.spec.needed(self.total):
            raise error

    def given(self, signature: Signature) -> list[Any] | None:
        return self.values if signature.outputs else None


def _check_lengths(lists: Mapping[str, Any], name: str, where: Location) -> None:
    """Raise CompileError if lists that are known are none, or not of one length."""
    for key, value in lists.items():
        if isinstance(value, str | int | float | None):
            called = name.rpartition(".")[2]
            raise CompileError(
                f"{name} goes over {key!r}, which is {value!r} and no list ({where}): {where.text}",
                hint=f"Bind what is the same for every item: 'map_task(functools.partial({called}, {key}={value!r}))(LIST)'.",
            )
    lengths = {k: len(v) for k, v in lists.items() if isinstance(v, list | tuple) and not isinstance(v, Node)}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{k!r} has {counted(n, 'item')}" for k, n in lengths.items())
        raise CompileError(
            f"{name} is given lists of different lengths: {said} ({where}): {where.text}",
            hint="Bind what is the same for every item by functools.partial.",
        )
