"""Secrets that are known by their shape alone: keys of AWS, tokens, private keys, passwords in URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_QUOTE = r"(?:\\*[\"']|&(?:quot|apos|\#34|\#39|\#x27);)"
# A name in quotes (a JSON key) is followed by a value in quotes, or the match would reach out of a string.
_IS = rf"(?P<quoted>{_QUOTE})?\s{{0,8}}[=:]\s{{0,8}}(?(quoted){_QUOTE}|{_QUOTE}?)"
_SCHEMES = "bearer|basic|digest|token|aws4-hmac-sha256"


@dataclass(frozen=True)
class Shape:
    """A kind of secret: what it is called, where it may begin (in lower case), and how it goes on.

    The group `secret` of the pattern is what nobody may see. No pattern matches quotes or a lone backslash
    in it, so that cutting it out leaves JSON as JSON.
    """

    name: str
    anchors: tuple[str, ...]
    pattern: re.Pattern[str]


def _shape(name: str, anchors: tuple[str, ...], pattern: str, flags: int = 0) -> Shape:
    return Shape(name, anchors, re.compile(pattern, flags | re.ASCII))


SHAPES = (
    _shape("AWS access key id", ("akia", "asia"), r"(?P<secret>(?:AKIA|ASIA)[A-Z0-9]{16,124})"),
    _shape(
        "secret access key",
        ("secret",),
        rf"secret[_-]?(?:access[_-]?)?key{_IS}(?P<secret>[A-Za-z0-9/+=_-]{{16,}})",
        re.IGNORECASE,
    ),
    _shape(
        "session token",
        ("session", "security"),
        rf"(?:session|security)[_-]?token{_IS}(?P<secret>[A-Za-z0-9/+=_%.-]{{16,}})",
        re.IGNORECASE,
    ),
    _shape(
        "authorization",
        ("authorization",),
        rf"authorization{_IS}(?:(?:{_SCHEMES})\s{{1,8}})?+(?!(?:{_SCHEMES})\b)"
        r"(?P<secret>[A-Za-z0-9._~+/=:-]{6,})",
        re.IGNORECASE,
    ),
    _shape(
        "bearer token",
        ("bearer",),
        r"bearer(?:\s|%20|\+){1,8}(?P<secret>[A-Za-z0-9._~+/-]{16,}={0,2})",
        re.IGNORECASE,
    ),
    _shape(
        "JSON web token",
        ("eyj",),
        r"(?P<secret>eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,})",
    ),
    _shape(
        "GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"(?P<secret>(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{22,})",
    ),
    _shape(
        "private key",
        ("-----begin ",),
        r"(?P<secret>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:[A-Za-z0-9+/=\s:,.]|-(?!----)|\\+[nrt])*+-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        # One that was cut off: as many lines of base64 as follow.
        r"|(?:(?:\s|\\+[nrt])*+[A-Za-z0-9+/=]{16,})*+))",
    ),
    _shape(
        "password",
        ("://",),
        r"://[^\s/:@\"'<>\\?#]{0,128}:(?P<secret>[^\s/@\"'<>\\\[\]]{1,1024})@",
    ),
)


def shaped(text: str) -> Iterator[tuple[int, int, str]]:
    """Where a secret of a known shape stands in `text`, from and to, and what it is."""
    # The one letter whose lower case is longer would move everything after it.
    lowered = text.replace("\u0130", "I").lower()
    for shape in SHAPES:
        for anchor in shape.anchors:
            at = lowered.find(anchor)
            while at >= 0:
                found = shape.pattern.match(text, at)
                if found:
                    yield (*found.span("secret"), shape.name)
                at = lowered.find(anchor, found.end() if found else at + len(anchor))


def looks_like_a_secret(value: str) -> str:
    """Why `value` looks like a secret (`it looks like an AWS access key id`); empty when it does not.

    For values of parameters, which name a secret and never are one.
    """
    for _start, _end, name in shaped(value):
        article = "an" if name[0] in "Aa" else "a"
        return f"it looks like {article} {name}"
    if re.fullmatch(r"[A-Za-z0-9+][A-Za-z0-9/+]{39}", value) and all(
        re.search(letters, value) for letters in ("[A-Z]", "[a-z]", "[0-9]")
    ):
        return "it looks like a secret access key"
    return ""
