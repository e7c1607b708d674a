"""What tests of add-ons need and a machine may lack: the helm command, and the kinds of Prometheus' operator.

Both are of Go modules, and are had once per machine.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from filelock import FileLock
from tests.go_tools import go_tool

from rollbook.errors import BuildFailedError
from rollbook.sandbox.gotool import GoTool
from rollbook.sandbox.home import Cache
from rollbook.sandbox.progress import SilentProgress
from rollbook.sandbox.toolchain import go_binary

LOCKS = Path(__file__).parent / "locks"
OPERATOR = "github.com/prometheus-operator/prometheus-operator"
OPERATOR_VERSION = "v0.93.1"
"""The `appVersion` of the pinned chart kube-prometheus-stack."""
OPERATOR_SUM = "h1:4Juk8v93RdG1DSGD/mGp+SeQKPmnlLIj2iq3blLZgFY="
DEFINITIONS = Path("example", "prometheus-operator-crd")
"""Folder of the module with a CustomResourceDefinition a file."""


def helm(cache: Cache) -> Path:
    """Path of the binary; minutes of download and compiling where the cache has none.

    Raises BuildFailedError, and EnvironmentFailedError when disk or memory will not do.
    """
    stamp = "helm.sh/helm/v4/internal/version.version"
    return go_tool(cache, "helm.sh/helm/v4/cmd/helm", LOCKS, stamp=stamp)


def operator_definitions(cache: Cache) -> Path:
    """A folder with the operator's CustomResourceDefinitions; a download of its module where there is none.

    Raises BuildFailedError when the module cannot be had, or is not the one that was pinned.
    """
    target = cache.tools / f"prometheus-operator-{OPERATOR_VERSION}"
    if not target.is_dir():
        cache.create()
        with FileLock(cache.lock("tool-prometheus-operator")):
            if not target.is_dir():
                _fetch_definitions(cache, target)
    return target


def _fetch_definitions(cache: Cache, target: Path) -> None:
    # Made elsewhere and renamed: what is in the cache is whole.
    with tempfile.TemporaryDirectory(dir=cache.tools, prefix=".go-", ignore_cleanup_errors=True) as name:
        work, finished = Path(name, "work"), Path(name, "finished")
        work.mkdir()
        (work / "go.mod").write_text("module definitions\n")
        go = GoTool(go_binary(cache, SilentProgress()), Cache(Path(name)))
        module, had = go.download(f"{OPERATOR}@{OPERATOR_VERSION}", cwd=work)
        if had != OPERATOR_SUM:
            raise BuildFailedError(
                f"{OPERATOR} {OPERATOR_VERSION} is not the module that was pinned", why=had
            )
        shutil.copytree(module / DEFINITIONS, finished)
        finished.rename(target)
