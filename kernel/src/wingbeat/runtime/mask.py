"""Masking: the values of secrets, in the forms in which programs write them, become ``***``.

The forms are those that programs produce without meaning to: the text itself and each of its lines, escaped as in JSON, a
URL, HTML, a shell or Python's `repr`, in hexadecimal, and in Base64, also inside of something longer. What is computed from a
secret in any other way is not recognised.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

STARS = b"***"
MASKED_CHARS_MIN = 4
"""Shorter values would be found everywhere, and masking them would tell them. They are left as they are."""
_PART_CHARS_MIN = 6
"""The shortest piece of Base64 that is looked for: shorter ones are in every picture."""
_WRAPPED = (76, 64)
"""Length of lines of Base64, by ``base64`` and by ``openssl``."""
_HELD_MORE = 4096

Span = tuple[int, int]


class Mask:
    """Masks values in bytes and texts.

    Args:
        values: The values of secrets.
    """

    def __init__(self, values: Iterable[str]) -> None:
        found = {form for value in values for text in {value, *value.splitlines()} for form in forms(text)}
        self._forms = sorted(found, key=len, reverse=True)
        self._held_max = 4 * len(self._forms[0]) + _HELD_MORE if self._forms else 0

    def data(self, data: bytes) -> bytes:
        """The bytes, masked."""
        return _starred(data, self._spans(data))

    def text(self, text: str) -> str:
        """The text, masked."""
        if not self._forms:
            return text
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def _spans(self, data: bytes) -> list[Span]:
        """What has to be masked: where forms are, those that overlap put together."""
        found: list[Span] = []
        for form in self._forms:
            at = data.find(form)
            while at >= 0:
                found.append((at, at + len(form)))
                at = data.find(form, at + 1)
        return _joined(found)

    def _open(self, data: bytes) -> int:
        """From where on the data may be the beginning of a form that goes on behind it."""
        first = len(data)
        for form in self._forms:
            at = data.find(form[:1], max(0, len(data) - len(form) + 1))
            while -1 < at < first:
                if form.startswith(data[at:]):
                    first = at
                    break
                at = data.find(form[:1], at + 1)
        return first


class Stream:
    """Masks bytes that come in pieces: what may be the beginning of a secret is kept back until more is known."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._kept = b""

    def feed(self, piece: bytes) -> bytes:
        """What can be said of everything so far, and was not said before."""
        data = self._kept + piece
        spans = self._mask._spans(data)  # noqa: SLF001  # the two are one
        end = self._mask._open(data)  # noqa: SLF001
        end = next((start for start, stop in spans if start < end < stop), end)
        if len(data) - end > self._mask._held_max:  # noqa: SLF001
            end = len(data)
        self._kept = data[end:]
        return _starred(data[:end], [span for span in spans if span[1] <= end])

    def end(self) -> bytes:
        """The rest. What might have become a secret is masked too: its writer was killed halfway, maybe."""
        data, self._kept = self._kept, b""
        start = self._mask._open(data)  # noqa: SLF001
        begun = [(start, len(data))] if len(data) - start >= MASKED_CHARS_MIN else []
        return _starred(data, _joined([*self._mask._spans(data), *begun]))  # noqa: SLF001


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, stop in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return joined


def _starred(data: bytes, spans: list[Span]) -> bytes:
    if not spans:
        return data
    parts, at = [], 0
    for start, stop in spans:
        parts += [data[at:start], STARS]
        at = stop
    return b"".join([*parts, data[at:]])


def forms(value: str) -> Iterator[bytes]:
    """The forms in which a value is recognised; none if it is too short."""
    for text in {value, value.strip()}:
        if len(text.strip()) >= MASKED_CHARS_MIN:
            yield from (form.encode() for form in {text, *_escaped(text)})
            yield from _in_base64(text.encode())
            yield from (text.encode().hex().encode(), text.encode().hex().upper().encode())


def _escaped(text: str) -> Iterator[str]:
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield json.dumps(text)[1:-1].replace("/", "\\/")
    quoted_too = (
        text + '"'
    )  # so that Python puts it in single quotes, and escapes those, as it does or not among others
    for shown in (repr(quoted_too)[1:-2], ascii(quoted_too)[1:-2], repr(quoted_too.encode())[2:-2]):
        yield shown
        yield shown.replace("\\'", "'")
    for quoted in (quote(text), quote(text, safe=""), quote_plus(text), quote(text, safe="!~*'()")):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    yield html.escape(text)
    yield html.escape(text, quote=False)
    yield html.escape(text, quote=False).replace('"', "&quot;")
    yield html.escape(text, quote=False).replace('"', "&#34;").replace("'", "&#39;")
    yield shlex.quote(text).removeprefix("'").removesuffix("'")


def _in_base64(data: bytes) -> Iterator[bytes]:
    """All of it, and what is the same wherever it stands in something longer."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(data)
        yield whole
        for width in _WRAPPED:
            if len(whole) > width:
                lines = [whole[at : at + width] for at in range(0, len(whole), width)]
                yield from (line for line in lines if len(line) >= _PART_CHARS_MIN)
        for before in range(3):
            bits = 8 * (before + len(data))
            part = encode(bytes(before) + data)[-(-8 * before // 6) : bits // 6]
            if len(part) >= _PART_CHARS_MIN:
                yield part
