"""Totals: the page, `summary.md`, `junit.xml`, `--json` and `coverage.json` say the same."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter

import pytest
from tests.report import bundles

from rollbook.coverage.model import State
from rollbook.evidence.folder import RunFolder
from rollbook.launch import ci
from rollbook.launch.summary import summary
from rollbook.report import build, write

STATES = [state.value for state in State]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run with gates and coverage, and all that is made from it."""
    folder = bundles.whole_run(tmp_path_factory.mktemp("runs"))
    ci.write(folder, {})
    write(folder, folder.report)
    return folder


def text_of(page: str) -> str:
    """The words of the page, without its data and its markup."""
    body = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body).replace("\u00a0", " "))


def test_requirements_count_the_same_everywhere(run: RunFolder) -> None:
    """How many requirements are in which state is the same in five places, and in the rows of the matrix."""
    page = run.report.read_text()
    root = ET.parse(run.path / "junit.xml")  # noqa: S314 - written by the code under test
    properties = {one.attrib["name"]: one.attrib["value"] for one in root.iterfind(".//property")}
    counted = json.loads((run.path / "coverage.json").read_text())["totals"]["states"]
    rows = Counter(re.findall(r'<tr id="q-[^"]*" class="fs-([\w-]+)', page))
    legend = {name: int(number) for number, name in re.findall(r"(\d+) ([\w-]+)</li>", page)}
    told = summary(run)["coverage"]

    assert {state: 1 + (state == "proved") for state in STATES} == counted
    assert counted == {state: told[state] for state in STATES}
    assert counted == {state: int(properties[f"requirements.{state}"]) for state in STATES}
    assert counted == {state: rows[state] for state in STATES}
    assert counted == {state: legend[state] for state in STATES}
    assert (
        f"{counted['proved']} of 8 requirements proved; 1 failed, 1 no-data"
        in (run.path / "summary.md").read_text()
    )
    assert "2 of 8 requirements are proved" in text_of(page)


def test_phases_and_gates_count_the_same_everywhere(run: RunFolder) -> None:
    """How many phases and gates passed is the same in the page, the summary, JUnit and JSON."""
    totals = build(run).totals
    suite = ET.parse(run.path / "junit.xml").find("testsuite")  # noqa: S314 - as above
    assert suite is not None
    keys = ("tests", "failures", "errors", "skipped")

    assert (9, 0, 0, 1) == tuple(getattr(totals, key) for key in keys)
    assert {key: str(getattr(totals, key)) for key in keys} == {key: suite.attrib[key] for key in keys}
    assert summary(run)["totals"] == {key: getattr(totals, key) for key in keys}
    assert (
        "8 of 9 phases and gates passed, 0 refused, 0 failed, 1 skipped."
        in (run.path / "summary.md").read_text()
    )
    assert "Of 9 phases and gates, 8 passed, 0 were refused, 0 failed and 1 were skipped." in text_of(
        run.report.read_text()
    )


def test_users_count_the_same_everywhere(run: RunFolder) -> None:
    """How many requests users sent, and how many failed, is the same in the page, the summary and JSON."""
    requests = summary(run)["requests"]
    views = {view.name: view for view in build(run).canaries}
    table = re.findall(
        r"^\| (\w+) \| [\w-]+ \| ([\d,]+) \| (\d+) \|",
        (run.path / "summary.md").read_text(),
        flags=re.MULTILINE,
    )

    assert {name: (view.sent, view.failed) for name, view in views.items()} == {
        name: (one["sent"], one["failed"]) for name, one in requests.items()
    }
    assert {name: (view.sent, view.failed) for name, view in views.items()} == {
        name: (int(sent.replace(",", "")), int(failed)) for name, sent, failed in table
    }


def test_gates_have_the_time_that_asking_took(run: RunFolder) -> None:
    """A gate is timed from the first answer that it rests on; one without any record has no time."""
    seconds = {gate.name: gate.seconds for gate in build(run).gates}
    assert {"running image": 0.0, "alerts": 0.0, "traffic split": 0.0, "targets up": 1.0} == seconds
