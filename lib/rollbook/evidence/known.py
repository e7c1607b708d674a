"""Which values are secrets: those of the environment, and what of them is worth looking for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from rollbook.evidence.spelling import SHORTEST

_SAYS_SECRET = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|PRIVATE_?KEY|CREDENTIAL|API_?KEY|ACCESS_?KEY"
    r"|TOKEN(?:_|\d|$)|_(?:PWD|PASS|AUTH)$"
)
_SAYS_WHERE = re.compile(
    r"_(?:FILE|PATH|DIR|ARN|NAME|ID|URL|URI|ENDPOINT|HOST|PORT|SOCK|TTL|EXPIRATION|VERSION|KEY_REF)$"
)
_PATHS = frozenset({"GOOGLE_APPLICATION_CREDENTIALS"})
_PASSWORD_IN_URL = re.compile(r"://[^\s/:@]*:([^\s/@]+)@")
_SHORTEST_LINE = 16
_COMMON_LETTERS = 8
_COMMON_DIGITS = 8
_COMMON = frozenset(
    re.findall(
        r"\S+",
        """
        administrator anonymous changeit changeme changeme123 disabled dummy123 example123 hello123 localhost
        minioadmin password password1 password123 passw0rd placeholder postgres postgresql production rollbook
        secret123 test1234 undefined username

        availability by_cause by_version cancelled components declared_s disclosures exit_code expected
        latency_s namespace notebook notebook_html observation parameters platform promoted reference
        rolled-back scheduled_s sentence time_to_detect_s time_to_roll_back_s timed-out
        """,
    )
)
"""What is no secret whoever uses it as one, and words of the record, which cannot be read without them."""


def says_secret(name: str) -> bool:
    """Whether a name (of a variable, a key) says that its value is a secret, and not where one is."""
    plain = re.sub(r"[^A-Z0-9]+", "_", name.upper())
    if plain == "AWS_ACCESS_KEY_ID":
        return True
    return plain not in _PATHS and bool(_SAYS_SECRET.search(plain)) and not _SAYS_WHERE.search(plain)


def known_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Secret values of an environment by the name of their variable; passwords in URLs are taken out."""
    found = {}
    for name, value in environ.items():
        if not value.strip():
            continue
        if says_secret(name):
            found[name] = value
        elif in_url := _PASSWORD_IN_URL.search(value):
            found[name] = unquote(in_url[1])
    return found


def too_common(value: str) -> str:
    """Why a value is not looked for: it would be found where it is no secret. Empty when it is."""
    if len(value) < SHORTEST:
        return f"it is shorter than {SHORTEST} characters"
    if value.lower() in _COMMON:
        return "it is a common word"
    if value.isdecimal() and len(value) < _COMMON_DIGITS:
        return f"it is a number of fewer than {_COMMON_DIGITS} digits"
    if value.isalpha() and value.isascii() and len(value) < _COMMON_LETTERS:
        return f"it is one word of fewer than {_COMMON_LETTERS} letters"
    if len(set(value)) < 3:  # ------, 000000000
        return "it repeats one or two characters"
    return ""


def parts(value: str) -> Iterator[str]:
    """A secret value, and what in it is a secret by itself: long lines, secret fields of a JSON object."""
    whole = value.strip()
    yield whole
    lines = whole.splitlines()
    if len(lines) > 1:
        yield from (
            line.strip()
            for line in lines
            if len(line.strip()) >= _SHORTEST_LINE and not line.strip().startswith("-----")
        )
    if whole.startswith("{"):
        try:
            fields = json.loads(whole)
        except ValueError:
            return
        yield from (text for name, text in fields.items() if isinstance(text, str) and says_secret(name))
