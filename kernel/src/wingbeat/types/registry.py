"""The classes of other packages that are values, by qualified name: nothing heavy is imported to know them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, cast

from wingbeat.base.errors import PluginFailed
from wingbeat.types.errors import UnsupportedType
from wingbeat.types.model import BlobType, Layout, LiteralType, TableType

__all__ = [
    "Handler", "Offer", "find", "imported", "load", "qualified_name", "register", "register_box", "register_fallback",
    "registered_by", "set_within",
]  # fmt: skip


class Handler(Protocol):
    """Writes and reads one heavy class of values; loaded on first use.

    May also have `name` (a file name to suggest), `rows(value)` and `columns(value)`: the names of a table's columns
    and the name of the scalar type of each (`int`, `str`, …, or `any` if it cannot tell); and `patience_s`: for how many
    seconds it may write or read one value inside of an attempt, in the place of an hour.
    """

    layout: Layout

    def write(self, value: Any, path: str) -> None:
        """Write the value to a path where nothing is yet; equal values give equal bytes. Raises TypeError or ValueError for one
        that cannot be stored."""
        ...

    def read(self, path: str, hint: Any) -> Any:
        """Read a value of the class `hint`."""
        ...


class Offer(NamedTuple):
    """What is registered under a class."""

    type: TableType | BlobType
    handler: str
    subclasses: bool


Within = Callable[[str, str, Callable[[], Any]], Any]
"""Makes something of a plugin, which is named to people and by ``module:attribute``: what `imported` is given."""

_offers: dict[str, Offer] = {}
_fallbacks: list[Callable[[], None]] = []
_handlers: dict[str, Handler] = {}
_within: Within | None = None
_watched: list[str] | None = None
"""What is registered while somebody looks."""


def register(
    qualified_name: str | Iterable[str], literal_type: LiteralType, handler: str, *, subclasses: bool = False
) -> None:
    """Offer a Python class as a value, by `module.Class` (or several names), kept by the handler at `module:attribute`.

    With `subclasses` also every class derived from it. Registering the same again is fine; something else under a name
    is refused.
    """
    if not isinstance(literal_type, TableType | BlobType):
        raise TypeError(f"a registered class is a TableType or a BlobType, got {literal_type!r}")
    module, colon, attribute = handler.partition(":")
    if not (module and colon and attribute):
        raise ValueError(f"a handler is named as 'module:attribute', got {handler!r}")
    offer = Offer(literal_type, handler, subclasses)
    for name in [qualified_name] if isinstance(qualified_name, str) else qualified_name:
        if _watched is not None:
            _watched.append(name)
        known = _offers.setdefault(name, offer)
        if known != offer:
            raise ValueError(f"{name} is already offered by {known.handler}; {handler} may not replace it")


def registered_by(hook: Callable[[], None]) -> list[str]:
    """Names of the classes that `hook` registers: it is called, and registers them. Raises what it raises."""
    global _watched  # noqa: PLW0603  # who registers has nobody to tell
    before, _watched = _watched, []
    try:
        hook()
        return list(dict.fromkeys(_watched))
    finally:
        _watched = before


def register_fallback(load: Callable[[], None]) -> None:
    """Have `load` called, before a class is refused as unknown: once, unless it raises PluginFailed.

    It is the moment to find the types that plugins offer.
    """
    _fallbacks.append(load)


def qualified_name(cls: type) -> str:
    """`module.Class`, as types are registered."""
    return f"{cls.__module__}.{cls.__qualname__}"


def find(cls: type) -> Offer | None:
    """What is offered for a class, asking the plugins if nothing is known. Raises PluginFailed where nobody knows it, and one of
    them could not be asked."""
    offer, failed = _known(cls), None
    for fallback in [] if offer is not None else [*_fallbacks]:
        try:
            fallback()
            _fallbacks.remove(fallback)
        except PluginFailed as error:  # asked again: whoever forked this process may have been told, and nobody else
            failed = error
        offer = _known(cls)  # others may know it all the same
    if offer is None and failed is not None:
        raise failed
    return offer


def _known(cls: type) -> Offer | None:
    for base in cls.__mro__:
        offer = _offers.get(qualified_name(base))
        if offer is not None and (base is cls or offer.subclasses):
            return offer
    return None


def load(address: str) -> Handler:
    """The handler at `module:attribute`, imported on first use."""
    known = _handlers.get(address)
    if known is None:
        from importlib import import_module

        module, _, attribute = address.partition(":")

        def make() -> Any:
            found = getattr(import_module(module), attribute)
            return found() if isinstance(found, type) else found

        try:
            known = _handlers[address] = cast(Handler, imported(_of(address), address, make))
        except (PluginFailed, UnsupportedType):
            raise
        except (ImportError, AttributeError) as error:
            raise UnsupportedType(f"the handler {address} cannot be loaded: {error}") from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginFailed(f"The handler {address} cannot be loaded: {type(error).__name__}: {error}") from error
    return known


def _of(address: str) -> str:
    """A handler, to people: by the first class that it is for."""
    names = (repr(name) for name, offer in _offers.items() if offer.handler == address)
    return f"The handler of {next(names, 'a type')}"


def set_within(within: Within) -> None:
    """Have what belongs to plugins imported within bounds, in the process of an attempt."""
    global _within  # noqa: PLW0603  # one for the process
    _within = within


def imported(told: str, target: str, make: Callable[[], Any]) -> Any:
    """What `make` answers, which imports something of a plugin: named to people by `told`, and ``module:attribute``."""
    return make() if _within is None else _within(told, target, make)


def register_box() -> None:
    """Offer the classes whose handlers are in the box."""
    box = "wingbeat.runtime.handlers"
    register(["pandas.DataFrame", "pandas.core.frame.DataFrame"], TableType(), f"{box}.pandas:PandasHandler")
    register(
        ["polars.dataframe.frame.DataFrame", "polars.lazyframe.frame.LazyFrame"],
        TableType(),
        f"{box}.polars:PolarsHandler",
    )
    register(["pyarrow.lib.Table", "pyarrow.Table"], TableType(), f"{box}.pyarrow:ArrowHandler")
    register("numpy.ndarray", BlobType("npy"), f"{box}.numpy:ArrayHandler")
    register("xgboost.core.Booster", BlobType("xgboost"), f"{box}.xgboost:BoosterHandler")
    register("xgboost.sklearn.XGBModel", BlobType("xgboost"), f"{box}.xgboost:BoosterHandler", subclasses=True)


register_box()
