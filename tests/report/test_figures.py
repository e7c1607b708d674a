"""Figures: no spike is lost, no text is mistaken for markup, and the drawing stays what it was."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report import runs

from rollbook.bundle.load import SignalSeries, load
from rollbook.report.judge_view import judge_metrics
from rollbook.report.places import Places
from rollbook.report.signals_view import BINS, MOST_TIMES, SignalsView, signals_view
from rollbook.report.svg import embed, new_figure, page_style
from rollbook.report.svg_compact import Styles, compact


def series(values: list[float], side: str = "stable") -> SignalSeries:
    """One value a second."""
    return SignalSeries("p95", side, "q", "s", tuple((float(at), value) for at, value in enumerate(values)))


def view(tmp_path: Path, *given: SignalSeries) -> SignalsView:
    """The view of these series, from second 0."""
    found = signals_view(given, 0.0, "canary", Places(load(runs.bare_run(tmp_path))))
    assert found is not None
    return found


def test_few_points_stay_as_they_are(tmp_path: Path) -> None:
    """A short series is not put into bins, and a time that only another series has is a gap."""
    found = view(tmp_path, series([1.0, 2.0, 3.0]), SignalSeries("p95", "canary", "q", "s", ((1.0, 9.0),)))
    assert (None, (0.0, 1.0, 2.0)) == (found.bin_s, found.times)
    assert ((1.0, 2.0, 3.0), (None, 9.0, None)) == (found.lines[0].low, found.lines[1].low)


@pytest.mark.parametrize("spike", [0, 1, 5_000, 9_998, 9_999])
def test_no_spike_is_lost_in_a_bin(spike: int, tmp_path: Path) -> None:
    """Of ten thousand points the highest and the lowest are still there, in the bins where they were."""
    values = [1.0] * 10_000
    values[spike] = 77.0
    values[(spike + 3_000) % 10_000] = -5.0
    found = view(tmp_path, series(values))
    line = found.lines[0]
    at = line.high.index(77.0)
    assert (BINS, BINS, BINS, 10_000) == (len(found.times), len(line.low), len(line.high), line.points)
    assert found.bin_s is not None
    assert found.times[at] <= spike + 0.1 <= found.times[at] + found.bin_s + 0.2
    assert -5.0 in line.low


def test_what_is_no_number_is_a_gap(tmp_path: Path) -> None:
    """NaN and infinity of Prometheus are no value, with bins and without."""
    few = view(tmp_path, series([1.0, float("nan"), float("inf")]))
    many = view(tmp_path / "many", series([float("nan")] * (MOST_TIMES + 1)))
    assert (1.0, None, None) == few.lines[0].low
    assert {None} == set(many.lines[0].high)


def test_bounds_come_from_the_conditions(tmp_path: Path) -> None:
    """The numbers that a result is compared with are bounds; its length is none."""
    evidence = load(runs.full_run(tmp_path))
    found = judge_metrics(evidence.phase("drill").analysis_runs, 0.0)
    assert {"p95-latency": (0.3,), "success-rate": (0.99,)} == {one.name: one.bounds for one in found}
    assert ["Failed", "Failed"] == [phase for _, _, phase in found[1].points]


@given(st.lists(st.tuples(st.integers(-500, 500), st.integers(-500, 500)), min_size=2, max_size=30))
def test_a_compact_path_goes_where_the_long_one_went(points: list[tuple[int, int]]) -> None:
    """Every corner of a path is still there, to a tenth, and nothing else."""
    data = " \n".join(
        f"{'M' if not at else 'L'} {x / 10:.4f} {y / 10:.4f}" for at, (x, y) in enumerate(points)
    )
    short = re.search(r' d="([^"]*)"', compact(f'<path d="{data}" class="a"/>'))
    assert short is not None
    walked = walk(short[1])
    assert points[0] == walked[0]
    assert points[-1] == walked[-1]
    assert [] == [point for point in walked if point not in points]


def walk(path: str) -> list[tuple[int, int]]:
    """The points, in tenths, of a path of `M`, `h`, `v` and `l`."""
    x = y = 0
    walked = []
    for letter, numbers in re.findall(r"([Mhvl])([^Mhvlz]*)", path):
        found = [round(float(one) * 10) for one in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", numbers)]
        if letter == "M":
            x, y = found
        elif letter == "h":
            x += found[0]
        elif letter == "v":
            y += found[0]
        else:
            x, y = x + found[0], y + found[1]
        walked.append((x, y))
    return walked


def test_a_label_is_no_markup() -> None:
    """A label that looks like an attribute, a reference or one of our colours stays what it says."""
    evil = 'a" style="b" href="#c" url(#d) #010001 <g> &amp; <!-- e -->'
    with page_style():
        figure = new_figure(200, 50)
        figure.text(0.1, 0.5, evil)
        svg = Styles().collected(embed(figure, anchor="x", title=evil, description=evil))
    shown = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), svg.partition("<text")[2])
    for name, sign in (("quot", '"'), ("lt", "<"), ("gt", ">"), ("amp", "&")):
        shown = shown.replace(f"&{name};", sign)
    assert evil in shown
