"""Linters of Terraform that the environment does not have: made once per machine, beside the sandbox.

checkov pins a hundred packages of its own, so it lives in a folder of its own; tflint is compiled from its Go
module by the toolchain that compiles the sandbox.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from tests.go_tools import go_tool

from rollbook.errors import BuildFailedError
from rollbook.sandbox.files import remove_tree
from rollbook.sandbox.home import Cache
from rollbook.sandbox.toolchain import INSTALL_TIMEOUT_S, tool_key

LOCKS = Path(__file__).parent / "locks"


@dataclass(frozen=True)
class Command:
    """The beginning of a command line, and the environment that it needs."""

    argv: tuple[str, ...]
    environment: dict[str, str]


def tflint(cache: Cache) -> Command:
    """The `tflint` command; 110 s of download and compiling where the cache has none.

    Raises BuildFailedError, and EnvironmentFailedError when disk or memory will not do.
    """
    return Command((str(go_tool(cache, "github.com/terraform-linters/tflint", LOCKS)),), {})


def checkov(cache: Cache) -> Command:
    """The `checkov` command; 25 s of installing where the cache has none. Raises BuildFailedError."""
    return _python(cache, "-m", "checkov.main")


def hcl_to_json(cache: Cache) -> Command:
    """Prints HCL files, given as arguments, as a JSON list: with the parser that checkov has."""
    return _python(
        cache,
        "-c",
        "import hcl2, json, sys; print(json.dumps([hcl2.load(open(name)) for name in sys.argv[1:]]))",
    )


def _python(cache: Cache, *what: str) -> Command:
    key = tool_key((LOCKS / "checkov.lock").read_bytes())
    folder = _once(cache, "checkov", key, _install)
    interpreter = str(getattr(sys, "_base_executable", "") or sys.executable)
    return Command((interpreter, *what), {"PYTHONPATH": str(folder), "PYTHONNOUSERSITE": "1"})


def _once(cache: Cache, name: str, key: str, make: Callable[[Path], Path]) -> Path:
    """The folder of a finished tool. What is there is whole: it is made elsewhere, and renamed."""
    target = cache.tools / f"{name}-{key}"
    if target.is_dir():
        return target
    cache.create()
    with FileLock(cache.lock(f"tool-{name}")):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(
                dir=cache.tools, prefix=f".{name}-", ignore_cleanup_errors=True
            ) as scratch:
                make(Path(scratch)).rename(target)
    return target


def _install(scratch: Path) -> Path:
    finished = scratch / "finished"
    options = ["--quiet", "--require-hashes", "--only-binary=:all:", "--no-deps", "--no-compile"]
    lock = LOCKS / "checkov.lock"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(finished), "-r", str(lock)],
        capture_output=True,
        text=True,
        timeout=INSTALL_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        remove_tree(finished)
        raise BuildFailedError("checkov could not be installed", why=done.stderr.strip()[-300:])
    return finished
