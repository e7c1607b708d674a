"""How long `reports/index.html` of many runs takes, and how large it is.

    python benchmarks/index.py [--runs 500] [--json]

The runs are made by code, each with 120 requirements of two findings. Ends with 0 only if the page is made in
less than 3 s, once the files are in the system's cache, and has less than 1 MB.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from rollbook.history.index_page import write_index

BAR_S, BAR_BYTES = 3.0, 1_000_000


def main() -> int:
    """Measure, print, and say whether the bar is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.history.runs import many

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        many(out, asked.runs, requirements=120, findings=2)
        read = sum(path.stat().st_size for path in out.glob("*/*.json"))
        write_index(out)
        began = time.perf_counter()
        page = write_index(out)
        seconds, size = time.perf_counter() - began, page.stat().st_size
    passed = seconds < BAR_S and size < BAR_BYTES
    if asked.as_json:
        found = {"runs": asked.runs, "read_bytes": read, "seconds": round(seconds, 3), "bytes": size}
        print(json.dumps({**found, "passed": passed}, indent=2))
    else:
        print(f"{asked.runs} runs, {read / 1e6:.1f} MB of JSON read: {seconds:.2f} s, {size / 1e3:.0f} KB")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
