"""The DSSE envelope around the statement, `statement.dsse.json`, in the one spelling that rollbook writes.

Its form and what is signed are those of https://github.com/secure-systems-lab/dsse, `envelope.md` and
`protocol.md`. A signature's `keyid`, which DSSE leaves to the signer as a hint, is the public key itself:
so it can be checked for damage by whoever has no key, and for its origin by whoever has it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rollbook.bundle.signing import signature_fits
from rollbook.evidence.folder import to_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Envelope:
    """A payload and its signatures, each with the public key (hex) that it names."""

    payload: bytes
    signatures: tuple[tuple[str, bytes], ...] = ()

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The same with one more signature."""
        public = key.public_key().public_bytes_raw().hex()
        return Envelope(self.payload, (*self.signatures, (public, key.sign(self.to_be_signed()))))

    def to_be_signed(self) -> bytes:
        """What signatures are made over: the payload with its type and both lengths (DSSE calls it PAE)."""
        return pre_authentication_encoding(PAYLOAD_TYPE, self.payload)

    def to_bytes(self) -> bytes:
        """The file."""
        signatures = [{"keyid": public, "sig": _base64(one)} for public, one in self.signatures]
        return to_json(
            {"payload": _base64(self.payload), "payloadType": PAYLOAD_TYPE, "signatures": signatures}
        )

    def checked(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The public keys (hex) whose signatures hold, and a sentence for each signature that does not."""
        held, broken = [], []
        for public, signature in self.signatures:
            try:
                fits = signature_fits(public, signature, self.to_be_signed())
            except ValueError:
                broken.append(f"its signature names {public[:16]!r}, which is no ed25519 key")
                continue
            if fits:
                held.append(public)
            else:
                broken.append(f"its signature by {public[:16]} does not fit it")
        return tuple(held), tuple(broken)

    def subject_sha256(self, name: str) -> str:
        """SHA-256 (hex) of the statement's subject of that name; empty when there is none."""
        try:
            statement: Any = json.loads(self.payload)
        except (ValueError, RecursionError):
            return ""
        subjects = statement.get("subject") if isinstance(statement, Mapping) else None
        for subject in subjects if isinstance(subjects, list) else ():
            if isinstance(subject, Mapping) and subject.get("name") == name:
                digest = subject.get("digest")
                return str(digest.get("sha256", "")) if isinstance(digest, Mapping) else ""
        return ""


class _Signature(BaseModel):
    model_config = ConfigDict(strict=True)
    keyid: str = ""
    sig: str


class _File(BaseModel):
    model_config = ConfigDict(strict=True)
    payload: str
    payload_type: str
    signatures: list[_Signature]


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """DSSE's PAE, version 1."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read_envelope(content: bytes) -> tuple[Envelope | None, str]:
    """The envelope and a sentence about what is wrong with it; None when it cannot be read.

    Another spelling of the same JSON or base64 is a change too: rollbook did not write it.
    """
    try:
        raw = json.loads(content)
        read = _File.model_validate({**raw, "payload_type": raw["payloadType"]})
        signatures = tuple((one.keyid, base64.b64decode(one.sig, validate=True)) for one in read.signatures)
        envelope = Envelope(base64.b64decode(read.payload, validate=True), signatures)
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        return None, f"it is no DSSE envelope ({type(error).__name__})"
    if read.payload_type != PAYLOAD_TYPE:
        return envelope, "its payload is no in-toto statement"
    return envelope, "" if envelope.to_bytes() == content else "it is not spelled as it was written"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
