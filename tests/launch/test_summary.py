"""How a run is told to CI: one count for the page, JSON, Markdown and JUnit, and no text that breaks them."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import mistune
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.report.runs import write_traffic

from rollbook.domain.traffic import Cause, RequestRecord
from rollbook.errors import ExitCode
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Kind
from rollbook.evidence.record import RunRecord
from rollbook.launch import ci, junit, markdown
from rollbook.launch.summary import summary
from rollbook.report import build, render

HOSTILE = (
    "a | b `c` <script>alert(1)</script> ![x](http://evil.test/y) [l](http://evil.test) "
    "\x1b[31m ]]> & \u202e @all"
)
MARKUP = "|`*_<>[]()#!\\~$-+=.1 \n\t&;:/@wht"


class HandClock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)

    def now(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def monotonic(self) -> float:
        return self.now().timestamp()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Author:
    """Writes a record as the launcher and the runbooks do."""

    def __init__(self, out: Path, *planned: str) -> None:
        self.clock = HandClock()
        self.folder = RunFolder.create(out, "hello-20260305-093000")
        self.record = RunRecord(self.folder)
        facts = {"target": "sandbox", "commit": {"sha": "1cf0649", "dirty": False}, "rollbook": "0.1.0"}
        self.record.begin(self.clock.now(), facts)
        self.record.update(plan=[{"name": name, "runbook": name} for name in planned])

    def phase(
        self, name: str, code: ExitCode | None = ExitCode.OK, sentence: str = "done", **facts: Any
    ) -> None:
        """A phase from begin to end; without a code it has no end."""
        runbook = "canary" if name == "drill" else name
        self.record.phase_started(self.clock.now(), name, runbook, {}, "")
        self.folder.journal(name, self.clock).append(Kind.RUN, "phase started", {"runbook": runbook})
        self.record.phase_facts(name, **facts)
        if code is not None:
            self.record.phase_ended(self.clock.now(), name, code, sentence)

    def rolled_back(self, name: str) -> None:
        """A canary that answered 58 of 1160 requests, 11 of them badly, and was aborted after 5.21 s."""
        start = self.clock.now()
        users = [
            RequestRecord(start.timestamp() + second / 40, 0.0, 0.01, 200, Cause.OK, "1.1.0", "hello-a-1")
            for second in range(1102)
        ]
        for number in range(58):
            failed = number < 11
            users.append(
                RequestRecord(
                    scheduled_s=start.timestamp() + number * 0.093199,
                    sent_s=0.0,
                    latency_s=0.0,
                    status=500 if failed else 200,
                    cause=Cause.APP_ERROR if failed else Cause.OK,
                    version="1.2.0",
                    pod="hello-b-1",
                )
            )
        self.phase(name, verdict="rolled-back", canary={"version": "1.2.0"}, stable={"version": "1.1.0"})
        write_traffic(self.folder, name, sorted(users, key=lambda one: one.scheduled_s))
        aborted = start + timedelta(seconds=5.21)
        journal = self.folder.journal(name, self.clock)
        journal.append(Kind.DECISION, "aborted", {}, source="argo-rollouts", time=aborted)

    def gate(self, phase: str, name: str, passed: bool | None, sentence: str = "as it should be") -> None:
        data = {"passed": passed, "expected": "5 of 5", "got": "4 of 5", "sentence": sentence}
        self.folder.journal(phase, self.clock).append(Kind.GATE, name, data)

    def skip(self, name: str) -> None:
        """A phase that was not reached, as the launcher writes it."""
        self.record.phase_started(self.clock.now(), name, name, {}, "")
        self.record.phase_facts(name, outcome="skipped", started=None, sentence="not reached")

    def end(self, code: ExitCode = ExitCode.OK, sentence: str = "1.1.0 was promoted.") -> RunFolder:
        self.record.end(self.clock.now(), code, sentence, timing={"total_s": 103.8})
        self.folder.journal("run", self.clock).seal()
        return self.folder


def passed(out: Path) -> RunFolder:
    author = Author(out, "deploy", "drill", "validate")
    author.phase("deploy")
    author.gate("deploy", "live traffic", True)
    author.rolled_back("drill")
    author.phase("validate")
    author.gate("validate", "traffic split", None, "nothing to compare")
    return author.end()


def refused(out: Path) -> RunFolder:
    author = Author(out, "deploy", "validate", "teardown")
    author.phase("deploy")
    author.phase("validate", ExitCode.GATE_REFUSED, "1 of 2 gates refused")
    author.gate("validate", "scrape targets up", False, "4 of 5 scrape targets are up")
    author.gate("validate", "rollout healthy", True)
    author.skip("teardown")
    return author.end(ExitCode.GATE_REFUSED, "validate: 1 of 2 gates refused")


def environment_failed(out: Path) -> RunFolder:
    author = Author(out, "deploy")
    author.phase("deploy", ExitCode.ENVIRONMENT_FAILED, "no sandbox is up")
    return author.end(ExitCode.ENVIRONMENT_FAILED, "deploy: no sandbox is up")


def cut_off(out: Path) -> RunFolder:
    author = Author(out, "deploy", "drill", "validate")
    author.phase("deploy")
    author.phase("drill", None)
    return author.folder


def cut_off_between_phases(out: Path) -> RunFolder:
    author = Author(out, "deploy", "validate")
    author.phase("deploy")
    return author.folder


def failed_beside_its_phases(out: Path) -> RunFolder:
    author = Author(out, "deploy")
    author.phase("deploy")
    return author.end(ExitCode.ENVIRONMENT_FAILED, "the target is held by another run")


def taken_up_again(out: Path) -> RunFolder:
    author = Author(out, "validate")
    author.phase("validate", ExitCode.GATE_REFUSED, "1 of 1 gates refused")
    author.gate("validate", "scrape targets up", False)
    author.phase("validate")
    author.gate("validate", "scrape targets up", True)
    return author.end()


def changed_afterwards(out: Path) -> RunFolder:
    folder = passed(out)
    journal = folder.path / "journal.jsonl"
    journal.write_text(journal.read_text().replace("live traffic", "life traffic"))
    return folder


def with_hostile_texts(out: Path) -> RunFolder:
    author = Author(out, "validate")
    author.phase("validate", ExitCode.GATE_REFUSED, HOSTILE)
    author.gate("validate", HOSTILE, False, HOSTILE)
    return author.end(ExitCode.GATE_REFUSED, HOSTILE)


Made = Callable[[Path], RunFolder]
COUNTS: dict[Made, tuple[int, int, int, int]] = {
    passed: (5, 0, 0, 1),
    refused: (5, 2, 0, 1),
    environment_failed: (1, 0, 1, 0),
    cut_off: (3, 0, 1, 1),
    cut_off_between_phases: (3, 0, 1, 1),
    failed_beside_its_phases: (2, 0, 1, 0),
    taken_up_again: (2, 0, 0, 0),
    changed_afterwards: (6, 0, 1, 1),
    with_hostile_texts: (2, 2, 0, 0),
}
each_run = pytest.mark.parametrize("made", COUNTS, ids=lambda made: made.__name__)


def suite_of(text: str) -> ET.Element:
    root = ET.fromstring(text)  # noqa: S314 - written by the code under test
    assert "testsuites" == root.tag
    (suite,) = root
    return suite


def rendered(page: str) -> str:
    """The page as GitHub's dialect makes HTML of it, with raw HTML and bare addresses let through."""
    html = mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url"])(page)
    assert isinstance(html, str)
    return html


