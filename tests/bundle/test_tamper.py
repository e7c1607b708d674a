"""Whatever is changed in a sealed bundle is found, and named."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.bundle.sealed import KEY, PUBLIC, bundle

from rollbook.bundle.manifest import MANIFEST, STATEMENT
from rollbook.bundle.seal import seal_bundle
from rollbook.bundle.verify import verify
from rollbook.evidence.folder import RunFolder

ONE_OF_EACH = {
    "run.json": "run.json",
    "journal": "journal.jsonl",
    "traffic": "traffic/canary.csv",
    "metric": "metrics/canary/p95.stable.json",
    "object": "objects/canary/AnalysisRun-hello-7d4b9c6f5-2.json",
    "log": "logs/canary/hello-1.log",
    "notebook": "notebooks/canary.ipynb",
    "notebook page": "notebooks/canary.html",
    "report": "report.html",
    "summary": "summary.md",
    "junit": "junit.xml",
    "coverage": "coverage.json",
    "manifest": MANIFEST,
    "statement": STATEMENT,
    "record": "evidence/sha256/*/*",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed bundle, never changed."""
    return bundle(tmp_path_factory.mktemp("whole"), key=KEY)


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(whole, tmp_path / whole.name))


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def one(root: Path, kind: str) -> Path:
    """The file of a kind."""
    return sorted(root.glob(ONE_OF_EACH[kind]))[0]


def found(root: Path) -> set[str]:
    """Names of what does not verify."""
    return {problem.path for problem in verify(root).problems}


def name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def test_a_bundle_that_nobody_changed_verifies(whole: Path) -> None:
    """Nothing is found in it, however often it is looked at, and under another name."""
    assert (True, set()) == (verify(whole).holds, found(whole))
    assert 3 == verify(whole).records


def test_each_kind_of_file_is_in_the_bundle(whole: Path) -> None:
    """The suite would prove nothing about a kind that is not there."""
    assert [] == [kind for kind, pattern in ONE_OF_EACH.items() if not list(whole.glob(pattern))]


