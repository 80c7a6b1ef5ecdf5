"""Plugins in a table, and below each what it offers: a line for each seam, as wide as the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from wingbeat_cli.render.table import columns, dim

if TYPE_CHECKING:
    from wingbeat.kernel.installed import Offer, PluginView

HEADING = ("PLUGIN", "PACKAGE", "CONTRACTS", "IMPORT", "STATE")
NARROWEST = 20
"""What is offered is not told in fewer columns, however narrow the terminal is."""


def listed(plugins: Sequence[PluginView], *, width: int, colour: bool) -> list[str]:
    """Lines about plugins.

    Args:
        width: Columns of the terminal; 0 where there is none, and nothing is folded.
    """
    rows = [(p.name, p.distribution, p.api, f"{p.import_s * 1000:.1f} ms" if p.api else "", p.state) for p in plugins]
    heading, *lines = columns(rows, heading=HEADING, colour=colour)
    offered = [list(_offered(plugin)) for plugin in plugins]
    label = max((len(seam) for seams in offered for seam, _ in seams), default=0)
    found = [heading]
    for line, seams in zip(lines, offered, strict=True):
        found.append(line)
        for seam, text in seams:
            first, *others = _folded(text, width - label - 4)
            shown = seam.ljust(label)
            found.append(f"  {dim(shown) if colour else shown}  {first}")
            found += [f"  {'':{label}}  {other}" for other in others]
    return [*found, *_problems(plugins)]


def _folded(text: str, width: int) -> list[str]:
    if width <= 0:
        return [text]
    return textwrap.wrap(text, max(width, NARROWEST), break_long_words=False, break_on_hyphens=False)


def _offered(plugin: PluginView) -> Iterator[tuple[str, str]]:
    """Seams, and what is offered for each; those that can more or less one by one."""
    names: dict[str, list[str]] = {}
    for offer in plugin.offers:
        if able := _able(offer):
            yield offer.seam, ": ".join(filter(None, (offer.name, able)))
        else:
            names.setdefault(offer.seam, []).append(f"{offer.name} (refused)" if _is_refused(offer) else offer.name)
    yield from ((seam, ", ".join(found)) for seam, found in names.items())
    if plugin.sections:
        yield "settings", ", ".join(f"[{section}]" for section in plugin.sections)


def _problems(plugins: Sequence[PluginView]) -> Iterator[str]:
    for plugin in plugins:
        refused = [offer for offer in plugin.offers if _is_refused(offer)]
        yield from (f"{plugin.name}: the command {each.name!r} is refused: {each.problem}" for each in refused)
    yield from (f"{plugin.name}: {plugin.problem}" for plugin in plugins if plugin.problem)


def _is_refused(offer: Offer) -> bool:
    return offer.seam == "command" and bool(offer.problem)


def _able(offer: Offer) -> str:
    if offer.problem and not _is_refused(offer):
        return f"cannot be {'registered' if offer.seam == 'types' else 'made'}: {offer.problem}"
    return ", ".join(offer.capabilities)