@each_run
def test_totals_are_the_same_everywhere(made: Made, tmp_path: Path) -> None:
    """JSON, JUnit's attributes, its elements and the Markdown agree on how many there are of each."""
    folder = made(tmp_path)
    model = build(folder)
    suite = suite_of(junit.render(model))
    cases = suite.findall("testcase")
    counted = (
        len(cases),
        *(sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error", "skipped")),
    )
    keys = ("tests", "failures", "errors", "skipped")
    tests, failures, errors, skipped = COUNTS[made]

    assert COUNTS[made] == counted
    assert COUNTS[made] == tuple(int(suite.attrib[key]) for key in keys)
    assert COUNTS[made] == tuple(summary(folder)["totals"][key] for key in keys)
    assert (
        f"{tests - failures - errors - skipped} of {tests} phases and gates passed, {failures} refused, "
        f"{errors} failed, {skipped} skipped."
    ) in markdown.render(model)
    assert f"Of {tests} phases and gates, {tests - failures - errors - skipped} passed" in render(model) or (
        not model.gates
    )


@each_run
def test_junit_is_red_exactly_when_the_run_is(made: Made, tmp_path: Path) -> None:
    """A run that did not end with 0, or whose journal was changed, has a failure or an error."""
    model = build(made(tmp_path))
    good = model.outcome.exit_code == 0 and model.journal.state == "sealed"

    assert good == (model.totals.failures + model.totals.errors == 0)


@each_run
def test_junit_has_what_the_schemas_of_junit_know(made: Made, tmp_path: Path) -> None:
    """Elements in order, required attributes, and none that the Jenkins or the Ant schema does not have."""
    suite = suite_of(junit.render(build(made(tmp_path))))
    cases = suite.findall("testcase")

    wanted = {
        "name",
        "tests",
        "failures",
        "errors",
        "skipped",
        "time",
        "timestamp",
        "hostname",
        "package",
        "id",
    }
    assert wanted == set(suite.attrib)
    assert ["properties", *["testcase"] * len(cases), "system-out", "system-err"] == [
        one.tag for one in suite
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
    for case in cases:
        assert {"classname", "name", "time"} == set(case.attrib)
        assert 0 <= float(case.attrib["time"])
        told = {"message"} if case.find("skipped") is not None else {"message", "type"}
        assert [] == [one for one in case if set(one.attrib) != told or not one.attrib["message"]]


def test_junit_tells_why(tmp_path: Path) -> None:
    """A refused gate has its sentence, with what was expected and found; the run is named by its commit."""
    suite = suite_of(junit.render(build(refused(tmp_path))))
    gate = suite.find("testcase[@name='gate scrape targets up']")
    assert gate is not None
    failure = gate.find("failure")
    assert failure is not None

    assert "4 of 5 scrape targets are up" == failure.attrib["message"]
    assert "expected: 5 of 5\nfound: 4 of 5" == failure.text
    properties = {one.attrib["name"]: one.attrib["value"] for one in suite.iterfind("properties/property")}
    assert ("hello-20260305-093000", "1cf0649", "3") == (
        properties["run"],
        properties["commit"],
        properties["exit_code"],
    )


def test_the_page_begins_with_the_verdict(tmp_path: Path) -> None:
    """First how it ended, then refused gates with what was expected and found, then all phases."""
    page = markdown.render(build(refused(tmp_path)))

    assert page.startswith("## rollbook: refused by a gate\n\nvalidate: 1 of 2 gates refused\n\n### Refused")
    assert "| validate | scrape targets up | 5 of 5 | 4 of 5 | 4 of 5 scrape targets are up |" in page
    assert page.index("### Refused gates") < page.index("| phase | outcome |")
    assert "| teardown | skipped |" in page


def test_the_page_counts_users(tmp_path: Path) -> None:
    """Requests and failures of each canary and version, and how fast a bad one was gone."""
    page = markdown.render(build(passed(tmp_path)))

    assert "| drill | rolled-back | 1,160 | 11 | 5.2 | 0.1 |" in page
    assert "| drill | 1.2.0 | 58 | 11 | app-error: 11 |" in page


def test_a_run_that_was_cut_off_says_so(tmp_path: Path) -> None:
    """Without an end on record the page says that it did not finish, and that the journal is not sealed."""
    page = markdown.render(build(cut_off(tmp_path)))

    assert page.startswith("## rollbook: did not finish\n")
    assert "**The journal is not sealed: what wrote it died, or still writes.**" in page
    assert "| drill | did not finish |" in page
    assert "| validate | skipped |" in page


def test_attempts_are_told(tmp_path: Path) -> None:
    """A phase that was done again counts by its last attempt; how many there were is told."""
    folder = taken_up_again(tmp_path)
    told = summary(folder)

    assert [2] == [phase["attempts"] for phase in told["phases"]]
    assert [True] == [gate["passed"] for gate in told["gates"]]
    assert "| validate | passed |  | 2.0 | 2 | done |" in markdown.render(build(folder))


def test_json_keeps_its_keys(tmp_path: Path) -> None:
    """Scripts rely on the keys of `--json`: these stay."""
    told = summary(passed(tmp_path))

    assert {
        "schema",
        "run",
        "folder",
        "report",
        "target",
        "exit_code",
        "sentence",
        "verdicts",
        "requests",
        "seconds_to_detect",
        "seconds_to_roll_back",
        "phases",
        "timing",
    } <= set(told)
    assert "sealed" == told["journal"]["state"]


def test_hostile_texts_are_shown_and_do_nothing(tmp_path: Path) -> None:
    """Markup of the record is text in the page: no script, link, picture, and no cell more than there is."""
    page = markdown.render(build(with_hostile_texts(tmp_path)))
    html = rendered(page)

    assert "&lt;script&gt;" in html
    assert [] == re.findall(r"<(?:script|a|img|s|em)\b", html)
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert 2 == len(re.findall(r"<tr>\s*<td>validate</td>(?:\s*<td>[^\n]*</td>){4}\s*</tr>", html))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(), max_size=80) | st.text(MARKUP, max_size=30))
def test_no_text_breaks_the_files(tmp_path: Path, text: str) -> None:
    """Whatever a cell or a cluster said, JUnit is XML and Markdown has its one row with five cells."""
    phase = {"name": "validate", "runbook": "validate", "outcome": "failed", "sentence": text}
    run = {"id": "hello-1", "phases": [phase], "outcome": {"exit_code": 4, "sentence": text}}
    (tmp_path / "run.json").write_text(json.dumps(run))
    folder = RunFolder.open(tmp_path)
    folder.journal("run", HandClock()).seal()
    model = build(folder)
    suite = suite_of(junit.render(model))
    html = rendered(markdown.render(model))

    assert 1 == len(suite.findall("testcase"))
    assert 1 == html.count("<table>")
    assert 5 == html.count("<td")
    assert [] == re.findall(r"<(?:a|img|script|em|strong|del|li|h1|blockquote)\b", html)


