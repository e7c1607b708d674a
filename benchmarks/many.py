"""16 notebooks launched at once as processes of their own, 20 times: how many fail to start.

python benchmarks/many.py [--at-once 16] [--times 20] [--engine rollbook|papermill] [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat

LAUNCH = """
import sys
import papermill
from papermill.engines import papermill_engines
from rollbook.launch.engine import ENGINE, RollbookEngine
papermill_engines.register(ENGINE, RollbookEngine)
path, output, engine = sys.argv[1:]
papermill.execute_notebook(path, output, engine_name=engine or None, progress_bar=False)
"""


def round_of(path: Path, folder: Path, at_once: int, engine: str) -> list[str]:
    """Launch so many at once; the last line of what each one said that failed."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(path), str(folder / f"{number}.ipynb"), engine],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(at_once)
    ]
    failures = []
    for process in running:
        _, told = process.communicate()
        if process.returncode:
            failures.append((told.strip().splitlines() or ["nothing"])[-1])
    return failures


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and 0 when none failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--engine", choices=["rollbook", "papermill"], default="rollbook")
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args(arguments)
    engine = asked.engine if asked.engine == "rollbook" else ""
    failures: list[str] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.ipynb"
        made = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell("print('started')")],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(made, path)
        for number in range(asked.times):
            failures += round_of(path, Path(folder), asked.at_once, engine)
            print(f"round {number + 1}: {len(failures)} failed so far", file=sys.stderr)
    launched = asked.at_once * asked.times
    seconds = round(time.monotonic() - began, 1)
    if asked.as_json:
        print(json.dumps({"launched": launched, "failed": len(failures), "seconds": seconds}, indent=2))
    else:
        print(f"{asked.engine}: {launched} notebooks, {asked.at_once} at once, {seconds} s")
        print(f"  {len(failures)} failed to start")
    for failure in failures:
        print(f"  {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
