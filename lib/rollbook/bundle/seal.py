"""Seals a run's folder: `manifest.json`, and `statement.dsse.json`, a DSSE envelope around the statement."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from rollbook.bundle.envelope import Envelope
from rollbook.bundle.manifest import MANIFEST, STATEMENT, manifest_of
from rollbook.bundle.statement import statement_of
from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.folder import RunFolder, to_json, write_atomically

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def seal_bundle(folder: RunFolder, key: Ed25519PrivateKey | None = None) -> Path:
    """Write the manifest and the statement, signed when there is a key; the path of the statement.

    To be called when nothing else will be written. An envelope without a signature has an empty list of
    them. Raises EnvironmentFailedError when the disk refuses, and what reading `run.json` and the journal
    raises.
    """
    unseal(folder)
    manifest = manifest_of(folder.path)
    content = to_json(manifest.to_json())
    payload = statement_of(folder.path, manifest, hashlib.sha256(content).hexdigest())
    envelope = Envelope(payload)
    if key is not None:
        envelope = envelope.signed(key)
    write_atomically(folder.path / MANIFEST, content)
    write_atomically(folder.path / STATEMENT, envelope.to_bytes())
    return folder.path / STATEMENT


def unseal(folder: RunFolder) -> bool:
    """Take manifest and statement away, for a run that goes on; whether there was a statement.

    What they said would be wrong from now on, and look like a forgery. EnvironmentFailedError when they
    cannot be removed.
    """
    was = (folder.path / STATEMENT).exists()
    try:
        (folder.path / STATEMENT).unlink(missing_ok=True)
        (folder.path / MANIFEST).unlink(missing_ok=True)
    except OSError as error:
        raise EnvironmentFailedError(
            f"the seal of {folder.run_id} cannot be removed", why=error.strerror or str(error)
        ) from error
    return was
