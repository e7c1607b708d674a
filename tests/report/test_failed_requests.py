"""Failed requests in the report: alike ones together, with what their pods logged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.report import runs

from rollbook.domain.traffic import Cause
from rollbook.evidence.folder import RunFolder
from rollbook.report.build import build
from rollbook.report.failed_requests_view import (
    GROUPS_SHOWN,
    LARGEST_BYTES,
    SHOWN_A_GROUP,
    FailedRequestsView,
)
from rollbook.report.page import render_folder


def failures() -> list[str]:
    """Ids of the drill's requests that failed."""
    return [record.request_id for record in runs.traffic(runs.DRILL) if record.failed]


def with_logs(tmp_path: Path, *names: str, line: str = "{} fault injected") -> RunFolder:
    """A full run whose drill kept the lines, and exemplars, of these requests."""
    folder = runs.full_run(tmp_path)
    told = {
        "lines_a_pod": 2000,
        "pods": [{"pod": "pod-1", "lines": 2000, "cut": True}],
        "lines": [{"request_id": name, "pod": "pod-1", "line": line.format(name)} for name in names],
        "exemplars": [
            {"request_id": name, "series": {"__name__": metric}, "labels": {}, "value": value, "at_s": 1.0}
            for name in names
            for metric, value in (("x_seconds_bucket", 0.25), ("x_total", 1.0))
        ],
    }
    folder.write_log("drill", "pod-1", "".join(f"{line.format(name)}\n" for name in names))
    folder.write_text("logs/drill/requests.json", json.dumps(told))
    return folder


def drill(folder: RunFolder) -> FailedRequestsView:
    """The drill's part of the page."""
    found = build(folder).canaries[1].failed_requests
    assert found is not None
    return found


def test_alike_failures_stand_together(tmp_path: Path) -> None:
    """All failed requests are counted once, by what became of them, version and weight."""
    found = drill(runs.full_run(tmp_path))
    assert len(failures()) == found.failed == sum(group.count for group in found.groups)
    first = found.groups[0]
    assert ("app error", "503", "1.2.0-errors", "20\u00a0%") == (
        first.fate,
        first.status,
        first.version,
        first.weight,
    )
    assert first.count == len(first.requests) + first.left_out
    assert SHOWN_A_GROUP == len(first.requests)


def test_a_request_leads_to_its_log_line(tmp_path: Path) -> None:
    """The line stands with the request, the pod's log is linked, and the exemplar has its duration."""
    name = failures()[-1]
    folder = with_logs(tmp_path, name)
    found = drill(folder)
    (request,) = (one for group in found.groups for one in group.requests if one.log)
    assert (1, 1) == (found.with_line, found.with_exemplar)
    assert (name, f"{name} fault injected") == (request.request_id, request.log)
    assert "250\u00a0ms in x_seconds" == request.exemplar
    page = render_folder(folder)
    assert f'id="q2-{name}"' in page
    assert f'href="#q2-{name}"' in page
    (log,) = request.log_refs
    assert f'id="{log.anchor}"' in page


def test_what_was_cut_or_not_kept_is_said(tmp_path: Path) -> None:
    """A run without log lines says so, and so does one that left lines out."""
    assert ("This run kept no log lines of single requests.",) == drill(runs.full_run(tmp_path / "a")).notes
    (note,) = drill(with_logs(tmp_path / "b")).notes
    assert "more than 2,000 lines were logged" in note


def test_requests_that_no_version_answered_have_no_pod(tmp_path: Path) -> None:
    """The edge's own failures are a group of their own, and the page says why no pod has logged them."""
    folder = with_logs(tmp_path)
    plot = replace(runs.DRILL, proxy_errors=(2.0, 2.5))
    runs.write_traffic(folder, "drill", runs.traffic(plot))
    found = drill(folder)
    group = found.groups[0]
    assert ("no endpoint", "502", "", 2) == (group.fate, group.status, group.version, group.count)
    assert any("2\u00a0requests met no version" in note for note in found.notes)


def test_slow_answers_have_their_lines_too(tmp_path: Path) -> None:
    """Without a failure the slowest requests are shown, as far as something was kept of them."""
    records = runs.traffic(runs.DRILL)
    good = [replace(record, cause=Cause.OK, status=200) for record in records]
    slowest = max(good, key=lambda record: record.latency_s)
    folder = with_logs(tmp_path, slowest.request_id)
    runs.write_traffic(folder, "drill", good)
    found = drill(folder)
    assert (0, ()) == (found.failed, found.groups)
    assert found.slowest is not None
    assert [slowest.request_id] == [one.request_id for one in found.slowest.requests]


def test_many_kinds_of_failures_do_not_fill_the_page(tmp_path: Path) -> None:
    """So many groups are shown, and the rest is counted."""
    folder = runs.full_run(tmp_path)
    records = runs.traffic(runs.DRILL)[:60]
    bad = [
        replace(record, cause=Cause.APP_ERROR, status=500 + number, version="v")
        for number, record in enumerate(records)
    ]
    runs.write_traffic(folder, "drill", bad)
    found = drill(folder)
    assert (GROUPS_SHOWN, 60 - GROUPS_SHOWN) == (len(found.groups), found.groups_left_out)


@pytest.mark.parametrize("text", ["", "[]", '{"lines": 1}', '{"lines": [], "exemplars": [], "pods": [3]}'])
def test_what_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    """A damaged file takes only its own part of the page away."""
    folder = with_logs(tmp_path)
    (folder.path / "logs" / "drill" / "requests.json").write_text(text)
    model = build(folder)
    assert any("logs/drill/requests.json could not be read" in told for told in model.headline.missing)
    assert model.canaries[1].failed_requests is not None


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    """It would take the machine's memory."""
    folder = with_logs(tmp_path)
    with (folder.path / "logs" / "drill" / "requests.json").open("r+b") as file:
        file.truncate(LARGEST_BYTES + 1)
    assert any("far too large" in told for told in build(folder).headline.missing)


def test_hostile_lines_do_nothing(tmp_path: Path) -> None:
    """A log line is text, whatever is in it."""
    folder = with_logs(tmp_path, failures()[0], line="{} <script>alert(1)</script>\u202e\x1b[31m")
    page = render_folder(folder)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
