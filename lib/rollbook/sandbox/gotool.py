"""Runs the Go toolchain: its environment, its progress, its failures."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rollbook.errors import BuildFailedError
from rollbook.sandbox.home import Cache

PASSED_ON = (
    "GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE", "HTTP_PROXY", "HTTPS_PROXY",
    "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR",
)  # fmt: skip
"""Variables of the user that say how modules are reached; nothing else of theirs changes a build."""

FAILURE_LINES = 8


@dataclass(frozen=True)
class Failure:
    """What a failed `go` command said: the failing package (may be empty) and the first lines about it."""

    package: str
    lines: tuple[str, ...]


def parse_failure(output: str) -> Failure:
    """Find the first failing package and what the compiler (or the module loader) said first.

    `go build` heads the compiler's lines with `# package`; other failures have no such heading.
    """
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if line.startswith("# "):
            told = []
            for following in lines[number + 1 :]:
                if following.startswith("# ") or _is_package(following):
                    break
                told.append(following)
            return Failure(line.removeprefix("# ").strip(), tuple(told[:FAILURE_LINES]))
    told = [line for line in lines if not _is_package(line) and not line.startswith("go: downloading ")]
    return Failure("", tuple(told[-FAILURE_LINES:]))


def _is_package(line: str) -> bool:
    """Whether a line of `go build -v` names a package that was compiled."""
    return re.fullmatch(r"[A-Za-z0-9][\w.~-]*(/[\w.~+-]+)*", line) is not None


class GoTool:
    """The `go` command with caches of ours and no influence of the user's Go settings."""

    def __init__(self, binary: Path, cache: Cache, *, module_cache: Path | None = None) -> None:
        self._binary = binary
        self._modules = module_cache or cache.go / "mod"
        self._compiled = cache.go / "build"
        self._home = cache.go / "home"

    def environment(self) -> Mapping[str, str]:
        """Environment of every call."""
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {
            **passed,
            "PATH": f"{self._binary.parent}:/usr/bin:/bin",
            "HOME": str(self._home),
            "GOENV": "off",
            "GOTOOLCHAIN": "local",
            "GOMODCACHE": str(self._modules),
            "GOCACHE": str(self._compiled),
            "GOFLAGS": "-modcacherw",
            "GOTELEMETRY": "off",
            "CGO_ENABLED": "0",
            # The compiler's processes are short: collecting their garbage costs a tenth of the whole build.
            "GOGC": "off",
        }

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        doing: str,
        compiled: Callable[[str], None] = lambda _package: None,
        extra_environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run `go ARGUMENTS` and return its standard output; `compiled` hears each line of its error output.

        Raises BuildFailedError that names the failing package. Interrupted, it leaves no compiler behind.
        """
        for folder in (self._modules, self._compiled, self._home):
            folder.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            [str(self._binary), *arguments],
            cwd=cwd,
            env={**self.environment(), **(extra_environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        told: list[str] = []
        listener = threading.Thread(target=_listen, args=(process, told, compiled), daemon=True)
        listener.start()
        try:
            output = process.stdout.read() if process.stdout else ""
            code = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            listener.join(timeout=5)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        if code != 0:
            raise _failed(doing, "\n".join(told))
        return output

    def download(
        self, module: str, *, cwd: Path, extra_environment: Mapping[str, str] | None = None
    ) -> tuple[Path, str]:
        """Fetch one module; its folder and its `h1:` sum."""
        output = self.run(
            ["mod", "download", "-json", module],
            cwd=cwd,
            doing=f"fetching {module}",
            extra_environment=extra_environment,
        )
        told = json.loads(output)
        return Path(str(told["Dir"])), str(told["Sum"])


def _listen(process: subprocess.Popen[str], told: list[str], compiled: Callable[[str], None]) -> None:
    if process.stderr is None:
        return
    for line in process.stderr:
        told.append(line.rstrip("\n"))
        compiled(line.strip())


def _failed(doing: str, output: str) -> BuildFailedError:
    failure = parse_failure(output)
    lines = "\n  ".join(failure.lines)
    text = output.lower()
    if "no space left on device" in text:
        next_step = "Free some disk space and run the command again: what is built already is kept."
    elif any(
        sign in text for sign in ("dial tcp", "no such host", "proxyconnect", "connection refused", "timeout")
    ):
        next_step = "Check the network connection to the Go module mirror and run the command again."
    elif "signal: killed" in text:
        next_step = (
            "The compiler was killed, most likely for lack of memory; free some and run the command again."
        )
    else:
        next_step = "Run the command again; if it fails again, this is a bug of rollbook: report these lines."
    return BuildFailedError(
        f"{doing} failed" + (f" in package {failure.package}" if failure.package else ""),
        why=f"\n  {lines}\n",
        next_step=next_step,
    )
