"""The page of all runs: complete, small, safe, the same each time, and whole whoever else writes it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from multiprocessing import get_context
from pathlib import Path

import pytest
from tests.history.runs import canary, coverage_json, many, phase, run_json, write

from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.history.index_page import LOCK, render, write_index
from rollbook.history.rows import Ending, scan
from rollbook.history.trends import groups

VOID = {"meta", "br", "input", "path", "circle", "use", "link"}


class Outline(HTMLParser):
    """Elements, ids and references of a page; a tag that is not closed as it was opened is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert tag == self.open.pop()

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.seen if name == tag]


def index(out: Path) -> str:
    return write_index(out).read_text(encoding="utf-8")


def test_each_run_has_a_row_that_leads_to_its_report(tmp_path: Path) -> None:
    """The newest run is first, its report one click away; a run without a report says so."""
    write(tmp_path, run_json(0), report=False)
    write(tmp_path, run_json(1), coverage_json({"R1": "proved", "R2": "failed"}))

    page = index(tmp_path)

    assert ["hello-20260305-103000/report.html"] == re.findall(r'<a href="([^#"]+)"', page)
    assert page.index("hello-20260305-103000") < page.index("hello-20260305-093000")
    assert 1 == page.count("no report")
    for told in (
        "0 of 2,600",
        "10 of 1,073",
        "4.6\u00a0s",
        "200\u00a0ms",
        "1 of 2",
        "1\u00a0min\u00a052\u00a0s",
    ):
        assert told in page


def test_the_page_is_whole_html(tmp_path: Path) -> None:
    """Every tag is closed, every id is there once, and every reference leads to one."""
    many(tmp_path, 9)
    (tmp_path / "foreign").mkdir()
    outline = Outline(index(tmp_path))

    ids = [attributes["id"] for _, attributes in outline.seen if "id" in attributes]
    asked = [
        name
        for tag, attributes in outline.seen
        for key in ("aria-labelledby", "href")
        for name in attributes.get(key, "").split()
        if key != "href" or name.startswith("#")
    ]
    assert [] == outline.open
    assert len(set(ids)) == len(ids)
    assert set() == {name.removeprefix("#") for name in asked} - set(ids)
    assert {"row", "col"} == {attributes.get("scope") for attributes in outline.of("th")}
    assert len(outline.of("table")) == len(outline.of("caption")) == 2
    assert [1, 1, 1] == [len(outline.of(tag)) for tag in ("main", "footer", "h1")]


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    """No script, no address outside, no file but the reports."""
    many(tmp_path, 3)
    page = index(tmp_path)

    assert [] == re.findall(r"<script|https?:|//[a-z]|@import|url\(", page)


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    """In another time zone, locale and folder, with other hashes, the page is the same."""
    many(tmp_path, 5)
    code = (
        "import sys; from pathlib import Path; from rollbook.history.index_page import render; "
        "from rollbook.history.rows import scan; sys.stdout.write(ascii(render(scan(Path(sys.argv[1])))))"
    )
    pages = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            env={**os.environ, "TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": seed},
            cwd=cwd,
            capture_output=True,
            text=True,
            check=True,
            timeout=180,
        ).stdout
        for zone, locale, seed, cwd in (
            ("UTC", "C", "0", "/"),
            ("Asia/Tokyo", "C.UTF-8", "7", tmp_path),
        )
    }

    assert {ascii(render(scan(tmp_path)))} == pages


def test_five_hundred_runs_stay_small(tmp_path: Path) -> None:
    """500 runs are 500 rows and four charts, in less than 1 MB."""
    many(tmp_path, 500)
    page = write_index(tmp_path)

    assert page.stat().st_size < 1_000_000
    assert (500, 4) == (page.read_text().count('<th scope="row">'), page.read_text().count('class="spark"'))


def test_a_folder_without_runs_has_a_page_too(tmp_path: Path) -> None:
    """The page says that there is no run yet."""
    assert "There is no run here yet" in index(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "a-file", "a-run"])
def test_what_is_no_folder_of_runs_is_bad_input(tmp_path: Path, name: str) -> None:
    """A folder that is not there, a file, and the folder of one run are refused."""
    (tmp_path / "a-file").write_text("")
    (tmp_path / "a-run").mkdir()
    (tmp_path / "a-run" / "run.json").write_text("{}")

    with pytest.raises(BadInputError):
        write_index(tmp_path / name)


def test_a_page_that_cannot_be_written_is_an_error_of_the_environment(tmp_path: Path) -> None:
    """When the place of the page is taken, the error names it."""
    (tmp_path / "index.html").mkdir()

    with pytest.raises(EnvironmentFailedError, match=r"cannot write index\.html"):
        write_index(tmp_path)


