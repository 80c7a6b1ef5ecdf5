"""The options of a task that may be functions of its call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from wingbeat.author.formula import called, split
from wingbeat.author.options import Duration, Pool, Resources, Retry, Timeout
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
        self.retry: RetrySpec | None = self._spec("retries", retries, Retry)
        self.timeout: TimeoutSpec | None = self._spec("timeout", timeout, Timeout)
        self.resources: ResourceSpec | None = self._spec("resources", resources, Resources)
        self.pool: PoolSpec | None = self._spec("pool", pool, Pool)

    def _spec(self, option: str, given: Any, cls: Callable[[Any], Any]) -> Any:
        """`cls` of a value that is none says what it means: a count of retries, the name of a pool."""
        if (value := called(option, given)) is None:
            return None
        plain, formulas = split(value if isinstance(value, Retry | Timeout | Resources | Pool) else cls(value))
        self.formulas.update(formulas)
        return plain.spec()