@pytest.mark.parametrize("kind", ONE_OF_EACH)
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_one_byte_changed(root: Path, kind: str, where: str) -> None:
    """In any file, at its start, in its middle or at its end: that very file is named."""
    path = one(root, kind)
    content = bytearray(path.read_bytes())
    at = {"first": 0, "middle": len(content) // 2, "last": len(content) - 1}[where]
    content[at] ^= 1
    path.write_bytes(content)

    assert name(root, path) in found(root)


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_a_file_emptied_removed_or_grown(root: Path, kind: str) -> None:
    """Each is named, as what was done to it."""
    path = one(root, kind)
    content = path.read_bytes()
    for changed in (b"", content + b"\n", content[: len(content) // 2]):
        path.write_bytes(changed)
        assert name(root, path) in found(root)
    path.unlink()
    assert name(root, path) in found(root)
    path.write_bytes(content)
    assert set() == found(root)


@pytest.mark.parametrize("kind", sorted(set(ONE_OF_EACH) - {"manifest", "statement"}))
def test_a_file_renamed(root: Path, kind: str) -> None:
    """It is told what it is called now."""
    path = one(root, kind)
    path.rename(path.with_name("elsewhere.txt"))

    told = {(problem.path, problem.kind, problem.sentence) for problem in verify(root).problems}

    new = name(root, path.with_name("elsewhere.txt"))
    assert (name(root, path), "renamed", f"it is called {new} now") in told
    assert (new, "added") in {(where, kind) for where, kind, _ in told}


@pytest.mark.parametrize(
    "where", ["new.txt", ".hidden", "evidence/x", "deep/er/down.json", "traffic/canary2.csv"]
)
def test_a_file_added(root: Path, where: str) -> None:
    """Wherever it is put, hidden or not."""
    (root / where).parent.mkdir(parents=True, exist_ok=True)
    (root / where).write_text("new")

    assert where in found(root)


def test_a_copy_added_says_of_what(root: Path) -> None:
    """A file that holds what another one holds is named with it."""
    shutil.copy(root / "traffic/canary.csv", root / "traffic/copy.csv")

    (problem,) = verify(root).problems

    assert ("traffic/copy.csv", True) == (problem.path, "traffic/canary.csv" in problem.sentence)


@pytest.mark.parametrize("kind", sorted(ONE_OF_EACH))
def test_a_file_swapped_with_that_of_another_run(root: Path, tmp_path: Path, kind: str) -> None:
    """Files of a run that went just as well do not pass for those of this one."""
    other = bundle(tmp_path / "other", later_s=60)
    path, foreign = one(root, kind), one(other, kind)
    if foreign.read_bytes() == path.read_bytes():
        foreign.write_bytes(foreign.read_bytes() + b" ")
    path.unlink()
    put = root / foreign.relative_to(other)
    put.parent.mkdir(parents=True, exist_ok=True)
    put.write_bytes(foreign.read_bytes())

    assert name(root, path) in found(root)
    assert name(root, put) in found(root)


def test_two_files_swapped_with_each_other(root: Path) -> None:
    """Both are named, and each is told whose content it has."""
    first, second = root / "traffic/canary.csv", root / "traffic/drill.csv"
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)

    told = {problem.path: problem.sentence for problem in verify(root).problems}

    assert "it holds what traffic/drill.csv should hold" == told["traffic/canary.csv"]
    assert "it holds what traffic/canary.csv should hold" == told["traffic/drill.csv"]


@pytest.mark.parametrize("target", ["/etc/hostname", "copy.csv", "."])
def test_a_link_planted(root: Path, tmp_path: Path, target: str) -> None:
    """A link in place of a file is found, also when what it leads to is the very same content."""
    path = root / "traffic/canary.csv"
    shutil.copy(path, tmp_path / "copy.csv")
    path.unlink()
    path.symlink_to(target if target != "copy.csv" else tmp_path / "copy.csv")

    assert "traffic/canary.csv" in found(root)


def test_a_pipe_planted(root: Path) -> None:
    """It is named, and nobody waits for it."""
    os.mkfifo(root / "pipe")

    assert {"pipe"} == found(root)


@pytest.mark.parametrize("line", [0, 5, -1])
def test_a_line_of_the_journal_removed(root: Path, line: int) -> None:
    """The first, one in the middle, or the seal."""
    path = root / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    del lines[line]
    path.write_bytes(b"".join(lines))

    assert "journal.jsonl" in found(root)


def test_a_record_edited_under_its_new_digest(root: Path) -> None:
    """A record that is named after what it holds now is a new one, and the old one is missing."""
    path = one(root, "record")
    content = path.read_bytes().replace(b'"200"', b'"404"')
    digest = hashlib.sha256(content).hexdigest()
    path.unlink()
    new = root / f"evidence/sha256/{digest[:2]}/{digest}.json"
    new.parent.mkdir(exist_ok=True)
    new.write_bytes(content)

    assert {name(root, path), name(root, new)} == found(root)


def test_the_manifest_made_to_fit(root: Path) -> None:
    """Whoever changes a file and its line in the manifest is found by the statement."""
    path = root / "summary.md"
    path.write_text("# All good\n")
    _list_anew(root, "summary.md")

    assert {MANIFEST} == found(root)


def _list_anew(root: Path, changed: str) -> None:
    """Give a changed file its new digest and size in the manifest."""
    content = (root / changed).read_bytes()
    manifest = json.loads((root / MANIFEST).read_text())
    entry = next(one for one in manifest["files"] if one["path"] == changed)
    entry |= {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (root / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def test_evidence_passed_off_as_derived(root: Path) -> None:
    """What is evidence is not the manifest's to say."""
    manifest = json.loads((root / MANIFEST).read_text())
    for entry in manifest["files"]:
        entry["kind"] = "derived"
    (root / MANIFEST).write_text(json.dumps(manifest))

    assert {MANIFEST} == found(root)
    assert any("calls run.json derived" in one.sentence for one in verify(root).problems)


def _statement(change: Callable[[dict[str, object]], None]) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        envelope = json.loads((root / STATEMENT).read_text())
        statement = json.loads(base64.b64decode(envelope["payload"]))
        change(statement)
        payload = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
        envelope["payload"] = base64.b64encode(payload).decode()
        (root / STATEMENT).write_text(json.dumps(envelope, indent=2, sort_keys=True) + "\n")

    return edit


def _envelope(change: Callable[[dict[str, object]], None]) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        envelope = json.loads((root / STATEMENT).read_text())
        change(envelope)
        (root / STATEMENT).write_text(json.dumps(envelope, indent=2, sort_keys=True) + "\n")

    return edit


@pytest.mark.parametrize("key", [KEY, None], ids=["signed", "unsigned"])
@pytest.mark.parametrize(
    "edit",
    [
        _statement(lambda one: one.update(predicate={"result": "PASSED", "configuration": []})),
        _statement(lambda one: one.update(subject=[])),
        _statement(lambda one: one.update(predicateType="https://example.com/other")),
        _statement(lambda one: one.update(more=1)),
        _envelope(lambda one: one.update(payload="bm8=")),
        _envelope(lambda one: one.update(payload="W10=")),
        _envelope(lambda one: one.update(payload="no base64")),
        _envelope(lambda one: one.update(payloadType="text/plain")),
        _envelope(lambda one: one.update(signatures=[{"keyid": "ab", "sig": "AAAA"}])),
        _envelope(lambda one: one.update(signatures="none")),
        _envelope(lambda one: one.update(more=1)),
        lambda root: (root / STATEMENT).write_text("[]"),
        lambda root: (root / STATEMENT).write_bytes(b"\xff\xfe"),
        lambda root: (root / STATEMENT).write_text("[" * 100_000),
    ],
)
def test_the_statement_edited(tmp_path: Path, key: object, edit: Callable[[Path], None]) -> None:
    """What it says, its type, its signatures: also of an unsigned one, for it follows from the evidence."""
    root = bundle(tmp_path, key=KEY if key else None)
    edit(root)

    assert STATEMENT in found(root)


def test_an_unsigned_bundle_made_anew_is_not_told_from_a_real_one_without_a_key(tmp_path: Path) -> None:
    """That is what the key is for: with it, a bundle that somebody sealed again does not verify."""
    root = bundle(tmp_path, key=KEY)
    (root / "summary.md").write_text("# All good\n")
    seal_bundle(RunFolder(root))

    assert verify(root).holds
    assert {STATEMENT} == {problem.path for problem in verify(root, PUBLIC).problems}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_of_any_file(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Random bytes changed in random files: every one of these files is named, and no other file.

    Only a changed manifest can no longer vouch for others: then it is named itself.
    """
    target = tmp_path / "copy"
    shutil.rmtree(target, ignore_errors=True)
    root = Path(shutil.copytree(whole, target))
    chosen = data.draw(st.lists(st.sampled_from(files(root)), min_size=1, max_size=4, unique=True))
    changed = set()
    for path in chosen:
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] ^= data.draw(st.integers(1, 255))
        if bytes(content) != path.read_bytes():
            path.write_bytes(content)
            changed.add(name(root, path))

    named = found(root)
    if MANIFEST in changed:
        assert MANIFEST in named
    else:
        assert changed <= named <= changed | {STATEMENT}


@example(content=b"")
@example(content=b"{}")
@example(content=b'{"v": 1, "run": "x", "evidence_sha256": "", "files": [{"path": "../../etc/passwd"}]}')
@example(content=b'{"v": 99, "run": "x", "evidence_sha256": "", "files": []}')
@example(content=b"[" * 100_000)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_any_manifest_at_all(whole: Path, tmp_path: Path, content: bytes) -> None:
    """Whatever stands in its place, it is named, and nothing breaks."""
    target = tmp_path / "copy"
    if not target.exists():
        shutil.copytree(whole, target)
    (target / MANIFEST).write_bytes(content)

    assert MANIFEST in found(target)