HOSTILE = "<script>alert(1)</script>\"'>&\x1b[31m\x00\u202e\ud800 \U0001f600 " + "w" * 500


def test_hostile_text_is_text(tmp_path: Path) -> None:
    """Markup, control characters and endless words in a record are shown, cut, and do nothing."""
    run = run_json(
        phases=[phase(HOSTILE), {**canary(HOSTILE), "verdict": HOSTILE}],
        id=HOSTILE,
        target=HOSTILE,
        outcome={"exit_code": 4, "sentence": HOSTILE * 1000},
    )
    folder = write(tmp_path, {**run, "id": "x"})
    (folder / "run.json").write_text(json.dumps({**run, "service": {"name": HOSTILE}}))
    (tmp_path / "<img src=x onerror=alert(2)>").mkdir()
    (tmp_path / os.fsdecode(b"\xff\xfe")).mkdir()
    os.rename(folder, tmp_path / 'a "quoted" & <b>#?%20')  # noqa: PTH104 - as a shell would

    page = index(tmp_path)
    outline = Outline(page)

    assert [] == outline.open
    assert [] == [tag for tag, _ in outline.seen if tag in {"script", "img", "b"}]
    assert {"\x1b", "\x00", "\u202e"}.isdisjoint(page)
    assert "\U0001f600" in page
    assert len(page) < 60_000
    assert "a%20%22quoted%22%20%26%20%3Cb%3E%23%3F%2520/report.html" in page


def _write(out: Path) -> None:
    write_index(out)


def test_writers_at_the_same_time_leave_a_whole_page(tmp_path: Path) -> None:
    """Four processes write while runs arrive: the page is whole, and shows every run that was there."""
    many(tmp_path, 6)
    context = get_context("spawn")
    writers = [context.Process(target=_write, args=(tmp_path,)) for _ in range(4)]
    for number, writer in enumerate(writers):
        write(tmp_path, run_json(100 + number))
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [0] * 4 == [writer.exitcode for writer in writers]
    assert render(scan(tmp_path)) == (tmp_path / "index.html").read_text(encoding="utf-8")
    assert {"index.html"} == {one.name for one in tmp_path.iterdir() if one.is_file()} - {LOCK}


def test_trends_follow_one_service_on_one_target(tmp_path: Path) -> None:
    """Runs of two services are two groups, the one that ran last first."""
    write(tmp_path, run_json(0))
    write(tmp_path, {**run_json(1), "id": "orders-1", "service": {"name": "orders"}})

    assert ["orders on sandbox", "hello on sandbox"] == [one.name for one in groups(scan(tmp_path).runs)]


def test_durations_and_coverage_are_those_of_whole_runs(tmp_path: Path) -> None:
    """A run of one phase, and one that is not finished, leave a gap instead of a dent."""
    states = coverage_json({"R1": "proved", "R2": "failed"})
    write(tmp_path, run_json(0), states)
    write(tmp_path, run_json(1, [phase("teardown")]), coverage_json({"R1": "no-data", "R2": "no-data"}))
    write(tmp_path, run_json(2, ended=None, outcome=None, timing=None), states)
    write(tmp_path, run_json(3), states)

    [group] = groups(scan(tmp_path).runs)
    trends = {trend.title: trend for trend in group.trends}

    assert (Ending.PASSED, Ending.PASSED, Ending.UNFINISHED, Ending.PASSED) == group.endings
    assert (112.0, None, None, 112.0) == trends["Duration"].values
    assert (0.5, None, None, 0.5) == trends["Requirements proved"].values
    assert (0.2, None, 0.2, 0.2) == trends["Time to roll back"].values
    assert "always 50.0\u00a0% in 2\u00a0runs of provision, deploy, canary, drill, validate" == (
        trends["Requirements proved"].remark
    )


def test_a_trend_that_nothing_is_known_of_says_so(tmp_path: Path) -> None:
    """Without a drill, no time to roll back is drawn or made up."""
    write(tmp_path, run_json(phases=[phase("deploy"), canary()]))

    [group] = groups(scan(tmp_path).runs)

    assert ("–", "no run with a canary that was rolled back") == (
        group.trends[0].latest,
        group.trends[0].remark,
    )


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "-Infinity"])
def test_figures_that_are_no_numbers_are_not_drawn(tmp_path: Path, figure: str) -> None:
    """What JSON lets through beside numbers leaves no mark on the page."""
    folder = write(tmp_path, run_json())
    text = (folder / "run.json").read_text()
    for name in ("total_s", "time_to_detect_s", "time_to_roll_back_s", "seconds"):
        text = re.sub(rf'"{name}": [\d.]+', f'"{name}": {figure}', text)
    (folder / "run.json").write_text(text)

    assert [] == re.findall(r"\b(?:nan|inf)\b", index(tmp_path))
