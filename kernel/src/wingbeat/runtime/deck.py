"""The page of an attempt: one HTML file that is whole after every addition, and needs nothing else.

Everything is escaped but what is given to `Deck.html`. The page forbids the browser to load anything from elsewhere. What is
heavy is imported when it is used: nothing of this for text and tables.
"""

from __future__ import annotations

import base64
import html
import os
import threading
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from wingbeat.runtime.files import DECK, write_all

ROWS_MAX = 200
SVG_BYTES_MAX = 2**19
"""A drawing with so much in it that it is longer than this is put in as pixels."""

_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:; font-src data:">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #d0d7de; --soft: #f6f8fa; --text: #1f2328; --dim: #59636e; --page: #fff; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --line: #3d444d; --soft: #151b23; --text: #f0f6fc; --dim: #9198a1; --page: #0d1117; }}
}}
body {{ margin: 0 auto; padding: 1.5rem; max-width: 60rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }}
header {{ color: var(--dim); border-bottom: 1px solid var(--line); padding-bottom: .5rem; margin-bottom: 1rem; }}
section {{ margin: 0 0 1.5rem; overflow-x: auto; }}
h1, h2, h3 {{ line-height: 1.25; margin: 1rem 0 .5rem; }}
pre, code {{ font: 14px/1.45 ui-monospace, monospace; background: var(--soft); border-radius: 4px; }}
pre {{ padding: .75rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }}
code {{ padding: .1em .3em; }}
pre code {{ padding: 0; }}
table {{ border-collapse: collapse; font-size: 14px; }}
th, td {{ border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }}
th {{ background: var(--soft); }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums; }}
img {{ max-width: 100%; height: auto; background: #fff; }}
p.dim {{ color: var(--dim); font-size: 14px; margin: .25rem 0; }}
</style>
</head>
<body>
<header>{title}</header>
"""


@runtime_checkable
class _Drawn(Protocol):
    def savefig(self, fname: Any, *, format: str, bbox_inches: str) -> object: ...


class Deck:
    """Adds to the page of an attempt. Each addition is there at once, for who looks while the attempt runs.

    Args:
        directory: The attempt's.

        title: What stands above the page.

        bytes_max: What would make the page longer is left out, and the page says so.

        made: Called when there is a page.

        mask: Takes secrets out of what is added.
    """

    def __init__(
        self, directory: str, title: str, bytes_max: int, made: Callable[[], None], mask: Callable[[str], str] = str
    ) -> None:
        self._mask = mask
        self.path = f"{directory}/{DECK}"
        self._title, self._bytes_max, self._made = title, bytes_max, made
        self._lock = threading.Lock()
        self._full = False
        self._has_plotly = False

    def html(self, text: str, title: str = "") -> None:
        """Add HTML as it is. Escape what you do not know, with `html.escape`."""
        self._add(text, title)

    def text(self, text: str, title: str = "") -> None:
        """Add text as it stands, every space kept."""
        self._add(f"<pre>{html.escape(text)}</pre>", title)

    def markdown(self, text: str, title: str = "") -> None:
        """Add Markdown; HTML in it is shown as text. Where `markdown-it-py` is not installed, all of it is shown as text."""
        try:
            from markdown_it import MarkdownIt
        except ImportError:
            self.text(text, title)
            return
        self._add(str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text)), title)

    def table(self, rows: Any, title: str = "", *, rows_max: int = ROWS_MAX) -> None:
        """Add a table.

        Args:
            rows: A data frame (pandas, polars, pyarrow), or rows: mappings, or sequences of cells; or a mapping of columns.

            rows_max: Further rows are counted only.
        """
        from wingbeat.runtime.decktable import table

        self._add(table(rows, rows_max), title)

    def figure(self, figure: Any, title: str = "") -> None:
        """Add a figure: one of matplotlib's, or one that gives itself as HTML (`to_html`), as plotly's do.

        Raises:
            TypeError: It is neither.
        """
        if isinstance(figure, _Drawn):
            self._add(_image(figure), title)
        elif hasattr(figure, "to_html"):
            self._interactive(figure, title)
        else:
            raise TypeError(
                f"deck.figure() takes a matplotlib figure, or an object with to_html(), not {type(figure).__name__}"
            )

    def _interactive(self, figure: Any, title: str) -> None:
        if type(figure).__module__.partition(".")[0] != "plotly":
            self._add(str(figure.to_html()), title)
            return
        content = str(figure.to_html(full_html=False, include_plotlyjs=not self._has_plotly))
        self._has_plotly |= self._add(content, title)

    def _add(self, content: str, title: str) -> bool:
        """False if it was left out."""
        heading = f"<h2>{html.escape(title)}</h2>\n" if title else ""
        return self._append(self._mask(f"<section>\n{heading}{content}\n</section>\n"))

    def _append(self, section: str) -> bool:
        """In one go, so that a reader sees whole sections, and threads and processes do not mix theirs."""
        data = section.encode("utf-8", "replace")
        with self._lock:
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                size = os.fstat(fd).st_size
                if not size:
                    head = _HEAD.format(title=html.escape(self._title)).encode("utf-8", "replace")
                    write_all(fd, head)
                    size = len(head)
                fits = size + len(data) <= self._bytes_max
                if fits:
                    write_all(fd, data)
                elif not self._full:
                    self._full = True
                    note = f"From here on something was left out: the page would be over {self._bytes_max} bytes"
                    write_all(fd, f'<p class="dim">{note} (setting process.deck_bytes_max).</p>\n'.encode())
            finally:
                os.close(fd)
        self._made()
        return fits


def _image(figure: _Drawn) -> str:
    """A figure as an image in the page: as a drawing, whose scripts and names stay its own, or as pixels."""
    from io import BytesIO

    def drawn(kind: str) -> bytes:
        data = BytesIO()
        figure.savefig(data, format=kind, bbox_inches="tight")
        return data.getvalue()

    data, mime = drawn("svg"), "image/svg+xml"
    if len(data) > SVG_BYTES_MAX:
        data, mime = drawn("png"), "image/png"
    return f'<img alt="figure" src="data:{mime};base64,{base64.b64encode(data).decode()}">'
