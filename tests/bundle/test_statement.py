"""What is stated about a run, and who signs it."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from tests.bundle.sealed import KEY, PUBLIC, add_gate, bundle, edit_run, write_keys
from tests.report import runs

from rollbook.bundle.envelope import pre_authentication_encoding
from rollbook.bundle.manifest import MANIFEST, STATEMENT, evidence_sha256, kind_of
from rollbook.bundle.seal import seal_bundle, unseal
from rollbook.bundle.signing import SIGNING_KEY, public_key, signer_of, signing_key
from rollbook.bundle.verify import verify
from rollbook.errors import BadInputError
from rollbook.evidence.folder import RunFolder


def statement(root: Path) -> dict[str, Any]:
    envelope = json.loads((root / STATEMENT).read_text())
    loaded = json.loads(base64.b64decode(envelope["payload"]))
    assert isinstance(loaded, dict)
    return loaded


def images(root: Path) -> list[str]:
    """Short digests of the images that are subjects."""
    return [one["digest"]["sha256"][:9] for one in statement(root)["subject"][1:]]


def test_it_is_a_test_result_about_the_manifest(tmp_path: Path) -> None:
    """Types as in-toto has them; the first subject is the manifest, by digest."""
    root = bundle(tmp_path)
    told = statement(root)

    assert "https://in-toto.io/Statement/v1" == told["_type"]
    assert "https://in-toto.io/attestation/test-result/v0.1" == told["predicateType"]
    assert {"result", "configuration", "passedTests", "warnedTests", "failedTests"} == set(told["predicate"])
    subject = told["subject"][0]
    assert (MANIFEST, hashlib.sha256((root / MANIFEST).read_bytes()).hexdigest()) == (
        subject["name"],
        subject["digest"]["sha256"],
    )
    assert evidence_sha256(root) == subject["annotations"]["evidence_sha256"]


def test_phases_and_gates_are_its_tests(tmp_path: Path) -> None:
    """A gate that had nothing to check is a warning."""
    told = statement(bundle(tmp_path))["predicate"]

    assert "WARNED" == told["result"]
    assert ["gate validate: alerts"] == told["warnedTests"]
    assert {"phase canary", "phase drill", "gate validate: running image"} <= set(told["passedTests"])
    assert [] == told["failedTests"]


@pytest.mark.parametrize(("passed", "result"), [(True, "PASSED"), (None, "WARNED"), (False, "FAILED")])
def test_the_worst_gate_decides(tmp_path: Path, passed: bool | None, result: str) -> None:
    """One refusal makes the run a failed one, whatever its exit code says."""
    folder = runs.refused_run(tmp_path)
    (folder.path / "journal.jsonl").unlink()
    edit_run(folder, phases=[], outcome={"exit_code": 0, "sentence": ""})
    add_gate(folder, "one", passed=passed)
    seal_bundle(folder)

    assert result == statement(folder.path)["predicate"]["result"]


def test_a_run_that_failed_is_not_passed(tmp_path: Path) -> None:
    """Phases that failed are named; those that were not reached are neither passed nor failed."""
    folder = runs.cancelled_run(tmp_path)
    seal_bundle(folder)
    told = statement(folder.path)["predicate"]

    assert ("FAILED", ["phase canary"], []) == (told["result"], told["failedTests"], told["passedTests"])


def test_only_what_was_left_in_service_is_a_subject(tmp_path: Path) -> None:
    """The faulty image of a drill, sent back as expected, must not be taken for one that passed."""
    assert ["7d4b9c6f5"] == images(bundle(tmp_path))


def test_of_a_failed_run_the_images_that_it_tried_are_subjects(tmp_path: Path) -> None:
    """So that whoever looks an image up learns that it failed."""
    folder = runs.refused_run(tmp_path)
    seal_bundle(folder)

    assert ("FAILED", ["7d4b9c6f5"]) == (statement(folder.path)["predicate"]["result"], images(folder.path))


def test_the_evidence_has_a_digest_that_sha256sum_can_make(tmp_path: Path) -> None:
    """Lines of digest and path, sorted; derived files and seals are not among them."""
    root = bundle(tmp_path)
    paths = sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and path.name not in {MANIFEST, STATEMENT}
    )
    wanted = [path for path in paths if kind_of(path) == "evidence"]
    lines = subprocess.run(["sha256sum", *wanted], cwd=root, capture_output=True, check=True).stdout

    assert hashlib.sha256(lines).hexdigest() == evidence_sha256(root)
    assert {"report.html", "summary.md", "junit.xml", "coverage.json", "notebooks/canary.html"} < (
        set(paths) - set(wanted)
    )


def test_a_derived_file_does_not_change_the_evidence(tmp_path: Path) -> None:
    """So that the report can show the digest of what it is made from."""
    root = bundle(tmp_path)
    before = evidence_sha256(root)
    (root / "report.html").write_text(before)
    assert before == evidence_sha256(root)
    (root / "traffic/canary.csv").write_text("")
    assert before != evidence_sha256(root)


def test_sealing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    """Nothing in the seal depends on when it is made."""
    root = bundle(tmp_path, key=KEY)
    before = [(root / name).read_bytes() for name in (MANIFEST, STATEMENT)]
    seal_bundle(RunFolder(root), KEY)
    assert before == [(root / name).read_bytes() for name in (MANIFEST, STATEMENT)]


def test_a_run_that_goes_on_is_not_sealed(tmp_path: Path) -> None:
    """Its seal is taken away, and verifying says that the run has no statement."""
    root = bundle(tmp_path)

    assert [True, False] == [unseal(RunFolder(root)) for _ in range(2)]
    (problem,) = verify(root).problems
    assert ("unsealed", True) == (problem.kind, "cut off before its end" in problem.sentence)


def test_what_is_signed_is_encoded_as_dsse_says() -> None:
    """The example of DSSE's own protocol."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert expected == pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")


