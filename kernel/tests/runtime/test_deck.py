"""The page of an attempt."""

import dataclasses
import subprocess
import sys
import threading
import typing

import msgspec
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from wingbeat.runtime.deck import SVG_BYTES_MAX, Deck
from wingbeat.testing import inside_attempt


@pytest.fixture
def made(tmp_path):
    with inside_attempt(tmp_path, task="m.<b>train") as attempt:
        yield attempt


def page(attempt):
    return (attempt.directory / "deck.html").read_text()


def test_it_grows_and_is_whole_after_every_addition(made):
    assert not (made.directory / "deck.html").exists()
    made.deck.html("<p>one</p>")
    assert page(made).startswith("<!doctype html>")
    assert "<title>m.&lt;b&gt;train · test/n0/0</title>" in page(made)
    assert page(made).endswith("<section>\n<p>one</p>\n</section>\n")
    made.deck.text("two", title="Second & last")
    assert page(made).endswith("<section>\n<h2>Second &amp; last</h2>\n<pre>two</pre>\n</section>\n")
    assert page(made).count("<!doctype") == 1


def test_it_loads_nothing_from_elsewhere(made):
    made.deck.text("x")
    assert "default-src 'none'" in page(made)
    assert "http:" not in page(made)
    assert "https:" not in page(made)


def test_everything_but_html_is_escaped(made):
    evil = "<script>alert(1)</script>"
    made.deck.text(evil, title=evil)
    made.deck.markdown(f"{evil}\n\n[x](javascript:alert(1))", title=evil)
    made.deck.table([{evil: evil}], title=evil)
    made.deck.table(pd.DataFrame({evil: [evil]}))
    assert "<script" not in page(made)
    assert 'href="javascript' not in page(made)


def test_markdown_becomes_html(made):
    made.deck.markdown("# Head\n\n- a\n- `b`\n\n| x | y |\n|---|---|\n| 1 | 2 |\n")
    for part in ("<h1>Head</h1>", "<li>a</li>", "<code>b</code>", "<td>1</td>"):
        assert part in page(made)


def test_markdown_without_its_library_is_shown_as_it_is(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "markdown_it", None)
    made.deck.markdown("# <b>Head")
    assert "<pre># &lt;b&gt;Head</pre>" in page(made)


class Named(typing.NamedTuple):
    a: int
    b: str


@dataclasses.dataclass
class Data:
    a: int
    b: str


class Packed(msgspec.Struct):
    a: int
    b: str


FRAME = {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize(
    "rows",
    [
        [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
        [Named(1, "x"), Named(2, "y")],
        [Data(1, "x"), Data(2, "y")],
        [Packed(1, "x"), Packed(2, "y")],
        FRAME,
        ({"a": n, "b": b} for n, b in ((1, "x"), (2, "y"))),
        pd.DataFrame(FRAME),
        pl.DataFrame(FRAME),
        pa.table(FRAME),
    ],
    ids=["mappings", "named", "data", "structs", "columns", "iterator", "pandas", "polars", "pyarrow"],
)
def test_whatever_has_rows_is_a_table(made, rows):
    made.deck.table(rows)
    assert "<thead><tr><th>a</th><th>b</th></tr></thead>" in page(made)
    assert '<tr><td class="n">1</td><td>x</td></tr>\n<tr><td class="n">2</td><td>y</td></tr>' in page(made)


def test_rows_without_names(made):
    made.deck.table([(1, None, True), [0.123456789, "b"], "alone"])
    assert '<tr><td class="n">1</td><td></td><td>True</td></tr>' in page(made)
    assert '<tr><td class="n">0.123457</td><td>b</td><td></td></tr>' in page(made)
    assert "<tr><td>alone</td><td></td><td></td></tr>" in page(made)
    assert "<thead" not in page(made)


def test_the_index_of_a_frame_is_shown_where_it_says_something(made):
    made.deck.table(pd.DataFrame(FRAME, index=pd.Index(["p", "q"], name="key")))
    assert "<th>key</th><th>a</th>" in page(made)
    made.deck.table(pd.DataFrame(FRAME).groupby("b").agg({"a": ["min", "max"]}))
    assert "<th>a / min</th>" in page(made)


@pytest.mark.parametrize(
    "rows", [[(n,) for n in range(1000)], pd.DataFrame({"n": range(1000)}), ((n,) for n in range(1000))], ids=range(3)
)
def test_long_tables_are_cut_and_say_so(made, rows):
    made.deck.table(rows, rows_max=3)
    assert page(made).count("<td") == 3
    assert "3 of 1000 rows" in page(made)


def test_long_cells_are_cut(made):
    made.deck.table([["x" * 10_000]])
    assert len(page(made)) < 5000


@pytest.mark.parametrize("value", ["text", 7, None])
def test_what_is_no_table_is_refused(made, value):
    with pytest.raises(TypeError, match="a data frame or rows"):
        made.deck.table(value)


class Drawn:
    """As a figure of matplotlib's."""

    def __init__(self, size):
        self.size = size

    def savefig(self, fname, *, format, bbox_inches):
        fname.write(format.encode() * (self.size if format == "svg" else 1))


def test_a_figure_is_a_drawing_or_pixels(made):
    made.deck.figure(Drawn(1))
    assert 'src="data:image/svg+xml;base64,c3Zn"' in page(made)
    made.deck.figure(Drawn(SVG_BYTES_MAX), title="Big")
    assert 'src="data:image/png;base64,cG5n"' in page(made)


def test_a_figure_that_gives_itself_as_html(made):
    calls = []

    class Figure:
        def to_html(self, **options):
            calls.append(options)
            return "<div>plot</div>"

    Figure.__module__ = "plotly.graph_objs"
    made.deck.figure(Figure())
    made.deck.figure(Figure())
    Figure.__module__ = "other"
    made.deck.figure(Figure())
    assert calls == [
        {"full_html": False, "include_plotlyjs": True}, {"full_html": False, "include_plotlyjs": False}, {},
    ]  # fmt: skip
    assert page(made).count("<div>plot</div>") == 3
    with pytest.raises(TypeError, match="not int"):
        made.deck.figure(7)


def test_its_size_is_bounded(tmp_path):
    deck = Deck(str(tmp_path), "t", 10_000, lambda: None)
    for n in range(100):
        deck.text(f"{n}" * 200)
    deck.text("short")
    text = (tmp_path / "deck.html").read_text()
    assert len(text) < 10_200
    assert text.count("From here on something was left out") == 1
    assert "process.deck_bytes_max" in text


def test_threads_do_not_mix_their_sections(made):
    threads = [threading.Thread(target=made.deck.text, args=(f"{n}" * 5000,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert page(made).count("<!doctype") == 1
    for n in range(8):
        assert f"<section>\n<pre>{str(n) * 5000}</pre>\n</section>" in page(made)


def test_text_and_tables_need_nothing_heavy(tmp_path):
    code = f"""
import sys
from wingbeat.testing import inside_attempt
with inside_attempt({str(tmp_path)!r}) as made:
    made.deck.text("x")
    made.deck.table([(1,)])
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"markdown_it", "pandas", "matplotlib", "asyncio"} & set(done.stdout.split())
