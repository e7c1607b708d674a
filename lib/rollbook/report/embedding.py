"""The view model as JSON, embedded in the page as data, and read from it again.

A long one is packed with bzip2: unlike those of zlib, its bytes are the same on every machine.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import hashlib
import json
import re
from functools import cache

from pydantic import TypeAdapter, ValidationError

from rollbook.errors import BadInputError, EvidenceInvalidError
from rollbook.report.model import SCHEMA, ViewModel

ELEMENT = "rollbook-view"
"""Id of the element that holds the model."""
PACKED = "bz2"
LONGEST_PLAIN = 50_000
"""Characters of a model that is not packed."""
LARGEST_BYTES = 64 * 2**20
"""No model is larger; a page that says otherwise was not made by rollbook."""
_SCRIPT = re.compile(
    rb'<script type="application/json" id="' + ELEMENT.encode() + rb'" data-sha256="([^"]*)">(.*?)</script>',
    re.DOTALL,
)
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
"""So that no text of the model ends the element or begins a comment; to JSON both spellings are the same."""


@cache
def _adapter() -> TypeAdapter[ViewModel]:
    return TypeAdapter(ViewModel)


def to_json(model: ViewModel) -> str:
    """The model on one line, fields in their order, without those that have their default."""
    plain = _adapter().dump_python(model, mode="json", exclude_defaults=True)
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&]", lambda found: _ESCAPES[found[0]], text)


def packed(text: str) -> str:
    """The model's text as it stands in the page: as it is, or a long one as `{"bz2": "<base64>"}`."""
    if len(text) <= LONGEST_PLAIN:
        return text
    return json.dumps({PACKED: base64.b64encode(bz2.compress(text.encode())).decode()})


def digest(text: str) -> str:
    """SHA-256 (hex) of the model's text as it stands in the page."""
    return hashlib.sha256(text.encode()).hexdigest()


def from_page(page: bytes, name: str) -> ViewModel:
    """The model of a page. `name` is the page's name, for what is said of it.

    BadInputError when the page has no model or one of a newer rollbook; EvidenceInvalidError when the model
    was changed after the page was made.
    """
    found = _SCRIPT.findall(page)
    if len(found) != 1:
        raise BadInputError(
            f"{name} is not a report that can be made again",
            why="it has no view model in it" if not found else "it has more than one view model in it",
            next_step="Give a report.html that rollbook wrote.",
        )
    declared, text = found[0]
    raw = _object(text, name)
    if PACKED in raw:
        raw = _object(_unpacked(raw[PACKED], name), name)
    version = raw.get("schema")
    if isinstance(version, int) and version > SCHEMA:
        raise BadInputError(
            f"{name} was made by a newer rollbook",
            why=f"the schema of its view model is {version}, and this rollbook knows {SCHEMA}",
            next_step="Use a rollbook that is as new as the one that made it.",
        )
    actual = hashlib.sha256(text).hexdigest()
    if declared.decode(errors="replace") != actual:
        raise EvidenceInvalidError(
            f"the view model of {name} was changed after the page was made",
            why=f"its SHA-256 is {actual[:12]}…, and the page says {declared.decode(errors='replace')[:12]}…",
            next_step="Make the page again from the run's folder: rollbook report RUN.",
        )
    try:
        return _adapter().validate_python(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise EvidenceInvalidError(
            f"the view model of {name} cannot be read", why=f"{where}: {first['msg']}"
        ) from error


def _unpacked(packed: object, name: str) -> bytes:
    try:
        decompressor = bz2.BZ2Decompressor()
        text = decompressor.decompress(base64.b64decode(str(packed), validate=True), LARGEST_BYTES)
        whole = decompressor.eof
    except (OSError, ValueError, binascii.Error):
        text, whole = b"", False
    if not whole:
        raise EvidenceInvalidError(
            f"the view model of {name} cannot be read", why="it is damaged, or far too large"
        )
    return text


def _object(text: bytes, name: str) -> dict[str, object]:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EvidenceInvalidError(f"the view model of {name} cannot be read", why=str(error)) from error
    if not isinstance(raw, dict):
        raise EvidenceInvalidError(f"the view model of {name} cannot be read", why="it is not a JSON object")
    return raw
