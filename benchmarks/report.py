"""What a report costs: time to make it and bytes, against the budgets; ends with 1 when one is exceeded.

    python benchmarks/report.py [--json]

A large run: 4 canaries with 12 figures and 200 requirements. A long one: 30 days of 6 series at 15 seconds.
Each is made three times in one process, and the fastest time counts. What a new process needs besides, above
all to import matplotlib, is told beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.report import bundles, runs

from rollbook.bundle.load import load
from rollbook.coverage.model import Coverage
from rollbook.evidence.folder import RunFolder
from rollbook.report.build import Given, build, view_model
from rollbook.report.measured import Measured
from rollbook.report.model import ViewModel
from rollbook.report.page import render

REQUIREMENTS = 200
DAYS = 30
STEP_S = 15
TIMES = 3
SPIKE = 50.0
SERIES = 6


@dataclass(frozen=True)
class Budget:
    """What a page may take at most, in seconds and kilobytes (1000 bytes)."""

    seconds: float
    kilobytes: float


@dataclass(frozen=True)
class Figures:
    """What a page took, in seconds and kilobytes; its figures, and the series whose spike it shows."""

    name: str
    seconds: float
    kilobytes: float
    figures: int
    spikes: int


def large_run(out: Path) -> RunFolder:
    """Four canaries, each with a timeline, an analysis and signals to draw: twelve figures."""
    folder = RunFolder.create(out, "large")
    phases = []
    for number in range(4):
        begins = runs.GOOD.begins + timedelta(seconds=70 * number)
        phases.append(runs.write_canary(folder, replace(runs.GOOD, name=f"canary-{number}", begins=begins)))
    folder.write_run(runs.run_json(phases))
    folder.journal("run", runs.HandClock()).seal()
    return folder


def long_run(out: Path) -> RunFolder:
    """A canary whose signals are 30 days long: three signals of two sides, with one spike in each."""
    folder = RunFolder.create(out, "long")
    phases = [runs.write_canary(folder, runs.GOOD)]
    start = runs.GOOD.begins.timestamp()
    for path in (folder.path / "metrics" / "canary").iterdir():
        path.unlink()
    for row, (signal, unit) in enumerate((("requests", "requests/s"), ("p95", "s"), ("memory", "bytes"))):
        for side in ("stable", "canary"):
            points = [
                [start + at, row + 1 + math.sin(at / 7000.0 + row)] for at in range(0, DAYS * 86400, STEP_S)
            ]
            points[len(points) // 3][1] = SPIKE
            metric = {"signal": signal, "side": side, "unit": unit, "query": signal}
            folder.write_metric("canary", f"{signal}.{side}", {**metric, "series": [{"points": points}]})
    folder.write_run(runs.run_json(phases))
    folder.journal("run", runs.HandClock()).seal()
    return folder


def large_model(folder: RunFolder) -> ViewModel:
    """The model of the large run, with requirements beside it."""
    states = bundles.STATES
    results = tuple(bundles.result(number, states[number % len(states)]) for number in range(REQUIREMENTS))
    return view_model(load(folder), Given(Measured(Coverage(results, folder.run_id))))


def spikes_kept(model: ViewModel) -> int:
    """Of how many of the long series the one spike is still there, in the bins that are drawn."""
    signals = model.canaries[0].signals
    return sum(SPIKE in line.high for line in signals.lines) if signals else 0


def measured(name: str, folder: RunFolder, make: Callable[[RunFolder], ViewModel]) -> Figures:
    """Make a page some times; the fastest counts."""
    seconds, page = math.inf, ""
    for _ in range(TIMES):
        began = time.perf_counter()
        model = make(folder)
        page = render(model)
        seconds = min(seconds, time.perf_counter() - began)
    kilobytes = len(page.encode()) / 1000
    return Figures(name, round(seconds, 2), round(kilobytes, 1), page.count("<figure>"), spikes_kept(model))


def main() -> int:
    """Measure both, print what was found, and say whether the budgets hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        large = measured("12 figures, 200 requirements", large_run(out), large_model)
        long = measured("30 days of 15 s samples, 6 series", long_run(out), build)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import rollbook.report"], check=True)
    process_s = round(time.perf_counter() - began, 2)
    kept = ((large, Budget(1.5, 400)), (long, Budget(5.0, 1000)))
    passed = long.spikes == SERIES and all(
        one.seconds <= budget.seconds and one.kilobytes <= budget.kilobytes for one, budget in kept
    )
    if asked.as_json:
        found = {"pages": [asdict(one) for one, _ in kept], "new_process_s": process_s, "passed": passed}
        print(json.dumps(found, indent=2))
        return 0 if passed else 1
    for one, budget in kept:
        print(
            f"{one.name}: {one.seconds:.2f} s (at most {budget.seconds:g}), {one.kilobytes:.0f} kB "
            f"(at most {budget.kilobytes:g}), {one.figures} figures"
        )
    print(f"  {long.spikes} of {SERIES} spikes kept")
    print(f"a new process: {process_s:.2f} s, once")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
