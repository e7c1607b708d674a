"""`rollbook judge`: what is printed, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = "time,stable_total,stable_errors,canary_total,canary_errors"
KEYS = ("verdict", "first", "alpha", "margin", "e_value", "p_value", "effect", "counts", "sentence", "looks")


def judge(tmp_path: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "counts.csv"
    file.write_text(text)
    return subprocess.run(
        [str(Path(sys.executable).parent / "rollbook"), "judge", str(file), *options],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def rows(errors: int, every: int = 1) -> str:
    """Counters of 40 looks: `errors` of 10 canary requests each, stable 1 of 900 each second look."""
    lines = [f"{5 * row},{900 * row},{row // 2},{10 * row},{errors * (row // every)}" for row in range(40)]
    return "\n".join((HEAD, *lines))


def test_a_harmful_canary_is_reported_and_ends_with_0(tmp_path: Path) -> None:
    """The object has what it promises, and a look a row."""
    done = judge(tmp_path, rows(3), "--json", "--alpha", "0.001", "--margin", "0.02")
    told = json.loads(done.stdout)

    assert 0 == done.returncode, done.stderr
    assert set() == set(KEYS) - set(told)
    assert ("harmful", 0.001, 0.02, None) == (
        told["verdict"],
        told["alpha"],
        told["margin"],
        told["first"]["safe"],
    )
    assert 5.0 <= told["first"]["harmful"] <= 20.0
    assert told["p_value"] <= 0.001
    assert told["effect"]["low"] < told["effect"]["value"] < told["effect"]["high"]
    assert {"stable_total": 35100, "stable_errors": 19, "canary_total": 390, "canary_errors": 117} == told[
        "counts"
    ]
    assert 40 == len(told["looks"])
    assert {"time", "verdict", "e_value", "p_value", "e_safe", "counts"} == set(told["looks"][0])


def test_people_get_the_verdict_first_and_when_it_changed(tmp_path: Path) -> None:
    """A healthy canary at a wide, relative margin becomes safe."""
    done = judge(tmp_path, rows(0), "--margin", "60", "--relative")

    assert 0 == done.returncode, done.stderr
    assert done.stdout.startswith("safe: The canary is at most 61 times as bad as stable: 0 of 390 (0 %)")
    assert ["no-data", "undecided", "safe"] == [line.split()[2] for line in done.stdout.splitlines()[2:5]]
    assert "first harmful: never; first safe: " in done.stdout


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        (f"{HEAD}\n0,1,0,1,0\n5,1,0,x,0\n", (), "counts.csv line 3: canary_total is 'x'"),
        (f"{HEAD}\n", (), "counts.csv has a header and no rows"),
        (rows(0), ("--alpha", "0"), "alpha 0 is no rate of false alarms"),
        (rows(0), ("--alpha", "nan"), "alpha nan is no rate of false alarms"),
        (rows(0), ("--margin", "1.5"), "1.5 is no margin"),
        (rows(0), ("--margin", "inf", "--relative"), "inf is no margin"),
        (rows(0), ("--nope",), "No such option: --nope"),
    ],
)
def test_bad_input_is_exit_code_2(
    tmp_path: Path, text: str, options: tuple[str, ...], complaint: str
) -> None:
    """One error, without a traceback, and nothing on standard output."""
    done = judge(tmp_path, text, *options)

    assert (2, "") == (done.returncode, done.stdout)
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_read_is_bad_input(tmp_path: Path) -> None:
    """A folder, and a name of nothing."""
    command = [str(Path(sys.executable).parent / "rollbook"), "judge"]
    for path, complaint in ((tmp_path, "cannot be read"), (tmp_path / "none.csv", "there is no file")):
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, timeout=180, check=False)

        assert 2 == done.returncode
        assert complaint in done.stderr
