"""What an engine is put together from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from wingbeat.contracts.catalog import Catalog
from wingbeat.contracts.executor import Executor
from wingbeat.contracts.journal import Journal
from wingbeat.contracts.observer import Observer
from wingbeat.contracts.secrets import SourceRef
from wingbeat.contracts.storage import Storage
from wingbeat.engine.clock import Clock
from wingbeat.engine.rules import DEFAULT, Rule


class Parts(Struct, frozen=True):
    """What an engine is put together from.

    Attributes:
        inline: Names of tasks that run on the executor of that name, whatever their spec says.

        secrets: Gives the source of secrets, or raises ConfigurationError that says why there is none.

        tokens: Gives the source of an attempt's token, by its id and when its execution was launched, or raises the same.
    """

    journal: Journal
    storage: Storage
    executors: Mapping[str, Executor]
    clock: Clock
    catalog: Catalog | None = None
    catalog_name: str = ""
    journal_name: str = ""
    observers: Mapping[str, Observer] = {}
    default_executor: str = DEFAULT
    rules: Sequence[Rule] = ()
    inline: frozenset[str] = frozenset()
    pools: Mapping[str, int] = {}
    secrets: Callable[[], SourceRef] | None = None
    tokens: Callable[[str, float], SourceRef] | None = None