def test_a_signature_holds_for_its_key_only(tmp_path: Path) -> None:
    """The right key, another key, no key, and no signature."""
    signed, unsigned = bundle(tmp_path / "a", key=KEY), bundle(tmp_path / "b")
    other = "00" * 32

    assert (True, (PUBLIC,)) == (verify(signed, PUBLIC).holds, verify(signed).signed_by)
    assert ["it is signed, but not with this key"] == [one.sentence for one in verify(signed, other).problems]
    assert ["it is not signed at all"] == [one.sentence for one in verify(unsigned, PUBLIC).problems]
    assert (True, ()) == (verify(unsigned).holds, verify(unsigned).signed_by)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
def test_openssl_can_check_the_signature(tmp_path: Path) -> None:
    """It needs the public key and nothing of ours."""
    root = bundle(tmp_path, key=KEY)
    _private, public = write_keys(tmp_path)
    envelope = json.loads((root / STATEMENT).read_text())
    payload = base64.b64decode(envelope["payload"])
    (tmp_path / "signed").write_bytes(pre_authentication_encoding(envelope["payloadType"], payload))
    (tmp_path / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))

    files = ("-inkey", public, "-in", tmp_path / "signed", "-sigfile", tmp_path / "sig")
    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-rawin", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, True) == (done.returncode, "Verified Successfully" in done.stdout)


def test_keys_are_read_from_pem(tmp_path: Path) -> None:
    """The environment names the private one; the public one is its 32 bytes."""
    private, public = write_keys(tmp_path)

    found = signer_of({SIGNING_KEY: str(private)})

    assert found is not None
    assert PUBLIC == found.public_key().public_bytes_raw().hex() == public_key(public)
    assert signer_of({}) is None


def test_keys_that_cannot_be_used_are_bad_input(tmp_path: Path) -> None:
    """Missing, no key, of another kind, locked, or the private one where the public one is enough."""
    private, public = write_keys(tmp_path)
    curve = generate_private_key(SECP256R1())
    pem = (Encoding.PEM, PrivateFormat.PKCS8)
    (tmp_path / "curve.pem").write_bytes(curve.private_bytes(*pem, NoEncryption()))
    spki = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "curve.pub.pem").write_bytes(curve.public_key().public_bytes(*spki))
    (tmp_path / "locked.pem").write_bytes(KEY.private_bytes(*pem, BestAvailableEncryption(b"x")))
    (tmp_path / "text.pem").write_text("no key")

    for name, words in {
        "none.pem": "cannot be read",
        "text.pem": "no private key in PEM",
        "key.pub.pem": "no private key in PEM",
        "curve.pem": "not an ed25519 key",
        "locked.pem": "locked with a password",
    }.items():
        with pytest.raises(BadInputError, match=words):
            signing_key(tmp_path / name)
    for path, words in (
        (private, "is a private key"),
        (tmp_path / "text.pem", "not a public key"),
        (tmp_path / "curve.pub.pem", "not an ed25519 key"),
    ):
        with pytest.raises(BadInputError, match=words):
            public_key(path)
    assert PUBLIC == public_key(public)
