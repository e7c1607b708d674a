"""How a comparison is told: as JSON, as a page, at a terminal; and the commands that do it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from tests.history.runs import canary, coverage_json, phase, run_json, write

from rollbook.history.comparison import Comparison, compare
from rollbook.history.facts import gather
from rollbook.history.telling import to_html, to_json, to_terminal


def everything(tmp_path: Path) -> Comparison:
    """A comparison with something in each of its parts, in hostile words."""
    word = "<b>\x1b[31m\u202e\ud800 [red]w"
    first = run_json(0, [phase("deploy"), canary(word)])
    second = run_json(1, [phase("deploy", seconds=60.0), canary(word, note=word)])
    second["phases"][1] |= {"verdict": word, "outcome": "refused", "parameters": {word: float("nan")}}
    second["rollbook"] = word
    key = word.replace("\ud800", "")  # of which no JSON in UTF-8 can be made
    write(tmp_path, first, coverage_json({key: "proved", "R2": "stale"}))
    write(tmp_path, second, coverage_json({key: "stale", "R2": "stale"}))
    return compare(gather(tmp_path / first["id"]), gather(tmp_path / second["id"]))


def test_json_is_json_and_has_all_of_it(tmp_path: Path) -> None:
    """The object parses strictly, and figures are numbers in it."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    told = json.loads(to_json(everything(tmp_path)), parse_constant=refuse)

    assert (1, "hello-20260305-093000", "hello-20260305-103000") == (
        told["schema"],
        told["before"]["run_id"],
        told["after"]["run_id"],
    )
    [longer] = [one for one in told["metrics"] if (one["phase"], one["name"]) == ("deploy", "duration")]
    assert (10.0, 60.0, "worse", "longer") == tuple(
        longer[key] for key in ("before", "after", "change", "word")
    )
    assert ["NaN"] == [one["after"] for one in told["parameters"] if one["word"] == "set"]
    assert 2 == len(told["stale"])


def test_page_and_terminal_show_hostile_text_as_text(tmp_path: Path) -> None:
    """Neither markup of a page nor that of a terminal gets through from a record."""
    result = everything(tmp_path)
    screen = io.StringIO()

    to_terminal(result, Console(file=screen, width=160, highlight=False))
    page = to_html(result)

    for shown in (page, screen.getvalue()):
        assert {"\x1b", "\u202e", "\ud800"}.isdisjoint(shown)
    assert "[red]w" in screen.getvalue()
    assert "<b>" not in page.replace("<b><bdi>", "")
    assert 7 == page.count('<h2 id="part-')


def rollbook(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "rollbook"), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_commands_compare_and_index(tmp_path: Path) -> None:
    """Both commands print what they made, as text, as JSON and as pages."""
    one, two = write(tmp_path / "reports", run_json(0)), write(tmp_path / "reports", run_json(1))

    text = rollbook("compare", one, two, "--html", "out.html", cwd=tmp_path)
    as_json = rollbook("compare", one, two, "--json", cwd=tmp_path)
    listed = rollbook("index", cwd=tmp_path)

    assert (0, 0, 0) == (text.returncode, as_json.returncode, listed.returncode)
    assert text.stdout.endswith("out.html\n")
    assert 0 == json.loads(as_json.stdout)["worse"]
    assert "reports/index.html\n" == listed.stdout
    assert (tmp_path / "out.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("compare", ".", "."), "is not the folder of a run"),
        (("compare", "."), "Missing argument"),
        (("compare", "a", "b", "--html", "."), ". is a folder"),
        (("index", "nowhere"), "there is no folder nowhere"),
    ],
)
def test_bad_input_is_one_error(tmp_path: Path, arguments: tuple[str, ...], complaint: str) -> None:
    """What is no run and no folder of runs is told in one error, with exit code 2."""
    done = rollbook(*arguments, cwd=tmp_path)

    assert (2, True, False) == (done.returncode, complaint in done.stderr, "Traceback" in done.stderr)
