"""The bundle itself: is it sealed, and does it hold no secret?"""

from __future__ import annotations

from rollbook.bundle.manifest import EVIDENCE, ListedFile, digest_of, kind_of
from rollbook.coverage.lookup import WHOLE, Bundle, NoDataError, content, failed, proved, refer
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import check
from rollbook.evidence.seal import Seal
from rollbook.evidence.shapes import shaped


@check("journal.sealed")
def journal_sealed(bundle: Bundle) -> Finding:
    """The journal ends with a seal that fits all that stands before it."""
    ref = refer(bundle, "journal.jsonl", "the journal and its seal")
    seal = bundle.evidence.seal
    if seal.state is Seal.OPEN:
        raise NoDataError(seal.sentence, (ref,))
    return (proved if seal.state is Seal.SEALED else failed)(seal.sentence, ref)


@check("secrets.none_in_bundle")
def none_in_bundle(bundle: Bundle) -> Finding:
    """No file of the evidence holds anything of the shape of a key, a token, or a password in an address."""
    files = [file for file in bundle.evidence.files if kind_of(file.path) == EVIDENCE]
    for file in files:
        data, ref = content(bundle, file.path, "holds something of the shape of a secret")
        for _start, _end, kind in shaped(data.decode("utf-8", errors="replace")):
            return failed(f"{file.path} holds something of the shape of a {kind}.", ref)
    if not files:
        raise NoDataError("The run's folder is empty.")
    listed = [ListedFile(file.path, file.sha256, file.size_bytes, EVIDENCE) for file in files]
    whole = EvidenceRef(WHOLE, digest_of(listed), f"all {len(files)} files of the evidence")
    size = sum(file.size_bytes for file in files)
    return proved(f"None of {len(files)} files ({size:,} bytes) holds anything of a secret's shape.", whole)
