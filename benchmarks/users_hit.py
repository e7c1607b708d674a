"""Users who met a canary with 20 % errors: with Argo's thresholds alone, and with the judge that may abort.

python benchmarks/users_hit.py [--rule eks|sandbox] [--rounds 5] [--rps 50] [--json]

Both by turns in one run on the sandbox, under the same traffic. `--rule` says whose analysis it is: that of
the overlay for EKS (measured each 15 s over 2 minutes, given a pause long enough for it), or that of the
sandbox (each 3 s over 10 s). Argo's thresholds go on beside the judge too, as they do in any canary.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[1]
NEEDED = ("service.yaml", "drills.yaml", "app", "k8s", "monitoring")
OF_ANALYSIS = ("analysisInterval", "analysisWindow", "analysisMinimumRequests")
PAUSE = {"eks": "90s", "sandbox": "15s"}
BAR = 3.0


def copy_of_the_service(folder: Path, rule: str) -> Path:
    """The service file of a copy whose sandbox overlay measures as the overlay of `rule` does."""
    for name in NEEDED:
        path = PROJECT / name
        (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / name)
    overlays = folder / "k8s" / "overlays"
    ours = overlays / "sandbox" / "parameters.yaml"
    document = yaml.safe_load(ours.read_text())
    theirs = yaml.safe_load((overlays / rule / "parameters.yaml").read_text())["data"]
    document["data"].update({name: theirs[name] for name in OF_ANALYSIS}, pause=PAUSE[rule])
    ours.write_text(yaml.safe_dump(document))
    return folder / "service.yaml"


def canaries(rounds: int, rps: int) -> dict[str, Any]:
    """The plan: a baseline, then one bad canary by each way, and again."""
    bad = {"phase": "canary", "expect": "rolled-back"}
    phases = [
        {**bad, "name": f"{judge}-{number}", "parameters": {"fault": "errors", "rps": rps, "judge": judge}}
        for number in range(1, rounds + 1)
        for judge in ("off", "abort")
    ]
    return {"phases": [{"phase": "provision"}, {"phase": "deploy"}, *phases]}


def failed(run: Path, phase: str) -> int:
    """Requests of that canary that users did not get an answer to, or a bad one."""
    with (run / "traffic" / f"{phase}.csv").open(newline="") as file:
        return sum(row["cause"] != "ok" for row in csv.DictReader(file))


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and 0 when the judge spares users as the bar asks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rule", choices=sorted(PAUSE), default="eks")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rps", type=int, default=50)
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        service = copy_of_the_service(folder, asked.rule)
        plan = folder / "plan.yaml"
        plan.write_text(yaml.safe_dump(canaries(asked.rounds, asked.rps)))
        rollbook = str(Path(sys.executable).with_name("rollbook"))
        options = ["--plan", str(plan), "--service", str(service), "--out", str(folder / "runs")]
        code = subprocess.run([rollbook, "run", *options], check=False).returncode
        [run] = (folder / "runs").glob("*/run.json")
        found = {
            judge: [failed(run.parent, f"{judge}-{number}") for number in range(1, asked.rounds + 1)]
            for judge in ("off", "abort")
        }
    ratio = statistics.median(found["off"]) / max(1.0, statistics.median(found["abort"]))
    if asked.as_json:
        told = {"rule": asked.rule, "argo": found["off"], "judge": found["abort"], "ratio": ratio}
        print(json.dumps({**told, "exit_code": code}))
    else:
        print(f"failed requests at {asked.rps} requests/s, 20 % errors, analysis as on {asked.rule}:")
        print(f"  Argo's thresholds alone  {found['off']}")
        print(f"  the judge may abort      {found['abort']}")
        print(f"  medians: {ratio:.1f} times fewer")
    return int(code != 0 or ratio < BAR)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
