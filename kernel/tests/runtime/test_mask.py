"""What is masked, in whichever form and pieces it comes."""

import base64
import html
import json
import shlex
import subprocess
import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wingbeat.runtime.mask import Mask, Stream, forms

VALUE = 'it\'s "quoted" & ü/ñ: 100%\\n+=~'
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n  indented-line-of-it\n-----END KEY-----\n"

WRITTEN = {
    "plain": str,
    "json": json.dumps,
    "json of unicode": lambda v: json.dumps(v, ensure_ascii=False),
    "json in json": lambda v: json.dumps({"a": [v]}),
    "quoted": urllib.parse.quote,
    "quoted whole": lambda v: urllib.parse.quote(v, safe=""),
    "query": lambda v: urllib.parse.urlencode({"password": v}),
    "small letters": lambda v: urllib.parse.quote(v, safe="").lower() if v.islower() else urllib.parse.quote(v),
    "html": html.escape,
    "html text": lambda v: html.escape(v, quote=False),
    "repr": repr,
    "ascii": ascii,
    "in a list": lambda v: repr([v, "x"]),
    "bytes": lambda v: repr(v.encode()),
    "beside quotes": lambda v: repr(f"'{v}\""),
    "beside a quote": lambda v: repr(f"{v}'"),
    "shell": shlex.quote,
    "hex": lambda v: v.encode().hex(),
    "HEX": lambda v: v.encode().hex().upper(),
    "base64": lambda v: base64.b64encode(v.encode()).decode(),
    "base64 for urls": lambda v: base64.urlsafe_b64encode(v.encode()).decode(),
    "basic authentication": lambda v: base64.b64encode(f"user:{v}".encode()).decode(),
    "two before": lambda v: base64.b64encode(f"me{v}xyz".encode()).decode(),
    "exception": lambda v: str(KeyError(v)),
}


def left(value: str, text: str) -> bool:
    """Whether a longer part of a secret can be read."""
    return any(form.decode() in text for form in forms(value))


@pytest.mark.parametrize("value", [VALUE, "simple-password-1", "pässwörter", "p4ss w0rd", "a" * 300], ids=str)
@pytest.mark.parametrize("written", WRITTEN.values(), ids=list(WRITTEN))
def test_a_secret_is_masked_however_it_is_written(value, written):
    text = f"before {written(value)} behind"
    masked = Mask([value]).text(text)
    assert masked.startswith("before ")
    assert masked.endswith(" behind")
    assert "***" in masked
    assert not left(value, masked)
    assert value not in masked


@pytest.mark.parametrize("line", [line.strip() for line in KEY.splitlines()])
def test_each_line_of_a_long_secret_is_masked(line):
    assert Mask([KEY]).text(f"> {line} <") == "> *** <"
    assert Mask([KEY]).text(json.dumps(KEY)) == '"***"'
    assert Mask([KEY]).text(KEY) in ("***", "***\n")


@pytest.mark.parametrize("width", [76, 64])
def test_base64_in_lines_is_masked(width):
    value = "".join(chr(33 + i % 90) for i in range(400))
    encoded = base64.b64encode(value.encode()).decode()
    lines = [encoded[at : at + width] for at in range(0, len(encoded), width)]
    masked = Mask([value]).text("\n".join(lines))
    assert not any(line in masked for line in lines if len(line) >= 6)


def test_what_a_shell_makes_of_it_is_masked():
    done = subprocess.run(["sh", "-xc", f"printf %s {shlex.quote(VALUE)}"], capture_output=True, text=True, check=True)
    assert not left(VALUE, Mask([VALUE]).text(done.stdout + done.stderr))


def test_short_values_are_left():
    assert Mask(["abc", "", "  a "]).text("abc a  a ") == "abc a  a "
    assert Mask(["abcd"]).text("abcd") == "***"


def test_overlapping_secrets_leave_nothing():
    assert Mask(["secretone", "onesecret"]).text("<secretonesecretone>") == "<***>"
    assert Mask(["longsecret", "longsecret-longer"]).text("longsecret-longer longsecret") == "*** ***"


def test_a_secret_in_an_encoded_picture_does_not_come_about_by_chance():
    import random

    picture = base64.b64encode(random.Random(1).randbytes(2**20)).decode()
    assert Mask(["hunter22"]).text(picture) == picture


WORDS = st.text(alphabet="abné\n ", min_size=4, max_size=9)


@given(st.lists(WORDS, min_size=1, max_size=3), st.lists(st.one_of(WORDS, st.integers(0, 2)), max_size=9), st.data())
@example(["aaaa"], ["aaaaaaaa", 0, "aaaa"], None)
def test_pieces_are_masked_as_the_whole(values, parts, data):
    """Wherever the cuts are, and whatever stands around."""
    text = "".join(values[part % len(values)] if isinstance(part, int) else part for part in parts)
    whole = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6))) if data else [3]
    mask = Mask(values)
    stream = Stream(mask)
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    said = [stream.feed(piece) for piece in pieces]
    ended = stream.end()
    expected = mask.data(whole)
    assert b"".join(said) == expected[: len(b"".join(said))]
    rest = expected[len(b"".join(said)) :]
    assert ended == rest or (b"***" in ended and not any(v.encode() in ended for v in values if len(v.strip()) > 3))


@given(st.text(), st.lists(st.integers(0, 50), max_size=5))
def test_text_without_secrets_is_left_as_it_is(text, cuts):
    mask = Mask(["Sesame-Open-1"])
    whole = text.encode("utf-8", "surrogatepass")
    stream = Stream(mask)
    cuts = sorted(min(cut, len(whole)) for cut in cuts)
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert b"".join([*map(stream.feed, pieces), stream.end()]) == whole
    assert mask.text(text) == text


def test_lines_are_not_kept_back():
    stream = Stream(Mask(["secret-value"]))
    assert stream.feed(b"a line\n") == b"a line\n"
    assert stream.feed(b"the sec") == b"the "
    assert stream.feed(b"ond line\n") == b"second line\n"


def test_half_a_secret_at_the_end_is_masked():
    """Its writer was killed."""
    stream = Stream(Mask(["secret-value"]))
    assert stream.feed(b"is secret-va") == b"is "
    assert stream.end() == b"***"
    assert stream.feed(b"so se") + stream.end() == b"so se"


def test_what_is_kept_back_is_bounded():
    stream = Stream(Mask(["aaaa"]))
    for _ in range(100):
        stream.feed(b"a" * 1000)
        assert len(stream._kept) < 10_000
    assert stream.end().strip(b"*") == b""
