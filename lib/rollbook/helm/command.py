"""The `helm` command: found, its version checked, and run without what is particular to whoever runs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rollbook.errors import EnvironmentFailedError

OLDEST = (3, 16)
VERSION_TIMEOUT_S = 30.0
GRACE_S = 20.0
"""An interrupted helm gets this long to put its release back."""
NO_HOME = "/nonexistent"
"""Whose repositories, plugins and logins do not matter."""
PASSED_ON = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "TMPDIR",
)  # fmt: skip
"""Variables of the user that say how chart repositories are reached."""


@dataclass(frozen=True)
class Done:
    """What a helm command ended with."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class Command:
    """A helm binary and its version (major, minor)."""

    binary: Path
    version: tuple[int, int]

    @property
    def rollback_option(self) -> str:
        """The option that takes a failed release back: Helm 4 renamed it."""
        return "--rollback-on-failure" if self.version >= (4, 0) else "--atomic"


@dataclass(frozen=True)
class Access:
    """How the API server is reached: variables for helm's environment, made anew for each call.

    A token is a variable and not an argument, for everybody on a machine can read arguments.
    """

    environment: Callable[[], Mapping[str, str]]

    @classmethod
    def kubeconfig(cls, path: Path, context: str = "") -> Access:
        """By a kubeconfig, with its current context or another.

        Helm gets the whole environment of whoever runs this but Helm's own variables: a kubeconfig may name
        a program that logs in, and that program needs it.
        """
        named = {"HELM_KUBECONTEXT": context} if context else {}
        return cls(
            lambda: {
                **{name: value for name, value in os.environ.items() if not name.startswith("HELM_")},
                "KUBECONFIG": str(path),
                **named,
            }
        )

    @classmethod
    def token(cls, url: str, ca_file: Path, token: Callable[[], str]) -> Access:
        """By a bearer token, asked for before each call; it has to last as long as the call's timeout."""
        return cls(
            lambda: {
                # Not that of whoever runs this: it may name another cluster.
                "KUBECONFIG": os.devnull,
                "HELM_KUBEAPISERVER": url,
                "HELM_KUBECAFILE": str(ca_file),
                "HELM_KUBETOKEN": token(),
            }
        )


def find(path: str | None = None) -> Command:
    """The helm on the PATH (or on `path`). EnvironmentFailedError when there is none, or one too old."""
    found = shutil.which("helm", path=path)
    oldest = ".".join(map(str, OLDEST))
    if found is None:
        raise EnvironmentFailedError(
            "helm is not on the PATH",
            why="add-ons of a cluster are Helm releases",
            next_step=f"Install Helm {oldest} or newer: https://helm.sh/docs/intro/install/",
        )
    return at(Path(found))


def at(binary: Path) -> Command:
    """The helm at this path. EnvironmentFailedError when it does not run, or is too old."""
    try:
        done = run(
            Command(binary, OLDEST),
            ["version", "--template", "{{.Version}}"],
            {},
            timeout_s=VERSION_TIMEOUT_S,
        )
    except OSError as error:
        raise EnvironmentFailedError(
            f"{binary} cannot be run",
            why=str(error),
            next_step="Install helm anew: https://helm.sh/docs/intro/install/",
        ) from error
    told = re.match(r"v?(\d+)\.(\d+)", done.output.strip())
    if done.code != 0 or told is None:
        raise EnvironmentFailedError(
            f"{binary} does not tell its version",
            why=(done.errors or done.output).strip()[:200],
            next_step="Install helm anew: https://helm.sh/docs/intro/install/",
        )
    version = int(told[1]), int(told[2])
    if version < OLDEST:
        raise EnvironmentFailedError(
            f"{binary} is Helm {version[0]}.{version[1]}",
            why=f"{OLDEST[0]}.{OLDEST[1]} or newer is needed",
            next_step="Install a newer one: https://helm.sh/docs/intro/install/",
        )
    return Command(binary, version)


def run(
    command: Command,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    text: str | None = None,
    timeout_s: float,
) -> Done:
    """`helm ARGUMENTS` with `text` as its standard input, whatever its exit code is.

    Helm has its own timeout for what it waits for; one that hangs is ended after `timeout_s`, with
    EnvironmentFailedError. Interrupted, helm is interrupted too, and waited for.
    """
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    process = subprocess.Popen(
        [str(command.binary), *arguments],
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": NO_HOME, **passed, **environment},
        stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(text, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        _end(process)
        raise EnvironmentFailedError(
            f"helm {arguments[0]} did not end within {timeout_s:g} s",
            next_step="Look at the cluster's events, then run again: what is installed is left as it is.",
        ) from error
    except BaseException:
        _end(process)
        raise
    return Done(process.returncode, output, errors)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
