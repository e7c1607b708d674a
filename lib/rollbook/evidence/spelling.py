"""How a secret value may be spelled in a text: as it is, escaped for JSON, HTML, URLs, and in base64."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""Characters of the shortest value, and of the shortest spelling, that is looked for."""

_GO_ESCAPES = {"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"}
_DOUBLE_QUOTES = ("&quot;", "&#34;", '"')
_SINGLE_QUOTES = ("&#x27;", "&#39;", "&apos;", "'")


def spellings(value: str) -> frozenset[str]:
    """Every spelling of `value` that is looked for, `value` itself among them.

    Base64 is cut to the characters that do not depend on what stands before and after the value, at each of
    the three alignments, so that a longer text in base64 is found too.
    """
    in_json = frozenset(_json(value))
    found = {value, *in_json, *_urls(value), *_markup(value), *_source(value)}
    for text in (value, *in_json):
        for encoded in _base64(text):
            found |= {encoded, encoded.replace("/", r"\/"), *_urls(encoded)}
    return frozenset(one for one in found if len(one) >= SHORTEST)


def _json(value: str) -> Iterator[str]:
    """Inside a JSON string: Python's two ways, Go's, JavaScript's slash, all as \\u, and JSON within JSON."""
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield once.replace("/", r"\/")
        yield _upper_hex(once)
        go = "".join(_GO_ESCAPES.get(letter, letter) for letter in once)
        yield go
        yield json.dumps(once)[1:-1]
        yield json.dumps(go)[1:-1]
    units = value.encode("utf-16-be", errors="surrogatepass").hex()
    escaped = "".join(rf"\u{units[at : at + 4]}" for at in range(0, len(units), 4))
    yield escaped
    yield _upper_hex(escaped)


def _upper_hex(escaped: str) -> str:
    return re.sub(r"\\u[0-9a-f]{4}", lambda found: "\\u" + found[0][2:].upper(), escaped)


def _urls(value: str) -> Iterator[str]:
    """Percent-encoded, with the digits in upper and in lower case."""
    plain = value.encode("utf-8", errors="replace")
    for encoded in (quote(plain, safe=""), quote(plain), quote_plus(plain), quote_plus(plain, safe="/")):
        yield encoded
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)


def _markup(value: str) -> Iterator[str]:
    """In HTML, XML and SVG, with each way to write a quote; in an XML comment, where `--` cannot stand."""
    escaped = html.escape(value, quote=False)
    for double in _DOUBLE_QUOTES:
        for single in _SINGLE_QUOTES:
            one = escaped.replace('"', double).replace("'", single)
            yield one
            yield re.sub("-(?=-)", "- ", one)


def _source(value: str) -> Iterator[str]:
    """As Python shows text and bytes, in a shell's quotes, and with the line ends of a terminal."""
    yield repr(value)[1:-1]
    yield repr(value.encode("utf-8", errors="replace"))[2:-1]
    yield shlex.quote(value).removeprefix("'").removesuffix("'")
    yield value.replace("\n", "\r\n")


def _base64(value: str) -> Iterator[str]:
    plain = value.encode("utf-8", errors="replace")
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            whole = encode(b"\0" * before + plain).decode()
            first = (0, 2, 3)[before]  # characters that hold bits of what stands before
            own = (before + len(plain)) * 8 // 6  # those after it hold bits of what follows
            yield whole[first:own]
            # The value is the end of what was encoded: its last character and the padding are known too.
            yield whole[first:].rstrip("=")
            yield whole[first:]
