"""The helm command, compiled from its Go module once per machine, for tests on machines that have none."""

from __future__ import annotations

from pathlib import Path

from tests.go_tools import go_tool

from rollbook.sandbox.home import Cache

LOCKS = Path(__file__).parent / "locks"


def helm(cache: Cache) -> Path:
    """Path of the binary; minutes of download and compiling where the cache has none.

    Raises BuildFailedError, and EnvironmentFailedError when disk or memory will not do.
    """
    stamp = "helm.sh/helm/v4/internal/version.version"
    return go_tool(cache, "helm.sh/helm/v4/cmd/helm", LOCKS, stamp=stamp)
