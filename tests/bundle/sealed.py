"""Sealed bundles made by code, with every kind of file that a run leaves."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from tests.report import runs

from rollbook.bundle.seal import seal_bundle
from rollbook.evidence.answers import Asked
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.recorder import Recorder

KEY = Ed25519PrivateKey.from_private_bytes(b"a key for tests, known to all..."[:32])
PUBLIC = KEY.public_key().public_bytes_raw().hex()


def bundle(out: Path, *, key: Ed25519PrivateKey | None = None, later_s: float = 0.0) -> Path:
    """A whole run, sealed. `later_s` makes another run of it: its records are of another time."""
    folder = runs.full_run(out)
    clock = runs.HandClock(runs.BEGAN + timedelta(seconds=later_s))
    recorder = Recorder(folder, clock, "canary", lambda: 5)
    for weight in (20, 50, 100):
        answer = {"kind": "Rollout", "status": {"canary": {"weights": {"canary": {"weight": weight}}}}}
        recorder.record(Asked("kube-apiserver", "GET /rollouts/hello", {}), "200", answer)
        clock.sleep(1)
    folder.write_log("canary", "hello-1", "line 1\nline 2\n")
    folder.write_text("report.html", "<!doctype html><title>report</title>\n")
    folder.write_text("summary.md", "# Summary\n")
    folder.write_text("junit.xml", "<testsuites/>\n")
    folder.write_text("coverage.json", "{}\n")
    seal_bundle(folder, key)
    return folder.path


def add_gate(folder: RunFolder, name: str, *, passed: bool | None, at: datetime = runs.BEGAN) -> None:
    """A gate at the end of the journal."""
    from rollbook.evidence.journal import Kind

    folder.journal("validate", runs.HandClock(at)).append(Kind.GATE, name, {"passed": passed})


def write_keys(folder: Path, key: Ed25519PrivateKey = KEY) -> tuple[Path, Path]:
    """PEM files of a key: private, public."""
    private, public = folder / "key.pem", folder / "key.pub.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def edit_run(folder: RunFolder, **facts: object) -> None:
    """Change top-level facts of `run.json`."""
    run = json.loads((folder.path / "run.json").read_text())
    folder.write_run({**run, **facts})