def test_the_files_are_written_and_the_job_is_told(tmp_path: Path) -> None:
    """Both files are in the run's folder; what the job's page had before stays."""
    folder = passed(tmp_path)
    job = tmp_path / "step-summary"
    job.write_text("before\n")
    environ = {
        "GITHUB_STEP_SUMMARY": str(job),
        "GITHUB_SERVER_URL": "https://git.test",
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_RUN_ID": "7",
    }

    assert "" == ci.write(folder, environ)
    page = (folder.path / "summary.md").read_text()
    assert f"before\n{page}\n" == job.read_text()
    assert "in the artefact [reports](https://git.test/a/b/actions/runs/7#artifacts)." in page
    assert 5 == len(suite_of((folder.path / "junit.xml").read_text()).findall("testcase"))


def test_without_a_job_nothing_else_is_written(tmp_path: Path) -> None:
    """Outside of GitHub Actions there are the two files alone."""
    folder = passed(tmp_path)
    before = {path.name for path in folder.path.iterdir()}

    assert "" == ci.write(folder, {})
    assert {"summary.md", "junit.xml"} == {path.name for path in folder.path.iterdir()} - before


def test_a_job_page_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The run's own files are written all the same."""
    folder = passed(tmp_path)

    assert "cannot be written" in ci.write(folder, {"GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert (folder.path / "junit.xml").is_file()
