"""300 trivial cells by papermill's own engine and by rollbook's, in one run; and how old the saved one gets.

    python benchmarks/engine.py [--cells 300] [--json]

The age is that of the executed notebook on disk, looked at from outside, in a second run by rollbook's engine
whose cells take 50 ms each: long enough for a notebook to grow old.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
import papermill
from papermill.engines import papermill_engines

from rollbook.launch.engine import ENGINE, RollbookEngine

FASTER = 5.0
"""rollbook's engine must be so many times as fast."""
OLDEST_S = 5.0
"""Seconds that the saved notebook may lag behind."""
LOOK_S = 0.01


def notebook(path: Path, cells: int, source: str) -> Path:
    """A notebook with so many cells of that source."""
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(f"{source}{number}") for number in range(cells)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(made, path)
    return path


def run(path: Path, output: Path, engine: str | None) -> float:
    """Seconds that an engine takes; None is papermill's own."""
    began = time.monotonic()
    papermill.execute_notebook(str(path), str(output), engine_name=engine, progress_bar=False)
    return time.monotonic() - began


def oldest(path: Path, output: Path) -> float:
    """The greatest age of the saved notebook in seconds, from its first save to the end of the run."""
    ages, stop = [0.0], threading.Event()

    def look() -> None:
        while not stop.wait(LOOK_S):
            if output.exists():
                ages.append(time.time() - output.stat().st_mtime)

    thread = threading.Thread(target=look)
    thread.start()
    run(path, output, ENGINE)
    stop.set()
    thread.join()
    return max(ages)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and 0 when both bars are met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args(arguments)
    papermill_engines.register(ENGINE, RollbookEngine)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        trivial = notebook(base / "trivial.ipynb", asked.cells, "x = ")
        slow = notebook(base / "slow.ipynb", asked.cells, "import time; time.sleep(0.05); ")
        run(notebook(base / "one.ipynb", 1, ""), base / "warm.ipynb", ENGINE)
        ours = run(trivial, base / "rollbook.ipynb", ENGINE)
        papermills = run(trivial, base / "papermill.ipynb", None)
        age = oldest(slow, base / "slow-out.ipynb")
    load = os.getloadavg()[0]
    found = {
        "cells": asked.cells,
        "papermill_s": round(papermills, 2),
        "rollbook_s": round(ours, 2),
        "ratio": round(papermills / ours, 1),
        "oldest_s": round(age, 2),
        "cpus": os.cpu_count(),
        "load": round(load, 1),
    }
    passed = found["ratio"] >= FASTER and found["oldest_s"] <= OLDEST_S
    if asked.as_json:
        print(json.dumps({**found, "passed": passed}, indent=2))
    else:
        print(f"{asked.cells} trivial cells, {found['cpus']} processors, load {found['load']}")
        print(f"  papermill's own engine  {papermills:6.2f} s")
        print(f"  rollbook's engine       {ours:6.2f} s, {found['ratio']} times as fast (bar: {FASTER:g})")
        print(f"  oldest saved notebook   {age:6.2f} s while cells ran (bar: {OLDEST_S:g} s)")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
