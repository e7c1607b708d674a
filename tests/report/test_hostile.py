"""Texts of others: whatever stands in the record is shown as text, and breaks nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report import bundles, runs
from tests.report.test_page import Outline

from rollbook.coverage.model import Coverage, State
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Kind
from rollbook.launch import ci
from rollbook.report import again, build, render, write
from rollbook.report.texts import LONGEST, shown, visible

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that nobody sees, and that some programs obey."""
HOSTILE = {
    "markup": "</script><script>alert(1)</script><img src=x onerror=alert(2)>",
    "quotes": "\"'`><svg/onload=alert(3)>&lt;b&gt;&#60;{{ 7 * 7 }}{% raw %}",
    "end of style": "</style></title></textarea><!-- ]]> -->",
    "ANSI": "\x1b[31mred\x1b[0m \x1b]8;;http://evil.test\x07link\x1b]8;;\x07",
    "bidi": "user\u202e txt.exe\u2066 \u200f\u061c end",
    "Hebrew": "גרסה 1.2.0 שוחררה",
    "emoji": "release 🚀 👩‍💻 🇺🇳 e\u0301",
    "NUL": "a\x00b\x01c\x7fd\x85e",
    "surrogate": "half \ud83d of a pair",
    "lines": "one\u2028two\u2029three\r\nfour",
    "mathematics": r"$x_1^2$ \frac{a}{b} $",
    "long word": "w" * 5_000,
}


def poisoned(out: Path, evil: str) -> RunFolder:
    """A run in which everything that others wrote is that text."""
    folder = runs.full_run(out)
    run = folder.read_run()
    run["service"]["name"] = evil
    run["command"] = [evil]
    run["disclosures"] = [evil]
    run["outcome"]["sentence"] = evil
    run["components"][0] |= {"name": evil, "version": evil, "detail": evil}
    for phase in run["phases"]:
        phase["sentence"] = evil
        phase["parameters"] = {evil: evil}
        if phase["phase"] == "canary":
            phase["release"] |= {"version": evil, "digest": evil, "reference": evil}
            phase["verdict"] = evil
    run["phases"].append({"name": evil, "phase": evil, "runbook": evil, "outcome": evil, "verdict": evil})
    (folder.path / "run.json").write_text(json.dumps(run))
    manifest = runs.analysis_run(runs.GOOD)
    manifest["status"]["message"] = evil
    manifest["spec"]["metrics"][0] |= {"name": evil, "successCondition": evil, "provider": {}}
    manifest["status"]["metricResults"][0] |= {"name": evil, "phase": evil}
    path = next((folder.path / "objects" / "canary").glob("AnalysisRun-*.json"))
    path.write_text(json.dumps(manifest))
    metric = {"signal": evil, "side": evil, "unit": evil, "query": evil}
    whole = {**metric, "series": [{"points": [[runs.BEGAN.timestamp() + 50, 1.0]]}]}
    (folder.path / "metrics" / "canary" / "evil.json").write_text(json.dumps(whole))
    entry = {"passed": False, "expected": {"a": evil}, "got": evil, "sentence": evil, "evidence": [evil]}
    journal = folder.path / "journal.jsonl"
    lines = journal.read_text().splitlines()
    for seq, (kind, data) in enumerate(
        [(Kind.GATE, entry), (Kind.STEP, {"state": "failed", "error": evil})], start=len(lines) + 1
    ):
        line = {"v": 1, "seq": seq, "time": "2026-03-05T09:33:00+00:00", "phase": evil, "kind": kind.value}
        lines.append(json.dumps({**line, "name": evil, "source": evil, "data": data}))
    journal.write_text("\n".join(lines) + "\n")
    log = folder.path / "logs" / "canary" / "hello.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(evil.encode("utf-8", "surrogatepass") + b"\xff\xfe\x80 not UTF-8")
    text = evil.encode(errors="replace").decode()  # a file of JSON in UTF-8 cannot hold half a pair
    failed = bundles.result(0, State.FAILED)
    requirement = replace(failed.requirement, text=text, via=text, step=text, layer=text)
    results = (replace(failed, requirement=requirement),)
    bundles.write_coverage(folder, Coverage(results, folder.run_id, (text,)))
    return folder


@pytest.mark.parametrize("evil", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_text(evil: str, tmp_path: Path) -> None:
    """It is shown; the page is well-formed, small, without script and control character."""
    folder = poisoned(tmp_path, evil)
    page = write(folder, folder.report).read_bytes()
    outline = Outline(page.decode())

    assert [] == outline.open
    assert ["application/json"] == outline.scripts
    assert 0 == outline.tags["img"] + outline.tags["textarea"] + outline.tags["iframe"]
    assert [] == [at for at in outline.addresses if re.match(r"\w+:|//", at)]
    assert set() == {at[1:] for at in outline.addresses if at.startswith("#")} - set(outline.ids)
    assert {} == {name: times for name, times in outline.ids.items() if times > 1}
    assert [] == UNSEEN.findall(page.decode())
    assert visible(evil[:40]).split()[0] in " ".join(outline.text)
    assert 1_000_000 > len(page)
    assert page == again(folder.report, tmp_path / "again.html").read_bytes()
    assert "" == ci.write(folder, {})
    assert 200_000 > (folder.path / "summary.md").stat().st_size


def test_ten_megabytes_are_cut(tmp_path: Path) -> None:
    """A sentence, a gate, a pod's log and a requirement of ten megabytes each are shown in a few lines."""
    long = "ten " * 2_500_000
    folder = runs.full_run(tmp_path)
    bundles.set_run(folder, service={"name": long}, outcome={"exit_code": 0, "sentence": long})
    folder.journal("validate", runs.HandClock()).append(Kind.GATE, "long", {"passed": True, "sentence": long})
    folder.write_log("canary", "hello", long)
    failed = bundles.result(0, State.FAILED)
    requirement = replace(failed.requirement, text=long)
    bundles.write_coverage(folder, Coverage((replace(failed, requirement=requirement),), folder.run_id))
    page = render(build(folder))
    # Without the data of the page, which is packed when it is long.
    assert 2 == page.partition("<script")[0].count("(cut: 10,000,000 characters in all)")
    assert 300_000 > len(page)


def test_a_file_of_any_name_is_listed(tmp_path: Path) -> None:
    """A file whose name is no UTF-8, or markup, is listed and leads nowhere else."""
    folder = runs.full_run(tmp_path)
    for name in (b"\xff\xfe", b"<b>.txt", b"\xe2\x80\xae.txt", b"a\nb"):
        (Path(folder.path) / Path(name.decode(errors="surrogateescape"))).write_text("")
    page = render(build(folder))
    assert "&lt;b&gt;.txt" in page
    assert "⟨U+202E⟩.txt" in page
    assert [] == Outline(page).open


@given(st.text(st.characters(), max_size=60))
def test_every_character_can_be_seen(text: str) -> None:
    """No control character is left, what is plain stays plain, and seeing twice changes nothing."""
    told = visible(text)
    assert [] == UNSEEN.findall(told)
    assert told == visible(told)
    if text.isascii() and text.isprintable():
        assert text == told


def test_a_cut_text_says_so() -> None:
    """A text that is too long ends with how long it was."""
    assert "x" * LONGEST == shown("x" * LONGEST)
    assert "x" * LONGEST + "… (cut: 10,000,000 characters in all)" == shown("x" * 10_000_000)
