"""Keys of the bundle's statement: ed25519, in PEM files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rollbook.errors import BadInputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNING_KEY = "ROLLBOOK_SIGNING_KEY"
"""Names the PEM file of the private key that bundles are signed with."""
_MAKE = "Make one with: openssl genpkey -algorithm ed25519 -out key.pem"
_WRITE_PUBLIC = "Write it with: openssl pkey -in key.pem -pubout -out key.pub.pem"


def signer_of(environ: Mapping[str, str]) -> Ed25519PrivateKey | None:
    """The key that the environment names; None when it names none. BadInputError for a bad key file."""
    path = environ.get(SIGNING_KEY, "")
    return signing_key(Path(path).expanduser()) if path else None


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key (PKCS #8 PEM, no password). BadInputError when it is none, or not ed25519."""
    # Imported here: most commands sign nothing.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _read(path)
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        locked = isinstance(error, TypeError)
        raise BadInputError(
            f"{path} is not a private key that can be used",
            why="it is locked with a password" if locked else "it is no private key in PEM",
            next_step=_MAKE,
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInputError(f"{path} is not an ed25519 key", next_step=_MAKE)
    return key


def public_key(path: Path) -> str:
    """Read a public key (PEM); its 32 bytes in hex. BadInputError when it is none, or not ed25519."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _read(path)
    if b"PRIVATE KEY" in content:
        raise BadInputError(
            f"{path} is a private key", why="to verify, the public one is enough", next_step=_WRITE_PUBLIC
        )
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadInputError(f"{path} is not a public key in PEM", next_step=_WRITE_PUBLIC) from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadInputError(f"{path} is not an ed25519 key", next_step=_MAKE)
    return key.public_bytes_raw().hex()


def signature_fits(public: str, signature: bytes, content: bytes) -> bool:
    """Whether a signature is that of a public key (hex) over the content. ValueError when it is no key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(f"the key {path} cannot be read", why=error.strerror or str(error)) from error
