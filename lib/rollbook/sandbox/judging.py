"""What the sandbox's judge knows of services: their counters, in a folder of its home."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rollbook.sandbox.files import write_json
from rollbook.sandbox.home import SandboxHome

JUDGE = "judge"
"""Name of the component and of its port."""


def judge_folder(home: SandboxHome) -> Path:
    """Where the files are that the component reads, one a namespace."""
    return home.config / "judge"


def tell_judge(home: SandboxHome, namespace: str, counters: Mapping[str, str]) -> None:
    """Have the judge know a service by its counters; one without counters it does not judge."""
    if not counters:
        return
    folder = judge_folder(home)
    folder.mkdir(mode=0o700, exist_ok=True)
    given = {
        "latencyBuckets" if name == "latency_buckets" else name: query for name, query in counters.items()
    }
    # JSON is YAML, and what a service file has.
    write_json(folder / f"{namespace}.yaml", {"namespace": namespace, "counters": given})
