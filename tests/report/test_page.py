"""The page as a whole: for every kind of run, offline, safe, and the same bytes each time."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from tests.report import runs

from rollbook.errors import BadInputError, EnvironmentFailedError, EvidenceInvalidError
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Kind
from rollbook.report import render_folder as render
from rollbook.report import write

KINDS = {
    "full": (runs.full_run, "hello 1.1.0 was promoted"),
    "cut off": (runs.cut_off_run, "hello: the run did not finish"),
    "bare": (runs.bare_run, "The service: the run did not finish"),
    "refused": (runs.refused_run, "hello: a gate refused the release"),
    "cancelled": (runs.cancelled_run, "hello: the run was cancelled"),
    "empty traffic": (runs.empty_traffic_run, "hello 1.1.0 was promoted"),
}
VOID = {"meta", "link", "br", "img", "hr", "input", "wbr"}


class Outline(HTMLParser):
    """Collects what the tests ask of a page, and checks that its tags are balanced."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.headings: list[tuple[int, str]] = []
        self.addresses: list[str] = []
        self.referred: set[str] = set()
        self.scripts: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        given = {name: value or "" for name, value in attrs}
        self.ids.update([given["id"]] if "id" in given else [])
        self.addresses += [given[name] for name in ("href", "src", "action", "data") if name in given]
        self.referred.update(given.get("aria-labelledby", "").split())
        self.scripts += [given.get("type", "")] if tag == "script" else []
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.open and re.fullmatch("h[1-6]", self.open[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[RunFolder, str]:
    """A run of each kind, and the heading that its page must have."""
    build, heading = KINDS[request.param]
    return build(tmp_path), heading


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a full run."""
    return render(runs.full_run(tmp_path_factory.mktemp("runs")))


def test_every_kind_of_run_makes_a_page(kind: tuple[RunFolder, str]) -> None:
    """A page is made of every run, is headed by what happened, is well-formed, offline and small."""
    folder, heading = kind
    page = render(folder)
    outline = Outline(page)
    assert [] == outline.open
    assert [(1, heading)] == [one for one in outline.headings if one[0] == 1]
    levels = [level for level, _ in outline.headings]
    assert [] == [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1]
    assert {} == {name: times for name, times in outline.ids.items() if times > 1}
    assert set() == outline.referred - set(outline.ids)
    assert [] == [at for at in outline.addresses if re.match(r"\w+:|//", at)]
    assert [] == [at for at in outline.addresses if at.startswith("#") and at[1:] not in outline.ids]
    assert 0 == outline.tags["link"] + outline.tags["iframe"]
    assert ["application/json"] == outline.scripts
    assert [] == re.findall(r"@import|url\((?!#)", page)
    assert 1_000_000 > len(page.encode())


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two pages of one folder are equal, and a copy of the folder elsewhere gives the same page."""
    folder = runs.full_run(tmp_path)
    first = write(folder, folder.report).read_bytes()
    copied = RunFolder.open(Path(shutil.copytree(folder.path, tmp_path / "elsewhere" / folder.run_id)))
    assert first == write(folder, folder.report).read_bytes()
    assert first == write(copied, copied.report).read_bytes()


def test_links_lead_to_the_folder_from_wherever_the_page_is(tmp_path: Path) -> None:
    """A page written elsewhere links the executed notebooks by a relative path that exists."""
    folder = runs.full_run(tmp_path)
    out = write(folder, tmp_path / "pages" / "one.html")
    links = [at for at in Outline(out.read_text()).addresses if at.endswith(".html")]
    assert 10 == len(links)
    assert [] == [link for link in links if not (out.parent / link).is_file()]


def test_text_of_others_stays_text(tmp_path: Path) -> None:
    """Markup in the record's names, messages, versions and files is shown and not obeyed."""
    folder = runs.full_run(tmp_path)
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>$x_1$"
    run = folder.read_run()
    run["service"]["name"] = evil
    run["disclosures"] = [evil]
    for phase in run["phases"]:
        phase["sentence"] = evil
        phase["notebook_html"] = "javascript:alert(3)"
        phase["stable"] = {"version": evil, "hash": evil}
    run["phases"].append(
        {"name": f"../{evil}", "phase": "canary", "release": {"version": evil, "fault": evil}}
    )
    folder.write_run(run)
    journal = folder.journal("canary", runs.HandClock())
    journal.append(Kind.STEP, evil, {"state": "failed", "error": evil})
    journal.append(Kind.GATE, evil, {"passed": False, "expected": {"a": evil}, "got": None, "sentence": evil})
    outline = Outline(render(folder))
    assert ["application/json"] == outline.scripts
    assert 0 == outline.tags["img"]
    assert [] == [at for at in outline.addresses if "javascript" in at]
    assert any(evil in text for text in outline.text)


def test_first_screen_of_a_full_run(full: str) -> None:
    """The head says what was released, both verdicts with their numbers, and what is emulated."""
    head = re.sub(r"<[^>]+>", " ", full[full.index("<header") : full.index("<nav")])
    head = re.sub(r"\s+", " ", head.replace("\u00a0", " "))
    for words in (
        "1.0.0 → 1.1.0",
        "0 of 2,900 user requests failed",
        "14 of 14 measurements passed",
        "Rolled back, as expected",
        "0 of 1,561 requests on 1.1.0 failed",
        "Time to detect 14.0 s",
        "Time to roll back 480 ms",
        "emulated: node agent, ECR, Secrets Manager",
        "target: sandbox",
    ):
        assert words in head


def test_figures_are_named_and_take_the_colours_of_the_page(full: str) -> None:
    """Every figure has a title and a description, and no colour or font of its own."""
    figures = re.findall(r'<svg role="img".*?</svg>', full, flags=re.DOTALL)
    assert 18 == len(figures)
    assert (9, 9) == (sum("<title" in one for one in figures), sum("<desc" in one for one in figures))
    for figure in figures:
        assert [] == re.findall(r"#[0-9a-f]{6}|font-family|http", figure)


def test_a_verdict_against_expectation_is_not_headed_as_a_success(tmp_path: Path) -> None:
    """A run that claims success, with a canary that ended otherwise than expected, is headed in red."""
    folder = runs.full_run(tmp_path)
    run = folder.read_run()
    run["phases"][2]["verdict"] = "rolled-back"
    folder.write_run(run)
    page = render(folder)
    assert '<header class="head tone-bad">' in page
    assert "hello 1.1.0 was rolled back" in page


def test_measurements_that_did_not_pass_are_told_apart(tmp_path: Path) -> None:
    """A measurement without data is not counted as failed, and a run that was still going says so."""
    folder = runs.full_run(tmp_path)
    manifest = runs.analysis_run(runs.GOOD)
    manifest["status"]["phase"] = "Running"
    measured = manifest["status"]["metricResults"][0]
    measured["measurements"][0]["phase"] = "Inconclusive"
    measured |= {"successful": measured["successful"] - 1, "inconclusive": 1}
    folder.write_object("canary", "AnalysisRun", manifest["metadata"]["name"], manifest)
    page = render(folder).replace("\u00a0", " ")
    assert "13 of 14 measurements passed, 1 could not decide." in page
    assert "last seen Running" in page


def test_unreadable_parts_are_told_and_the_rest_is_shown(tmp_path: Path) -> None:
    """A torn metric, a torn log line and a broken journal are named at the top of the page."""
    folder = runs.full_run(tmp_path)
    (folder.path / "metrics" / "canary" / "p95.stable.json").write_text("{")
    with folder.traffic_log("drill").open("a") as log:
        log.write("17,torn\n")
    journal = folder.path / "journal.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([*lines[:2], "damaged", *lines[3:]]))
    head = render(folder).partition("<nav")[0]
    assert "metrics/canary/p95.stable.json could not be read" in head
    assert "The requests of drill are not shown: line 1702 of drill.csv cannot be read" in head
    assert "The journal could not be read" in head


def test_a_whole_record_has_nothing_to_say_about_its_seal(tmp_path: Path) -> None:
    """A sealed journal is not mentioned at the head of the page."""
    assert "seal" not in render(runs.full_run(tmp_path)).partition("<nav")[0]


def test_a_journal_without_a_seal_is_told(tmp_path: Path) -> None:
    """A run that has an end but no seal says that its journal may not be whole."""
    head = render(runs.refused_run(tmp_path)).partition("<nav")[0]
    assert "The journal is not sealed" in head


def test_a_record_that_was_changed_is_headed_so(tmp_path: Path) -> None:
    """Whatever the record claims, the page begins with the broken seal."""
    folder = runs.full_run(tmp_path)
    journal = folder.path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"weight": 20', b'"weight": 10', 1))
    page = render(folder)
    assert [(1, "hello: the record does not verify")] == [
        one for one in Outline(page).headings if one[0] == 1
    ]
    assert '<header class="head tone-bad">' in page
    assert "The journal was changed after it was sealed" in page


def test_a_record_with_wrong_types_is_refused(tmp_path: Path) -> None:
    """A run.json whose phases are no list ends in a clear error and not in a page."""
    folder = runs.bare_run(tmp_path)
    folder.write_run({"phases": 3})
    with pytest.raises(EvidenceInvalidError, match="phases"):
        render(folder)


def test_a_folder_without_a_readable_record_is_refused(tmp_path: Path) -> None:
    """A run.json that is no JSON is bad input."""
    folder = runs.bare_run(tmp_path)
    (folder.path / "run.json").write_text("{")
    with pytest.raises(BadInputError):
        render(folder)


def test_a_page_that_cannot_be_written_is_an_error_with_advice(tmp_path: Path) -> None:
    """Writing beneath a file, where no folder can be, raises and leaves nothing behind."""
    folder = runs.bare_run(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailedError):
        write(folder, tmp_path / "file" / "report.html")
