"""The options of a task that may be functions of its call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

from wingbeat.author.formula import Symbol, called, split
from wingbeat.author.options import Duration, Pool, Resources, Retry, Timeout
from wingbeat.author.source import shown
from wingbeat.base.errors import CompileError
from wingbeat.spec.entities import Formulas, PoolSpec, ResourceSpec, RetrySpec, TimeoutSpec

T = TypeVar("T")

Option: TypeAlias = T | Callable[..., T]
"""A value, or a function that gives it, of parameters called ``inputs``, ``attempt`` or ``error``."""


class Decided:
    """What is said of them, in the spec's terms; None where nothing is.

    Attributes:
        formulas: What depends on the call, by its name in the spec.
    """

    def __init__(
        self,
        retries: Option[int | Retry] | None,
        timeout: Option[Duration | Timeout] | None,
        resources: Option[Resources] | None,
        pool: Option[str | Pool] | None,
    ) -> None:
        self.formulas: Formulas = {}
        self.retry: RetrySpec | None = self._spec("retries", retries, Retry, int | Symbol, "a number or a Retry")
        self.timeout: TimeoutSpec | None = self._spec(
            "timeout", timeout, Timeout, timedelta | str | int | float | Symbol, "a duration or a Timeout"
        )
        self.resources: ResourceSpec | None = self._spec(
            "resources", resources, Resources, None, "a Resources(cpu=…, mem=…)"
        )
        self.pool: PoolSpec | None = self._spec("pool", pool, Pool, str | Symbol, "a name or a Pool")

    def _spec(self, option: str, given: Any, cls: type[Any], short: Any, wanted: str) -> Any:
        """`cls` of a value that is `short` for it says what it means: a count of retries, the name of a pool."""
        if given is None:
            return None
        value = called(option, given)
        if not isinstance(value, cls):
            if short is None or not isinstance(value, short) or isinstance(value, bool):
                raise CompileError(f"{option}: {shown(value)} is not {wanted}.")
            value = cls(value)
        plain, formulas = split(value)
        self.formulas.update(formulas)
        return plain.spec()
